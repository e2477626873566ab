"""The keys of the window in one table; F1 shows it together with the /commands."""

from __future__ import annotations

import contextlib
import sys
import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.cli.slash import COMMANDS
from chatsecure.client.settings import BY_NAME

from .dialogs import Dialog
from .wording import _

if TYPE_CHECKING:
    from .window import Window

COMMAND = "Command" if sys.platform == "darwin" else "Control"
ALT = "Option" if sys.platform == "darwin" else "Alt"


def _n(text: str) -> str:
    """Marks a text that is translated when it is shown."""
    return text


def _step(window: Window, by: int, *, unread: bool = False) -> None:
    rooms = window.sidebar.rooms()
    if not rooms:
        return
    at = next((n for n, room in enumerate(rooms) if room.name == window.view.target), 0)
    for distance in range(1, len(rooms) + 1):
        room = rooms[(at + by * distance) % len(rooms)]
        if room.unread or not unread:
            window.acts.open(room.name)
            return


def _number(window: Window, number: int) -> None:
    rooms = window.sidebar.rooms()
    if number <= len(rooms):
        window.acts.open(rooms[number - 1].name)


def _font(window: Window, by: int) -> None:
    setting = BY_NAME["font_size"]
    percent = int(window.session.settings["font_size"]) + 10 * by if by else int(setting.default)
    percent = max(setting.least, min(setting.most, percent))
    window.session.save("font_size", str(percent))
    window.settings_changed()


def _escape(window: Window) -> None:
    if not window.notes.close():
        window.view.cancel()
        window.view.composer.text.focus_set()


def _next_pane(window: Window) -> None:
    """F6: the next of conversations, history, composer and people."""
    panes: list[tk.Misc] = [
        window.sidebar.rows, window.view.history, window.view.composer.text, window.people.rows
    ]  # fmt: skip
    panes = [pane for pane in panes if pane.winfo_viewable()]
    focus = str(window.root.focus_get() or "")
    at = next((n for n, pane in enumerate(panes) if focus.startswith(str(pane))), -1)
    panes[(at + 1) % len(panes)].focus_set()


def _wish(what: str, value: object = None) -> Callable[[Window], None]:
    return lambda window: window.acts.wish(what, value)


Act = Callable[["Window"], object]

KEYS: tuple[tuple[tuple[str, ...], str, Act], ...] = (
    (("<F1>", f"<{COMMAND}-slash>"), _n("the keys and commands"), _wish("keys")),
    ((f"<{COMMAND}-k>",), _n("go to a conversation or a person"), _wish("switcher")),
    ((f"<{COMMAND}-f>",), _n("find in this conversation"), _wish("find")),
    (
        (f"<{COMMAND}-Shift-F>", f"<{COMMAND}-Shift-f>"), _n("find everywhere"),
        _wish("search", ""),
    ),
    ((f"<{ALT}-Up>",), _n("the conversation above"), partial(_step, by=-1)),
    ((f"<{ALT}-Down>",), _n("the conversation below"), partial(_step, by=1)),
    ((f"<{ALT}-a>", f"<{ALT}-Shift-Down>"), _n("the next unread one"),
     partial(_step, by=1, unread=True)),
    ((f"<{ALT}-u>",), _n("the first unread message"),
     lambda window: window.view.history.jump_to_unread()),
    (("<F6>",), _n("the next part of the window"), _next_pane),
    (("<F9>",), _n("show or hide the people"), _wish("people")),
    ((f"<{COMMAND}-n>",), _n("a new room"), _wish("new-room")),
    ((f"<{COMMAND}-o>",), _n("send a file"), _wish("file")),
    ((f"<{COMMAND}-e>",), _n("an emoji"), lambda window: window.acts.emoji(
        window.view.composer.emoji_button)),
    ((f"<{COMMAND}-comma>",), _n("settings"), _wish("settings")),
    ((f"<{COMMAND}-plus>", f"<{COMMAND}-equal>", f"<{COMMAND}-KP_Add>"), _n("larger letters"),
     partial(_font, by=1)),
    ((f"<{COMMAND}-minus>", f"<{COMMAND}-KP_Subtract>"), _n("smaller letters"),
     partial(_font, by=-1)),
    ((f"<{COMMAND}-0>", f"<{COMMAND}-KP_0>"), _n("letters as they were"), partial(_font, by=0)),
    (("<Escape>",), _n("back to writing"), _escape),
    ((f"<{COMMAND}-q>",), _n("leave the program"), lambda window: window.close()),
)  # fmt: skip
"""What is pressed, what it does in words, and the function that does it."""

IN_PLACE = (
    ("Enter", _n("send; Shift+Enter begins a line")),
    ("Tab", _n("complete a /command, a @name or a #room; elsewhere: go on")),
    ("Up", _n("in an empty composer: change the last message")),
    ("Ctrl+Up, Ctrl+Down", _n("what was typed here before, and back")),
    ("Alt+1 … Alt+9", _n("the first nine conversations")),
    ("Up, Down", _n("in the history: choose a message; then r answer, e change, d take back")),
    ("Shift+F10", _n("the menu of what is chosen")),
)


def bind_keys(window: Window) -> None:
    """Bind them all, wherever the keys go in the main window."""
    for patterns, _words, act in KEYS:
        for pattern in patterns:
            with contextlib.suppress(tk.TclError):
                window.root.bind(pattern, partial(_pressed, window, act))
    for number in range(1, 10):
        window.root.bind(
            f"<{ALT}-Key-{number}>",
            partial(_pressed, window, partial(_number, number=number)),
        )
    if window.theme.windowing == "aqua":
        _menu_of_the_mac(window)
    # Tk's own meanings of these in a text would be carried out as well.
    for pattern in ("k", "o", "e", "f", "n"):
        window.root.bind_class("Text", f"<{COMMAND}-{pattern}>", lambda _event: None)


def _menu_of_the_mac(window: Window) -> None:
    """What the system's own menu asks for: by itself Tk would end without a word."""
    for name, act in (
        ("Quit", window.close),
        ("ShowPreferences", partial(window.acts.wish, "settings")),
        ("ReopenApplication", window.root.deiconify),
    ):
        window.root.createcommand(f"::tk::mac::{name}", act)


def _pressed(window: Window, act: Act, event: tk.Event[tk.Misc]) -> str | None:
    if event.widget.winfo_toplevel() is not window.root:
        return None
    act(window)
    return "break"


def key_words(pattern: str) -> str:
    """A pattern as people read it: `Ctrl+K`."""
    names = {"Control": "Ctrl", "Command": "Cmd", "slash": "/", "comma": ",", "plus": "+",
             "minus": "-", "equal": "="}  # fmt: skip
    parts = pattern.strip("<>").replace("Key-", "").split("-")
    return "+".join(names.get(part, part.upper() if len(part) == 1 else part) for part in parts)


def show_keys(window: Window) -> None:
    """Show the keys and the commands."""
    theme = window.theme
    dialog = Dialog(window.root, theme, _("Keys and commands"))
    dialog.heading(_("Keys and commands"))
    text = tk.Text(
        dialog.body, width=72, height=24, wrap="word", bd=0, padx=theme.px(8), pady=theme.px(6),
        background=theme.color("window"), foreground=theme.color("text"),
        font=theme.font("body"), highlightthickness=theme.px(2),
        highlightcolor=theme.color("focus"), highlightbackground=theme.color("line"),
        tabs=(theme.px(190),),
    )  # fmt: skip
    bar = ttk.Scrollbar(dialog.body, command=text.yview)
    text.configure(yscrollcommand=bar.set)
    bar.pack(side="right", fill="y")
    text.pack(fill="both", expand=True)
    text.tag_configure("key", font=theme.font("bold"))
    text.tag_configure("line", lmargin2=theme.px(190))
    rows = [(key_words(patterns[0]), words) for patterns, words, _act in KEYS]
    commands = [(command.usage, command.help) for command in COMMANDS]
    for key, words in (*rows, *IN_PLACE, ("", ""), *commands):
        text.insert("end", key, ("key", "line"), "\t" + (_(words) if words else "") + "\n", "line")
    text.configure(state="disabled")
    dialog.button(_("Close"), dialog.destroy, agree=True)
    dialog.first = text
    dialog.open()
