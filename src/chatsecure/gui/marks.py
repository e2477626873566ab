"""Small things that all parts of the window draw alike: avatars, icon buttons, their hints."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from . import spoken
from .theme import Theme

HINT_MS = 600


def avatar(theme: Theme, who: str, size: int, dot: str = "", ground: str = "side") -> tk.PhotoImage:
    """A person's initials on a disc, or a room's sign.

    Args:
        who: `#room`, `@name` or a name.
        size: in pixels at scale 1.
        dot: `online`, `away`, `offline`; or none.
    """
    return theme.avatar(
        who.removeprefix("@"), size, room=who.startswith("#"), dot=dot or None, ground=ground
    )


def icon_button(
    master: tk.Misc,
    theme: Theme,
    icon: str,
    label: str,
    command: Callable[[], object],
    *,
    style: str = "Icon.TButton",
    color: str = "dim",
) -> ttk.Button:
    """A button with a picture; what it does is its text, shown as a hint and told to a screen
    reader."""
    button = ttk.Button(master, text=label, command=command, style=style)

    def paint() -> None:
        image = theme.icon(icon, 20, color)
        button.configure(image=image)
        button.image = image  # type: ignore[attr-defined] # Tk keeps no reference

    forget = theme.on_change(paint)
    button.bind("<Destroy>", lambda _event: forget(), add=True)
    button.bind("<Return>", lambda _event: button.invoke())
    paint()
    _Hint(button, theme, label)
    spoken.name(button, label)
    return button


class _Hint:
    """What a button does, in words, when the pointer rests on it or the keys reach it."""

    def __init__(self, widget: tk.Misc, theme: Theme, text: str) -> None:
        self._widget, self._theme, self._text = widget, theme, text
        self._later: str | None = None
        self._shown: tk.Toplevel | None = None
        for event in ("<Enter>", "<FocusIn>"):
            widget.bind(event, lambda _event: self._soon(), add=True)
        for event in ("<Leave>", "<FocusOut>", "<Button>", "<Key>", "<Destroy>"):
            widget.bind(event, lambda _event: self._gone(), add=True)

    def _soon(self) -> None:
        if self._later is None:
            self._later = self._widget.after(HINT_MS, self._show)

    def _show(self) -> None:
        self._later = None
        if self._shown is not None or not self._widget.winfo_viewable():
            return
        color = self._theme.color
        self._shown = tk.Toplevel(self._widget, background=color("line"))
        self._shown.overrideredirect(True)
        label = tk.Label(
            self._shown, text=self._text, background=color("raised"), foreground=color("text"),
            font=self._theme.font("small"), padx=self._theme.px(7), pady=self._theme.px(3), bd=0,
        )  # fmt: skip
        label.pack(padx=1, pady=1)
        self._shown.update_idletasks()
        wide = self._widget.winfo_screenwidth() - self._shown.winfo_reqwidth()
        x = max(0, min(self._widget.winfo_rootx(), wide))
        y = self._widget.winfo_rooty() - self._shown.winfo_reqheight() - self._theme.px(4)
        if y < 0:
            y = self._widget.winfo_rooty() + self._widget.winfo_height() + self._theme.px(4)
        self._shown.geometry(f"+{x}+{y}")

    def _gone(self) -> None:
        if self._later is not None:
            self._widget.after_cancel(self._later)
            self._later = None
        if self._shown is not None:
            self._shown.destroy()
            self._shown = None
