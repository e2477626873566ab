"""Files dragged into the window, where the optional `tkinterdnd2` is installed.

Its library is for certain systems and Tk versions only; where it does not load there is the
button, and no error.
"""

from __future__ import annotations

import contextlib
import tkinter as tk
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import files

if TYPE_CHECKING:
    from .window import Window


def accept_drops(window: Window) -> bool:
    """Take files that are dropped on the conversation; False where that is not possible."""
    try:
        from tkinterdnd2 import DND_FILES, TkinterDnD
    except ImportError:
        return False
    root = window.root
    try:
        TkinterDnD._require(root)  # noqa: SLF001 - its way to load into a root that is there
        view: Any = window.view
        view.drop_target_register(DND_FILES)
        view.dnd_bind("<<Drop>>", lambda event: _dropped(window, event.data))
    except (tk.TclError, RuntimeError, OSError, AttributeError):
        return False
    return True


def _dropped(window: Window, data: str) -> str:
    files.dropped(window, dropped_paths(window.root, data))
    return "copy"


def dropped_paths(root: tk.Misc, data: str) -> list[Path]:
    """The files of a drop: a Tcl list of paths or URIs."""
    found = []
    with contextlib.suppress(tk.TclError):
        for item in root.tk.splitlist(data):
            found += files.from_uris(item) if item.startswith("file:") else [Path(item)]
    return found
