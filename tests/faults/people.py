"""The three who have met, by their folders; and how they are sent through a proxy."""

from pathlib import Path

import pytest

from chatsecure.client.profile.folder import open_profile
from system.conftest import Server

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
