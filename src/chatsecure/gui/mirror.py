"""Turns a layout round where the person's language is written from right to left.

Layouts are written from left to right, as everywhere in Tk; `mirror` swaps left and right in what
has been packed and gridded: sides, columns, anchors, margins. It may be called again for what has
been added since. What is placed at coordinates is left alone.
"""

import contextlib
import tkinter as tk
from typing import Any

from chatsecure.words import right_to_left

_TURNED = str.maketrans("ew", "we")
_SIDES = {"left": "right", "right": "left"}
_DONE, _COLUMNS = "chatsecure_turned", "chatsecure_columns"


def mirror(widget: tk.Misc) -> None:
    """Turn round what is in a widget, windows of their own excepted."""
    if not right_to_left():
        return
    for child in widget.winfo_children():
        if not isinstance(child, tk.Toplevel | tk.Menu):
            turn(child)
            mirror(child)


def turn(widget: tk.Misc) -> None:
    """Turn one widget round: its place beside others, and the side on which its text begins."""
    if not right_to_left():
        return
    how = widget.winfo_manager()
    if how == "pack":
        _turn_packed(widget)
    elif how == "grid":
        _turn_gridded(widget)
    if not getattr(widget, _DONE + "_text", False):
        setattr(widget, _DONE + "_text", True)
        _turn_text(widget)


def anchored(anchor: str) -> Any:
    """An anchor or a `sticky`, with east and west swapped where lines begin at the right."""
    return _other(anchor) if right_to_left() else anchor


def _other(anchor: str) -> str:
    return anchor if anchor == "center" else anchor.translate(_TURNED)


def _turn_packed(widget: Any) -> None:
    info = widget.pack_info()
    side = str(info["side"])
    wanted = {
        "side": _SIDES.get(side, side),
        "anchor": _other(str(info["anchor"])),
        "padx": _swapped(info["padx"]),
    }
    if getattr(widget, _DONE, None) != (side, str(info["anchor"]), info["padx"]):
        widget.pack_configure(**wanted)
        now = widget.pack_info()
        setattr(widget, _DONE, (str(now["side"]), str(now["anchor"]), now["padx"]))


def _turn_gridded(widget: Any) -> None:
    info = widget.grid_info()
    master = info["in"]
    columns = _columns(master)
    at = (info["column"], str(info["sticky"]), info["padx"])
    if getattr(widget, _DONE, None) != at:
        widget.grid_configure(
            column=max(0, columns - info["column"] - info["columnspan"]),
            sticky=_other(str(info["sticky"])), padx=_swapped(info["padx"]),
        )  # fmt: skip
        now = widget.grid_info()
        setattr(widget, _DONE, (now["column"], str(now["sticky"]), now["padx"]))


def _columns(master: Any) -> int:
    """How many columns a grid has; with the first question, their weights are swapped too."""
    known = getattr(master, _COLUMNS, None)
    if known is None:
        known = master.grid_size()[0]
        setattr(master, _COLUMNS, known)
        weights = [master.grid_columnconfigure(column)["weight"] for column in range(known)]
        for column, weight in enumerate(reversed(weights)):
            master.grid_columnconfigure(column, weight=weight)
    return int(known)


def _swapped(margin: Any) -> Any:
    return margin[::-1] if isinstance(margin, tuple) else margin


def _turn_text(widget: Any) -> None:
    options = widget.keys()
    turned: dict[str, str] = {}
    if "justify" in options and str(widget.cget("justify")) == "left":
        turned["justify"] = "right"
    if "compound" in options and str(widget.cget("compound")) in _SIDES:
        turned["compound"] = _SIDES[str(widget.cget("compound"))]
    if "anchor" in options:
        anchor = str(widget.cget("anchor"))
        if not anchor and widget.winfo_class() == "TLabel":
            anchor = "w"
        if anchor != _other(anchor):
            turned["anchor"] = _other(anchor)
    if turned:
        with contextlib.suppress(tk.TclError):
            widget.configure(**turned)
