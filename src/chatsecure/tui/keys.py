"""The keys, in one table: what they do, where, and how the help names them.

The help screen and the bindings are made from it, so that they cannot differ. Every action is
`action_NAME` of the part it belongs to.
"""

from dataclasses import dataclass
from enum import Enum

from textual.binding import Binding

from chatsecure.words import _, _n

Bound = Binding | tuple[str, str] | tuple[str, str, str]
CLOSE = Binding("escape", "dismiss", show=False)
"""Of all screens that lie over the conversation for a moment."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that keys do."""

    keys: str
    """As Textual names them, by commas."""
    action: str
    shown: str
    """The keys for people."""
    help: str


EVERYWHERE = (
    Key("f1", "help", "F1, ?", _n("help; ? where nothing is typed")),
    Key("ctrl+k", "switch", "Ctrl+K", _n("go to a conversation or person by a few letters")),
    Key("alt+up", "neighbour(-1)", "Alt+Up", _n("the conversation above")),
    Key("alt+down", "neighbour(1)", "Alt+Down", _n("the conversation below")),
    Key("alt+a", "next_unread", "Alt+A", _n("the next conversation with something new")),
    Key("alt+m", "next_mention", "Alt+M", _n("the next message that mentions you")),
    Key("alt+u", "first_unread", "Alt+U", _n("the first message you have not seen")),
    Key("alt+end,ctrl+end", "end", "Ctrl+End", _n("the newest message")),
    Key("ctrl+f", "search(True)", "Ctrl+F", _n("search this conversation")),
    Key("f3,ctrl+shift+f", "search(False)", "F3, Ctrl+Shift+F", _n("search everywhere")),
    Key("ctrl+o", "file", "Ctrl+O", _n("send a file")),
    Key("f2", "side", "F2", _n("show or hide the conversations")),
    Key("f4", "people", "F4", _n("show or hide the people")),
    Key("f6", "safety", "F6", _n("safety number of whom you write with")),
    Key("f9", "settings", "F9", _n("settings")),
    Key("ctrl+l", "tidy", "Ctrl+L", _n("take away what commands said and marks of a search")),
    Key("ctrl+z", "suspend_process", "Ctrl+Z", _n("to the shell; fg comes back")),
    Key("ctrl+q", "leave", "Ctrl+Q", _n("leave the program")),
)
NUMBERS = tuple(
    Key(f"alt+{number}", f"numbered({number})", f"Alt+{number}", "") for number in range(1, 10)
)
COMPOSER = (
    Key("enter", "submit", "Enter", _n("send")),
    Key("ctrl+j,alt+enter,shift+enter", "new_line", "Ctrl+J, Alt+Enter", _n("a new line")),
    Key("tab", "complete(1)", "Tab", _n("complete a command, a name, a room or a path")),
    Key("shift+tab", "complete(-1)", "Shift+Tab", _n("the completion before")),
    Key("up", "earlier", "Up", _n("empty: change your last message; again: what you typed before")),
    Key("down", "later", "Down", _n("what you typed after that")),
    Key("ctrl+r", "recall", "Ctrl+R", _n("look for what you typed before")),
    Key("pageup", "scroll(-1)", "PgUp", _n("scroll up")),
    Key("pagedown", "scroll(1)", "PgDn", _n("scroll down")),
    Key("ctrl+up", "select_message", "Ctrl+Up", _n("select a message")),
    Key("ctrl+underscore,super+z", "undo", "Ctrl+_", _n("undo")),
    Key("escape", "give_up", "Esc", _n("leave a reply or a change; go to the newest message")),
    Key("ctrl+c", "clear", "Ctrl+C", _n("copy what is selected; empty the line")),
)
MESSAGE = (
    Key("up,ctrl+up,k", "move(-1)", "Up", _n("the message above")),
    Key("down,ctrl+down,j", "move(1)", "Down", _n("the message below")),
    Key("pageup", "page(-1)", "PgUp", _n("a page up")),
    Key("pagedown", "page(1)", "PgDn", _n("a page down")),
    Key("home", "far(-1)", "Home", _n("the first message")),
    Key("end", "far(1)", "End", _n("the newest message")),
    Key("enter", "act('menu')", "Enter", _n("all that can be done with it")),
    Key("r", "act('reply')", "r", _n("reply")),
    Key("plus,asterisk", "act('react')", "+", _n("react")),
    Key("e", "act('edit')", "e", _n("change it (your own)")),
    Key("d,delete", "act('delete')", "d", _n("take it back (your own)")),
    Key("c,y", "act('copy')", "c", _n("copy its text")),
    Key("i", "act('info')", "i", _n("who has it")),
    Key("g", "act('origin')", "g", _n("go to what it answers")),
    Key("a", "act('accept')", "a", _n("fetch the file")),
    Key("n", "act('decline')", "n", _n("decline the file")),
    Key("x", "act('cancel')", "x", _n("stop the file's transfer")),
    Key("escape", "done", "Esc", _n("back to the line you type in")),
)
PARTS = (
    (_n("Everywhere"), EVERYWHERE),
    (_n("Where you type"), COMPOSER),
    (_n("On a selected message"), MESSAGE),
)


def bindings(keys: tuple[Key, ...], *, priority: bool = False) -> list[Bound]:
    """The table's rows as Textual's bindings."""
    return [Binding(key.keys, key.action, show=False, priority=priority) for key in keys]


def help_rows() -> list[tuple[str, str]]:
    """The help: keys and what they do; a heading has no keys."""
    rows: list[tuple[str, str]] = []
    for title, keys in PARTS:
        rows.append(("", _(title)))
        rows += [(key.shown, _(key.help)) for key in keys]
        if keys is EVERYWHERE:
            rows.append(("Alt+1 … Alt+9", _("the first nine conversations")))
    rows.append(("", _("Mouse")))
    rows.append((_("click"), _("select a message, open a conversation; the wheel scrolls")))
    rows.append((_("draw"), _("select text; Ctrl+C copies it")))
    return rows


class Meta(Enum):
    """Keys that terminals send as Escape and a sign, and that Textual takes for something else."""

    ENTER = "alt+enter"
    ONE = "alt+1"
    TWO = "alt+2"
    THREE = "alt+3"
    FOUR = "alt+4"
    FIVE = "alt+5"
    SIX = "alt+6"
    SEVEN = "alt+7"
    EIGHT = "alt+8"
    NINE = "alt+9"


def teach_meta_keys() -> None:
    """Let Alt+Enter and Alt+1 to Alt+9 be known in terminals without a newer key protocol."""
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    known: dict[str, object] = ANSI_SEQUENCES_KEYS  # type: ignore[assignment]
    for sign, key in zip("\r123456789", Meta, strict=True):
        known["\x1b" + sign] = (key,)
