"""How quick the window's history is in a conversation of 100,000 messages.

    python bench/gui_history.py [MESSAGES]

Needs a display (`xvfb-run -a` gives one). Starts a server and a profile in a temporary folder,
fills `#lobby`, then measures, in milliseconds: opening it, from the database to the last pixel;
each step of scrolling upwards through thousands of messages with the pages read on the way; a new
message; and memory.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import tkinter as tk
from pathlib import Path
from typing import Any

from tui_history import fill

from chatsecure.client import conversations, emoji
from chatsecure.client import history as stored
from chatsecure.client.profile.folder import open_profile
from chatsecure.gui.glyphs import Glyphs
from chatsecure.gui.history import History
from chatsecure.gui.theme import Theme

PAGE = 100
STEP_PX = 80
STEPS = 3000
OPEN_LIMIT_MS = 300


def told(name: str, times: list[float]) -> None:
    """Print a measurement's middle, its 99th part in a hundred, and the worst."""
    ordered = sorted(1000 * one for one in times)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    middle = statistics.median(ordered)
    print(
        f"{name:<34} p50 {middle:7.1f}   p99 {p99:7.1f}   max {ordered[-1]:7.1f}   n {len(ordered)}"
    )


def memory_mb() -> float:
    """What this process holds."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    [line] = [one for one in status.read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) / 1000


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "chatsecure", "serve", "--data", f"{folder}/server",
             "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            lines = iter(server.stdout or ())
            link = next(line.split()[1] for line in lines if line.startswith("link "))
            fill(Path(folder, "mara"), link, count)
        finally:
            server.terminate()
            server.wait(10)
        measure(Path(folder, "mara"))


def measure(folder: Path) -> None:
    """All of it, on a profile that is filled."""
    db = open_profile(folder, lambda: None).db
    row = conversations.named(db, "#lobby")
    root = tk.Tk()
    root.geometry("900x700+0+0")
    began = time.perf_counter()
    theme = Theme(root)
    theme_ms = 1000 * (time.perf_counter() - began)
    reading: list[float] = []

    def on(what: str, value: Any) -> None:
        if what != "older":
            return
        start = time.perf_counter()
        found = stored.last(db, row, PAGE, "mara", before=value, notices=True)
        reading.append(time.perf_counter() - start)
        history.add_older(found)

    history = History(root, theme, on=on)
    history.pack(fill="both", expand=True)
    root.update()
    before = memory_mb()
    opens = []
    for _ in range(20):
        start = time.perf_counter()
        found = stored.last(db, row, PAGE, "mara", notices=True)
        history.open("#lobby", "mara", found, first_unread=None, at_end=True)
        root.update()
        opens.append(time.perf_counter() - start)
    opened = memory_mb()
    steps = []
    for _ in range(STEPS):
        start = time.perf_counter()
        history.scroll(-STEP_PX)
        root.update()
        steps.append(time.perf_counter() - start)
    reached = history.lines()[0].text.split(":")[0]
    paged = memory_mb()
    last = stored.last(db, row, 500, "mara")
    history.open("#lobby", "mara", last[:200], first_unread=None, at_end=True)
    root.update()
    news = []
    for line in last[200:]:
        start = time.perf_counter()
        history.append([line])
        root.update()
        news.append(time.perf_counter() - start)
    glyphs, signs = Glyphs(theme), []
    for one in emoji.groups()["food"]:
        start = time.perf_counter()
        glyphs.emoji(one.sign, 20)
        signs.append(time.perf_counter() - start)
    print(f"the theme {theme_ms:.0f} ms")
    told("open, database to screen", opens)
    told(f"a step of {STEP_PX} px upwards", steps)
    told(f"  of these, a page of {PAGE} read", reading)
    told("a new message, drawn", news)
    told("an emoji, drawn for the first time", signs)
    print(f"up to message {reached}; {len(history.lines())} lines loaded")
    print(f"memory {before:.0f} MB, opened {opened:.0f}, after paging {paged:.0f}")
    root.destroy()
    worst = statistics.median(opens) * 1000
    assert worst < OPEN_LIMIT_MS, f"opening took {worst:.0f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
