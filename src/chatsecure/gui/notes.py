"""What a command answers and what went wrong: a small panel above the composer.

It never takes the keys; Esc or its button puts it away, and short answers go by themselves.
"""

import tkinter as tk
from tkinter import ttk

from chatsecure.client.display import harmless

from .fields import fit_lines
from .mirror import mirror
from .theme import Theme
from .wording import _, logical

GOES_MS = 8000
MOST_LINES = 12


class Notes:
    """The panel, placed over the lower part of its master's history."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        self._master, self._theme = master, theme
        self._frame: tk.Frame | None = None
        self._lines: list[str] = []
        self._later: str | None = None
        self._wrong = False
        forget = theme.on_change(self._restyle)
        master.bind("<Destroy>", lambda _event: forget(), add=True)

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Add an answer."""
        if self._later is not None:
            self._master.after_cancel(self._later)
            self._later = None
        self._wrong = wrong
        self._lines = [*self._lines, *fit_lines(harmless(logical(text))).split("\n")][-200:]
        self._draw()
        if len(self._lines) == 1:
            self._later = self._master.after(GOES_MS, self.close)

    @property
    def text(self) -> str:
        """What is shown."""
        return "\n".join(self._lines)

    def close(self) -> bool:
        """Put it away; False where nothing is shown."""
        if self._later is not None:
            self._master.after_cancel(self._later)
            self._later = None
        self._lines = []
        if self._frame is None:
            return False
        self._frame.destroy()
        self._frame = None
        return True

    def _restyle(self) -> None:
        if self._frame is not None:
            self._draw()

    def _draw(self) -> None:
        theme, color = self._theme, self._theme.color
        if self._frame is not None:
            self._frame.destroy()
        edge = color("danger" if self._wrong else "line")
        frame = tk.Frame(self._master, background=edge, padx=theme.px(1), pady=theme.px(1))
        inner = tk.Frame(frame, background=color("raised"), padx=theme.px(10), pady=theme.px(8))
        inner.pack(fill="both", expand=True)
        text = tk.Text(
            inner, height=1, wrap="word", bd=0, highlightthickness=0, takefocus=0,
            background=color("raised"), foreground=color("text"),
            font=theme.font("mono" if len(self._lines) > 1 else "body"),
            selectbackground=color("select"), selectforeground=color("on_select"),
        )  # fmt: skip
        ttk.Button(inner, text=_("Close"), style="Tool.TButton", command=self.close).pack(
            side="right", anchor="n"
        )
        text.pack(side="left", fill="both", expand=True)
        text.insert("1.0", "\n".join(self._lines))
        text.configure(state="disabled")
        mirror(frame)
        frame.place(relx=0.02, rely=1.0, relwidth=0.96, anchor="sw", y=-theme.px(86))
        frame.update_idletasks()
        counted = text.count("1.0", "end", "displaylines")
        lines = counted[0] if isinstance(counted, tuple) else counted
        text.configure(height=max(1, min(MOST_LINES, int(lines or 1))))
        text.see("end")
        self._frame = frame
