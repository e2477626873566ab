"""The fixtures of the system tests, for faults.

What only a client does is tried with one engine, and with both in the long run; the tests of the
server's own faults name both.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.conftest import ENGINES, Server, met, start_server, three, world

__all__ = ["met", "server", "three", "world"]


LONG = os.environ.get("CHATSECURE_FAULTS") == "long"
"""Also what takes long, and both engines where one will do: CHATSECURE_FAULTS=long."""
LONG_S = 1800
"""What a long test may take."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long unless it is asked for; then give it time."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skipif(not LONG, reason="CHATSECURE_FAULTS=long"))
            item.add_marker(pytest.mark.timeout(LONG_S))


@pytest.fixture(params=ENGINES if LONG else ENGINES[:1])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server; with `three`, a copy of one that three people have joined."""
    if "three" in request.fixturenames:
        old: Server = request.getfixturevalue("met")
        shutil.copytree(old.data.parent, tmp_path, dirs_exist_ok=True)
        server = start_server(tmp_path / "server", request.param, old.address, owner=False)
    else:
        server = start_server(tmp_path / "server", request.param)
    yield server
    if server.process.poll() is None:
        server.stop()
