"""The three who have met, by their folders; and how they are sent through a proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatsecure.client.profile.folder import open_profile
from system.conftest import Server

from .proxy import Proxy

ONE_OF_BOTH = ("events", pytest.param("threads", marks=pytest.mark.slow))
"""What each engine does alike; the other one in the long run only."""
PEOPLE = ("mara", "alice", "bob")


def folders(server: Server) -> list[Path]:
    """The profiles beside a copy of the server that three people have joined."""
    return [server.data.parent / f"person-{name}" for name in PEOPLE]


def goes_to(folder: Path, port: int) -> None:
    """From now on this profile looks for its server at another port."""
    profile = open_profile(folder)
    with profile.db.transaction():
        profile.db.put("server_port", port)
    profile.close()


@contextmanager
def slow_line(server_port: int, *profiles: Path) -> Iterator[Proxy]:
    """These reach their server through a line so slow that a large file takes a minute and more.

    What a test breaks into is then still going on, however fast the machine is.
    """
    with Proxy(0, server_port) as proxy:
        proxy.bytes_per_s = 2 * 2**20
        for folder in profiles:
            goes_to(folder, proxy.port)
        yield proxy


def full_speed(line: Proxy) -> None:
    """The slow line is a fast one from now on."""
    line.bytes_per_s = 0
