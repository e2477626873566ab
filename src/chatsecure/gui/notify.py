"""Telling of what arrives while the person looks elsewhere: a note on the screen, a sound.

How much a note tells is a setting; by default only who wrote. Tk 9 hands it to the system; before
that it is a small window of ours in the corner, which takes no keys and goes by itself.
"""

from __future__ import annotations

import contextlib
import tkinter as tk
from typing import TYPE_CHECKING

from chatsecure.client.events import FileEvent, MessageEvent

from . import shown
from .marks import avatar
from .mirror import mirror
from .wording import _

if TYPE_CHECKING:
    from .window import Window

STAYS_MS = 6000
SOUND_GAP_MS = 2000


class Notifier:
    """Tells of messages, within the person's limits."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._note: tk.Toplevel | None = None
        self._later: str | None = None
        self._count = 0
        self._rang = 0
        self.told: list[tuple[str, str]] = []
        """The last notes, title and text; for tests."""

    def arrived(self, event: MessageEvent | FileEvent) -> None:
        """Something has come that is worth a notification; what is seen anyway needs none."""
        window = self._window
        if window.focused and window.view.target == event.conversation:
            return
        settings = window.session.settings
        if settings["bell"] == "yes":
            self._ring()
        title, text = self.words(event, settings["notification_text"])
        self._tell(title, text, event)

    def words(self, event: MessageEvent | FileEvent, level: str) -> tuple[str, str]:
        """Title and text of a note that tells as much as the level allows."""
        if level == "nothing":
            return "ChatSecure", _("Something new")
        who, where = shown.name(event.sender or "?"), event.conversation or ""
        title = who if where.startswith("@") else f"{who}, {shown.target(where)}"
        if level == "name":
            return title, _("sent a file") if isinstance(event, FileEvent) else _("wrote")
        if isinstance(event, FileEvent):
            return title, _("sent {name}").format(name=shown.name(event.name))
        return title, shown.line(event.text, 120)

    def _ring(self) -> None:
        root = self._window.root
        now = int(root.tk.call("clock", "milliseconds"))
        if now - self._rang > SOUND_GAP_MS:
            self._rang = now
            root.bell()

    def _tell(self, title: str, text: str, event: MessageEvent | FileEvent) -> None:
        self.told = [*self.told, (title, text)][-20:]
        root = self._window.root
        if tk.TkVersion >= 9:
            with contextlib.suppress(tk.TclError):
                root.tk.call("tk", "sysnotify", title, text)
                return
        self._count = self._count + 1 if self._note is not None else 1
        if self._count > 1:
            text = _("{n} new messages").format(n=self._count)
        self._show(title, text, event.conversation or "")

    def _show(self, title: str, text: str, target: str) -> None:
        window, theme = self._window, self._window.theme
        if self._note is None:
            self._note = tk.Toplevel(window.root)
            self._note.overrideredirect(True)
            with contextlib.suppress(tk.TclError):
                self._note.attributes("-topmost", True)
        note = self._note
        for child in note.winfo_children():
            child.destroy()
        back = theme.color("raised")
        note.configure(background=theme.color("line"))
        frame = tk.Frame(note, background=back, padx=theme.px(12), pady=theme.px(10))
        frame.pack(padx=1, pady=1, fill="both", expand=True)
        picture = tk.Label(frame, image=avatar(theme, target or "#", 32), background=back, bd=0)
        first = tk.Label(
            frame, text=title, font=theme.font("bold"), background=back,
            foreground=theme.color("text"), anchor="w", bd=0,
        )  # fmt: skip
        second = tk.Label(
            frame, text=text, font=theme.font("body"), background=back, anchor="w", bd=0,
            foreground=theme.color("dim"), wraplength=theme.px(260), justify="left",
        )  # fmt: skip
        picture.grid(row=0, column=0, rowspan=2, padx=(0, theme.px(10)))
        first.grid(row=0, column=1, sticky="w")
        second.grid(row=1, column=1, sticky="w")
        mirror(frame)
        for widget in (frame, picture, first, second):
            widget.bind("<Button-1>", lambda _event: self._clicked(target))
        note.update_idletasks()
        x = note.winfo_screenwidth() - note.winfo_reqwidth() - theme.px(20)
        y = note.winfo_screenheight() - note.winfo_reqheight() - theme.px(60)
        note.geometry(f"+{x}+{y}")
        if self._later is not None:
            note.after_cancel(self._later)
        self._later = note.after(STAYS_MS, self.close)

    def _clicked(self, target: str) -> None:
        self.close()
        window = self._window
        window.root.deiconify()
        window.root.lift()
        window.root.focus_force()
        if target:
            window.acts.open(target)

    def close(self) -> None:
        """Take the note away."""
        if self._note is not None:
            if self._later is not None:
                self._note.after_cancel(self._later)
                self._later = None
            self._note.destroy()
            self._note = None
