"""Banners above a conversation: no connection, a changed identity, what is missing.

Each has a name and at most one is shown for a name; a banner stays until what it tells of is over
or the person puts it away. It pushes nothing away: the keys stay where they are.
"""

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from tkinter import ttk

from .mirror import mirror
from .theme import Theme
from .wording import _


@dataclass(frozen=True, slots=True)
class Banner:
    """What a banner says."""

    text: str
    kind: str = "warn"
    """`warn`, `danger` or `soft`."""
    actions: tuple[tuple[str, Callable[[], None]], ...] = ()
    closable: bool = False


class Banners(tk.Frame):
    """The banners of the window, the most urgent first."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(master, bd=0, height=1, background=theme.color("line"))
        self._theme = theme
        self._shown: dict[str, Banner] = {}
        self._frames: dict[str, tk.Frame] = {}
        self._put_away: dict[str, str] = {}
        """The texts of those the person has put away."""
        self._forget = theme.on_change(self._restyle)
        self.bind("<Destroy>", self._destroyed)

    def show(self, name: str, banner: Banner) -> None:
        """Show a banner, in place of an older one of this name; not one that was put away."""
        if self._shown.get(name) != banner and self._put_away.get(name) != banner.text:
            self._shown[name] = banner
            self._draw(name)

    def close(self, name: str) -> None:
        """Take a banner away: what it tells of is over."""
        self._put_away.pop(name, None)
        self._remove(name)

    def _put(self, name: str) -> None:
        """The person has read it."""
        self._put_away[name] = self._shown[name].text
        self._remove(name)

    def _remove(self, name: str) -> None:
        self._shown.pop(name, None)
        frame = self._frames.pop(name, None)
        if frame is not None:
            frame.destroy()
        if not self._frames:
            # An empty frame keeps the height of what it held.
            self.configure(height=1)

    def names(self) -> list[str]:
        """Which are shown."""
        return list(self._shown)

    def text(self, name: str) -> str:
        """What a banner says; empty where there is none."""
        return self._shown[name].text if name in self._shown else ""

    def _draw(self, name: str) -> None:
        banner, theme = self._shown[name], self._theme
        old = self._frames.pop(name, None)
        if old is not None:
            old.destroy()
        back, front = theme.color(banner.kind), theme.color("on_" + banner.kind)
        frame = tk.Frame(self, background=back, padx=theme.px(12), pady=theme.px(6))
        label = tk.Label(
            frame, text=banner.text, background=back, foreground=front, justify="left",
            anchor="w", font=theme.font("body"), bd=0, wraplength=theme.px(480),
        )  # fmt: skip
        if banner.closable:
            button = ttk.Button(
                frame, text=_("Close"), style="Tool.TButton", command=lambda: self._put(name)
            )
            button.pack(side="right", padx=(theme.px(6), 0))
        for text, command in reversed(banner.actions):
            button = ttk.Button(frame, text=text, style="Tool.TButton", command=command)
            button.pack(side="right", padx=(theme.px(6), 0))
        label.pack(side="left", fill="x", expand=True)
        buttons = [child for child in frame.winfo_children() if child is not label]

        def wrap(event: "tk.Event[tk.Misc]") -> None:
            taken = sum(button.winfo_reqwidth() + theme.px(6) for button in buttons)
            label.configure(wraplength=max(theme.px(120), event.width - taken - theme.px(30)))

        frame.bind("<Configure>", wrap)
        frame.pack(fill="x")
        mirror(frame)
        self._frames[name] = frame

    def _restyle(self) -> None:
        self.configure(background=self._theme.color("line"))
        for name in self._shown:
            self._draw(name)

    def _destroyed(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._forget()
