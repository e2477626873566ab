"""Where the person writes: several lines, completion, what is answered or changed, files, emoji.

Enter sends, Shift+Enter begins a line. Tab completes where there is something to complete and
moves on otherwise. Tells what is wanted; does nothing about it itself.
"""

import contextlib
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any, Literal

from chatsecure.cli.slash_completion import completions, paths

from .above import Popup, Strip
from .fields import guard, places, plain_text
from .marks import icon_button
from .rows import has_focus
from .theme import Theme
from .wording import _

MOST_LINES = 8
DRAFT_MS = 600
TYPING_MS = 4000
"""How often we tell that we are writing."""
TEXT_KINDS = ("UTF8_STRING", "STRING", "text/plain")
ASK_LINES = 5
"""A paste of more lines than this is offered as a file."""

Told = Callable[[str, Any], None]
Names = Callable[[], tuple[list[str], list[str]]]
"""The users and rooms for completion, who wrote last first."""


class Composer(ttk.Frame):
    """The composer.

    Args:
        on: `on(what, value)`: ("send", text), ("draft", text), ("typing", None), ("file", None),
            ("emoji", widget), ("paste", None), ("pasted-lines", text), ("edit-last", None),
            ("cancel", None), ("recall", -1 or 1): what was typed here before.
        names: users and rooms for completion.
    """

    def __init__(self, master: tk.Misc, theme: Theme, *, on: Told, names: Names) -> None:
        super().__init__(master, style="TFrame", padding=theme.px(8))
        self._theme, self._on, self._names = theme, on, names
        self._later: str | None = None
        self._typed_at = 0
        self._quiet = False
        self._begun = ""
        """The part of the line that is being completed."""
        self._strip = Strip(self, theme, lambda: on("cancel", None))
        self._frame = tk.Frame(self, bd=0, highlightthickness=theme.px(2))
        self.text = tk.Text(
            self._frame, height=1, width=20, wrap="word", undo=True, maxundo=200, bd=0,
            highlightthickness=0, padx=theme.px(8), pady=theme.px(7), takefocus=1,
        )  # fmt: skip
        guard(self.text, theme)
        self.text.pack(fill="both", expand=True)
        px = theme.px
        self.file_button = icon_button(
            self, theme, "attach", _("Send a file"), lambda: on("file", None)
        )
        self.emoji_button = icon_button(
            self, theme, "emoji", _("Insert an emoji"), lambda: on("emoji", self.emoji_button)
        )
        self.send_button = ttk.Button(
            self, text=_("Send"), style="Accent.TButton", command=self._send
        )
        self._hint = ttk.Label(self, style="Small.TLabel")
        self.grid_columnconfigure(1, weight=1)
        self.file_button.grid(row=1, column=0, sticky="s", padx=(0, px(6)))
        self._frame.grid(row=1, column=1, sticky="ew")
        self.emoji_button.grid(row=1, column=2, sticky="s", padx=px(6))
        self.send_button.grid(row=1, column=3, sticky="s")
        self._hint.grid(row=2, column=1, columnspan=3, sticky="w", pady=(px(3), 0))
        self._popup = Popup(self, self.text, theme, self._complete_with)
        self._tabbed = ""
        """The line for which Tab opened the list."""
        self._bind_keys()
        self._forget = theme.on_change(self._restyle)
        self.bind("<Destroy>", self._destroyed)
        self._restyle()

    # --- what it holds ------------------------------------------------------------------------

    def get(self) -> str:
        """What was written."""
        return plain_text(self.text)

    def put(self, text: str) -> None:
        """Replace what was written; not told as a draft."""
        self._quiet = True
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text)
        self.text.edit_reset()
        self.text.mark_set("insert", "end")
        self.text.edit_modified(False)
        self._quiet = False
        self._grow()
        self._popup.close()

    def insert(self, text: str) -> None:
        """Insert at the cursor."""
        with contextlib.suppress(tk.TclError):
            self.text.delete("sel.first", "sel.last")
        self.text.insert("insert", text)
        self.text.see("insert")

    def address(self, words: str, *, writable: bool = True) -> None:
        """Say where Enter goes, in words."""
        self._hint.configure(text=words)
        state: Literal["normal", "disabled"] = "normal" if writable else "disabled"
        self.text.configure(state=state)
        for button in (self.file_button, self.emoji_button, self.send_button):
            button.configure(state=state)

    def strip(self, text: str, actions: tuple[tuple[str, Callable[[], None]], ...] = ()) -> None:
        """Say above what is being answered or changed; empty takes it away."""
        if text:
            self._strip.show(text, actions)
            self._strip.grid(
                row=0, column=0, columnspan=4, sticky="ew", pady=(0, self._theme.px(6))
            )
        else:
            self._strip.grid_remove()

    # --- keys ---------------------------------------------------------------------------------

    def _bind_keys(self) -> None:
        bind = self.text.bind
        bind("<Return>", self._enter)
        bind("<KP_Enter>", self._enter)
        bind("<Shift-Return>", lambda _event: None)
        bind("<Control-Return>", self._enter)
        bind("<Tab>", self._tab)
        bind("<Escape>", self._escape)
        bind("<Control-Up>", lambda _event: self._recall(-1))
        bind("<Control-Down>", lambda _event: self._recall(1))
        bind("<Up>", self._up)
        bind("<Down>", self._down)
        bind("<<Paste>>", self._paste)
        bind("<<Modified>>", self._modified)
        bind("<FocusIn>", lambda _event: self._ring())
        bind("<FocusOut>", self._left)
        for key in ("<Shift-Tab>", "<ISO_Left_Tab>"):
            with contextlib.suppress(tk.TclError):
                bind(key, self._back)
        bind("<Configure>", lambda _event: self._grow())
        bind("<<SelectAll>>", self._select_all)
        if self._theme.windowing != "aqua":
            # There it is the beginning of the line, as in all programs.
            bind("<Control-a>", self._select_all)

    def _select_all(self, _event: "tk.Event[tk.Misc]") -> str:
        self.text.tag_add("sel", "1.0", "end-1c")
        return "break"

    def _enter(self, event: "tk.Event[tk.Misc]") -> str | None:
        if int(event.state) & 0x1:
            return None
        if self._popup.open and self._popup.unlike(self._word()):
            self._popup.take()
        else:
            self._send()
        return "break"

    def _send(self) -> None:
        text = self.get()
        if text.strip():
            self._popup.close()
            self._on("send", text)

    def _tab(self, _event: "tk.Event[tk.Misc]") -> str:
        if self._popup.open:
            self._popup.take()
            return "break"
        line = self._line()
        word, offered = self._offered(line, files=True)
        if len(offered) == 1:
            self._complete_with(offered[0])
        elif offered and line.strip():
            self._tabbed = line
            self._popup.show(word, offered)
        else:
            self.text.tk_focusNext().focus_set()  # type: ignore[union-attr]
        return "break"

    def _back(self, _event: "tk.Event[tk.Misc]") -> str:
        self.text.tk_focusPrev().focus_set()  # type: ignore[union-attr]
        return "break"

    def _escape(self, _event: "tk.Event[tk.Misc]") -> str:
        if self._popup.open:
            self._popup.close()
        else:
            self._on("cancel", None)
        return "break"

    def _recall(self, by: int) -> str:
        self._on("recall", by)
        return "break"

    def _up(self, _event: "tk.Event[tk.Misc]") -> str | None:
        if self._popup.open:
            self._popup.step(-1)
            return "break"
        if not self.get():
            self._on("edit-last", None)
            return "break"
        return None

    def _down(self, _event: "tk.Event[tk.Misc]") -> str | None:
        if self._popup.open:
            self._popup.step(1)
            return "break"
        return None

    def _paste(self, _event: "tk.Event[tk.Misc]") -> str | None:
        text, kinds = "", ""
        with contextlib.suppress(tk.TclError):
            # Only X11 tells; there who has a picture may give its bytes as a text.
            kinds = self.text.clipboard_get(type="TARGETS")
        picture = "image/" in kinds and not any(kind in kinds for kind in TEXT_KINDS)
        with contextlib.suppress(tk.TclError):
            text = "" if picture else self.text.clipboard_get()
        if not text:
            self._on("paste", None)
            return "break"
        self.insert(text)
        if text.count("\n") > ASK_LINES:
            self._on("pasted-lines", text)
        return "break"

    def _left(self, _event: "tk.Event[tk.Misc]") -> None:
        self._ring()
        self.after(150, self._popup.close_if_left)

    # --- while writing ------------------------------------------------------------------------

    def _modified(self, _event: "tk.Event[tk.Misc]") -> None:
        if self._quiet or not self.text.edit_modified():
            return
        self.text.edit_modified(False)
        self._grow()
        if self._later is not None:
            self.after_cancel(self._later)
        self._later = self.after(DRAFT_MS, self._tell_draft)
        now = int(self.tk.call("clock", "milliseconds"))
        text = self.get()
        if now - self._typed_at > TYPING_MS and text.strip() and not text.startswith("/"):
            self._typed_at = now
            self._on("typing", None)
        # The cursor moves after the text has changed.
        self.after_idle(self._suggest)

    def _tell_draft(self) -> None:
        self._later = None
        self._on("draft", self.get())

    def flush(self) -> None:
        """Tell the draft now, if it has not been told yet."""
        if self._later is not None:
            self.after_cancel(self._later)
            self._tell_draft()

    def _grow(self) -> None:
        counted = self.text.count("1.0", "end", "displaylines")
        lines = counted[0] if isinstance(counted, tuple) else counted
        wanted = max(1, min(MOST_LINES, int(lines or 1)))
        if int(self.text.cget("height")) != wanted:
            self.text.configure(height=wanted)
        self.text.see("insert")

    # --- completion ---------------------------------------------------------------------------

    def _line(self) -> str:
        """What stands before the cursor in its line; a command begins the whole text."""
        return plain_text(self.text, "insert linestart", "insert")

    def _word(self) -> str:
        line = self._line()
        return "" if line[-1:].isspace() else (line.split() or [""])[-1]

    def _offered(self, line: str, *, files: bool = False) -> tuple[str, list[str]]:
        """What is being completed, and what it may become.

        Args:
            files: look at the disk for paths too.
        """
        users, rooms = self._names()
        word, offered, path = completions(line, users=users, rooms=rooms)
        self._begun = word
        return word, (paths(word) if files else []) if path else offered

    def _suggest(self) -> None:
        if not self.winfo_exists():
            return
        line = self._line()
        if self._popup.open and line == self._tabbed:
            # Tab was faster than this, and what it offers is more: paths too.
            return
        word, offered = self._offered(line)
        begins = word[:1] in ("@", "#") and len(word) > 1
        command = line.startswith("/") and " " not in line
        argument = line.startswith("/") and not command and bool(word)
        if offered and (begins or command or argument) and offered != [word + " "]:
            self._popup.show(word, offered[:40])
        else:
            self._popup.close()

    def _complete_with(self, whole: str) -> None:
        word = self._begun
        if word:
            self.text.delete(f"insert - {places(self.text, len(word))} indices", "insert")
        self.text.insert("insert", whole)
        self._popup.close()
        self.text.focus_set()

    # --- look ---------------------------------------------------------------------------------

    def _ring(self) -> None:
        color = self._theme.color
        ring = color("focus" if has_focus(self.text) else "line")
        self._frame.configure(
            # Tk lights a frame up by itself when what is in it has the keys.
            highlightbackground=ring, highlightcolor=ring, background=color("field"),
        )  # fmt: skip

    def _restyle(self) -> None:
        color = self._theme.color
        self.text.configure(
            font=self._theme.font("body"), background=color("field"), foreground=color("text"),
            insertbackground=color("text"), selectbackground=color("select"),
            selectforeground=color("on_select"), insertwidth=self._theme.px(2),
        )  # fmt: skip
        self._ring()
        self._grow()

    def _destroyed(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._forget()
