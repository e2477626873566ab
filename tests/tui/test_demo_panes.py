"""The demo in panes of tmux: three clients beside what it tells, left to the person afterwards."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_tmux import Tmux

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.end()


def test_the_scene_is_played_in_three_panes_and_they_stay(tmux: Tmux) -> None:
    demo = f"{sys.executable} -m chatsecure demo --faces tui"
    tmux(
        "new-session",
        "-d",
        "-s",
        "demo",
        "-x",
        "190",
        "-y",
        "60",
        f"{demo}; echo done $?; sleep 600",
    )
    tmux.sees("demo", "3 panes opened")
    tmux.sees("demo", "7 of 7 steps as they should be")
    tmux.sees("demo", "the panes are yours now")
    panes = tmux("list-panes", "-t", "=demo:", "-F", "#{pane_id}").split()
    assert len(panes) == 4
    shown = {pane: tmux("capture-pane", "-p", "-t", pane) for pane in panes[1:]}
    private = [text for text in shown.values() if "I cannot come on Friday." in text]
    assert len(private) == 2, "alice and mara see it, bob does not"
    assert all("private: only you and" in text for text in private)
    for pane in shown:
        tmux("send-keys", "-t", pane, "C-q")
    tmux.sees("demo", "done 0")
