"""What is entered: where it goes, in words; replies and changes; what was typed before; pastes.

Commands are carried out by `cli.actions.Chat`, as in every face; only those that have a screen of
their own here are shown on it.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from chatsecure.cli.slash import Run, Say, parse
from chatsecure.client import markup
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.wire.errors import ChatSecureError
from chatsecure.words import _, several

from .screens import Choose

if TYPE_CHECKING:
    from .app import ChatApp

EDITABLE = 50
"""So many of the last messages are looked through for the last of ours."""


@dataclass(slots=True)
class Mode:
    """What Enter will do beside sending."""

    kind: str = ""
    """`reply`, `edit`, or nothing."""
    line: HistoryLine | None = None
    back: int = 0
    """How far back in what was typed before."""
    begun: str = ""
    """What was being typed before that was looked at."""


_LOCKS: "WeakKeyDictionary[ChatApp, asyncio.Lock]" = WeakKeyDictionary()


def _lock(app: "ChatApp") -> asyncio.Lock:
    """What is entered is done in its order."""
    return _LOCKS.setdefault(app, asyncio.Lock())


def destination(app: "ChatApp") -> str:
    """Where Enter goes, in words."""
    name = harmless_name(app.target)
    match app.mode.kind:
        case "edit":
            return _("changes your message in {name}").format(name=name)
        case "reply":
            line = app.mode.line
            who = _("you") if line is None or line.mine else harmless_name(line.sender)
            return _("answers {who} in {name}").format(who=who, name=name)
    if name.startswith("@"):
        return _("to {name} alone, private").format(name=name[1:])
    return _("to {name}, everyone there").format(name=name)


def hint(app: "ChatApp") -> str:
    """What the line under the conversation says when there is nothing else to say."""
    if app.mode.kind == "edit":
        return _("Enter changes it · Esc leaves it as it is")
    if app.mode.kind == "reply" and app.mode.line is not None:
        text = markup.plain(app.mode.line.text)
        return f"↳ {text} · {_('Esc: no reply')}"
    if not app.client.online and not app.ears.offline:
        return _("connecting … what you write is kept and goes out then")
    if not app.history.at_newest:
        room = app.room()
        new = several("{n} new · ", "{n} new · ", room.unread) if room and room.unread else ""
        return new + _("older messages · Esc goes to the newest")
    return _("? help · Ctrl+K go to · Ctrl+F search · / commands")


def begin(app: "ChatApp", kind: str, line: HistoryLine) -> None:
    """Begin a reply or a change."""
    if kind == "edit":
        app.keep_draft()
        app.mode = Mode("edit", line)
        app.composer.replace_all(line.text)
    else:
        app.mode = Mode("reply", line)
    app.screen.set_focus(app.composer)
    app.show_head()


def give_up(app: "ChatApp") -> None:
    """Escape: out of a reply or a change; else to the newest message."""
    edited = app.mode.kind == "edit"
    if not app.mode.kind:
        app.history.to_end()
    app.mode = Mode()
    if edited:
        app.composer.replace_all(app.client.draft(app.target))
    app.show_head()


# --- Enter -----------------------------------------------------------------------------------


def entered(app: "ChatApp", text: str) -> None:
    """Do what was entered."""
    mode, target = app.mode, app.target
    app.mode = Mode()
    if mode.kind == "edit" and mode.line is not None:
        line = mode.line
        app.composer.replace_all(app.client.draft(target))
        if text != line.text:
            app.safely(lambda: app.client.edit(line.id, text))
        app.ears.soon(history=True)
        app.show_head()
        return
    app.typed.add(target, text)
    app.composer.replace_all("")
    app.keep_draft()
    app.show_head()
    parsed = parse(text)
    if isinstance(parsed, Run) and _on_a_screen(app, parsed):
        return
    if mode.kind == "reply" and mode.line is not None and parsed == Say(parsed_text(text)):
        app.do(_reply(app, target, parsed_text(text), mode.line))
    else:
        app.do(_in_order(app, target, text))


def parsed_text(text: str) -> str:
    """The text that a line says here, or nothing."""
    parsed = parse(text)
    return parsed.text if isinstance(parsed, Say) and parsed.target is None else ""


def _on_a_screen(app: "ChatApp", run: Run) -> bool:
    """Show what has a screen of its own."""
    from . import acts

    match run.command.name, run.arguments:
        case "help", ():
            app.action_help()
        case "search", (words,):
            app.action_search(here=False, begun=words)
        case "verify", (user,):
            acts.safety(app, user)
        case "settings", ():
            app.action_settings()
        case _:
            return False
    return True


async def _reply(app: "ChatApp", target: str, text: str, line: HistoryLine) -> None:
    async with _lock(app):
        app.chat.sent.append(await app.client.send(target, text, reply_to=line.id))
    _sent(app)


async def _in_order(app: "ChatApp", target: str, text: str) -> None:
    chat = app.chat
    async with _lock(app):
        # What is typed goes where it was typed, whatever is looked at by then.
        chat.current = target
        go_on = await chat.enter(text)
        there, chat.current = chat.current, app.target
    app.restyle()
    if not go_on:
        app.exit(0)
    elif there != target and app.target == target:
        app.open(there)
    else:
        _sent(app)


def _sent(app: "ChatApp") -> None:
    """What is ours was seen: nothing above it is new any more."""
    app.history.new_at = None
    app.history.refresh_lines()
    app.history.to_end()
    app.ears.soon(side=True, people=True, history=True)


# --- what was typed before -------------------------------------------------------------------


def earlier(app: "ChatApp", by: int) -> None:
    """Up and Down: change the last message, then what was typed before it."""
    mode, composer = app.mode, app.composer
    lines = app.typed.lines(app.target)
    unchanged = mode.kind == "edit" and mode.line is not None and composer.text == mode.line.text
    if by < 0 and not composer.text and not mode.kind and not mode.back:
        line = _last_of_ours(app)
        last_was_command = bool(lines) and lines[-1].startswith("/")
        if line is not None and not last_was_command:
            begin(app, "edit", line)
            return
    if mode.kind == "edit" and not unchanged:
        return
    back = mode.back - by
    if mode.kind == "edit":
        # The last that was typed is the message itself.
        back = 2 if by < 0 and lines and mode.line and lines[-1] == mode.line.text else 1
        if by > 0:
            give_up(app)
            return
    if back < 0 or back > len(lines):
        return
    begun = composer.text if mode.back == 0 and not mode.kind else mode.begun
    app.mode = Mode(back=back, begun=begun)
    composer.replace_all(lines[-back] if back else begun)
    app.show_head()


def _last_of_ours(app: "ChatApp") -> HistoryLine | None:
    for line in reversed(app.client.history(app.target, EDITABLE)):
        if line.mine and not line.file and line.state not in ("deleted", "failed"):
            return line
    return None


# --- pastes ----------------------------------------------------------------------------------


def pasted(app: "ChatApp", text: str, path: Path | None) -> None:
    """Ask what is to be done with many lines, or with a file's path."""
    where = harmless_name(app.target)
    if path is not None:
        title = _("Send the file {name} to {where}?")
        title = title.format(name=harmless_name(path.name), where=where)
        options = [
            ("f", _("send the file"), "path"),
            ("t", _("take its path as text"), "text"),
            ("n", _("neither"), None),
        ]
    else:
        count = text.rstrip("\n").count("\n") + 1
        title = several("{n} line was pasted", "{n} lines were pasted", count)
        options = [
            ("t", _("take it as text"), "text"),
            ("f", _("send it to {where} as a file").format(where=where), "file"),
            ("n", _("neither"), None),
        ]
    target = app.target

    def chosen(what: str | None) -> None:
        if what == "text":
            app.composer.take(text)
        elif what == "path" and path is not None:
            app.do(_send_file(app, target, path))
        elif what == "file":
            app.do(_send_as_file(app, target, text))

    body = "\n".join(harmless(text).split("\n")[:5])[:400]
    app.push_screen(Choose(title, options, lambda: app.palette, body), chosen)


async def _send_file(app: "ChatApp", target: str, path: Path) -> None:
    await app.client.send_file(target, path)
    _sent(app)


async def _send_as_file(app: "ChatApp", target: str, text: str) -> None:
    # The file is needed until it is uploaded, and is nobody else's to read.
    with tempfile.TemporaryDirectory(prefix="chatsecure-") as folder:
        path = Path(folder) / "pasted.txt"
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise ChatSecureError(f"the text cannot be kept for sending: {error}") from None
        await app.client.send_file(target, path)
    _sent(app)
