"""What a screen reader is told, where Tk can (from 9.1, TIP 733).

Core and ttk widgets speak for themselves there; this is for what we make of frames, and for what
only a picture shows. Under an older Tk nothing happens.
"""

import tkinter as tk

_unable: set[int] = set()
"""Interpreters without it: asked once."""


def call(widget: tk.Misc, *words: str) -> bool:
    """`tk accessible WORDS`; False where this Tk has no such command."""
    if id(widget.tk) in _unable:
        return False
    try:
        widget.tk.call("tk", "accessible", *words)
    except tk.TclError:
        _unable.add(id(widget.tk))
        return False
    return True


def name(widget: tk.Misc, text: str, role: str = "") -> None:
    """Say what a widget is called.

    Args:
        role: as Tk names it: `Button`, `Listbox`; where it is not what its class is.
    """
    if call(widget, "set_acc_name", str(widget), text) and role:
        call(widget, "set_acc_role", str(widget), role)


def value(widget: tk.Misc, text: str) -> None:
    """Say what is chosen in a widget now."""
    if call(widget, "set_acc_value", str(widget), text):
        call(widget, "emit_selection_change", str(widget))
