"""Servers that are killed, stopped and starved, under load."""

import shutil
import signal
from pathlib import Path

import pytest

from system.conftest import ENGINES, Server, start_server

from .people import folders
from .storm import Storm, kills, pauses

LONGEST_WAIT_S = 30
"""A few seconds are usual, where a dozen tries to connect in a row met the server down; far more
would be a client that tries too seldom."""


@pytest.fixture(params=ENGINES)
def met_server(request: pytest.FixtureRequest, met: Server, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A copy of a server that three people have joined, of each engine."""
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    server = start_server(tmp_path / "server", request.param, met.address, owner=False)
    yield server
    server.stop(signal.SIGKILL)


@pytest.mark.parametrize("cycles", [4, pytest.param(300, marks=pytest.mark.slow)])
async def test_killed_at_random_instants_nothing_acknowledged_is_lost_doubled_or_reordered(
    met_server: Server, cycles: int
) -> None:
    """And nobody waits long: the server is never down for more than a moment."""
    storm = Storm(folders(met_server))
    outcome = await storm.run(lambda storm: kills(met_server, storm, cycles, 1))
    assert outcome.clean, outcome
    assert outcome.longest_wait_s < LONGEST_WAIT_S, outcome


@pytest.mark.slow
async def test_stopped_for_a_minute_it_goes_on_where_it_was(met_server: Server) -> None:
    storm = Storm(folders(met_server))
    outcome = await storm.run(lambda storm: pauses(met_server, storm, 60))
    assert outcome.clean, outcome


@pytest.mark.slow
async def test_stopped_for_a_moment_nobody_even_loses_the_connection(met_server: Server) -> None:
    storm = Storm(folders(met_server)[:2])
    outcome = await storm.run(lambda storm: pauses(met_server, storm, 2))
    assert outcome.clean, outcome
