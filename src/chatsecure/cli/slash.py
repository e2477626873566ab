"""The /commands: one table with one help text, and how a typed line is read. All faces use it.

Reading a line does nothing: it gives what is to be done, as data. A line that looks like a
command and is none is never sent, and neither is one whose slash has a blank before it: what was
meant as ` /msg bob secret` must not reach a room.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from chatsecure.words import _, _n


class Param(Enum):
    """What stands in a place of a command, for reading and for completion."""

    TARGET = "@user or #room"
    USER = "user"
    ROOM = "#room"
    PATH = "path"
    ROLE = "owner|manager|member"
    COMMAND = "command"
    WORD = "word"
    MESSAGE = "message"
    """A message's number or id; `LAST` where it is left out before something else."""
    SETTING = "setting and value"
    """The rest of the line: which setting, and to what."""
    TEXT = "text"
    """The rest of the line, as it is. So is a PATH."""


ROLES = ("owner", "manager", "member")
MUTE = {"all": "nothing", "mentions": "mentions", "off": "all"}
"""What `/mute` says, as levels of notification."""
REACTIONS = (
    ":+1:", ":-1:", ":heart:", ":joy:", ":tada:", ":eyes:", ":fire:", ":wave:", ":pray:",
    ":rocket:", ":smile:", ":sob:", ":100:",
)  # fmt: skip
"""What Tab offers for a reaction; every name of an emoji is understood."""
LAST = "last"
"""Stands for the last message that fits."""


# An id that people see has eight signs; one of letters alone would more likely be a word.
_MESSAGE = re.compile(r"\d{1,4}|(?=[0-9a-f]*\d)[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True)
class Command:
    """A /command."""

    name: str
    params: tuple[Param, ...]
    required: int
    """How many of the params must be there."""
    usage: str
    help: str
    aliases: tuple[str, ...] = ()


_NAMES = (Param.TARGET, Param.USER, Param.ROOM)
_T, _U, _R, _X = Param.TARGET, Param.USER, Param.ROOM, Param.TEXT

_N, _S = Param.MESSAGE, Param.SETTING

COMMANDS: tuple[Command, ...] = (
    Command(
        "msg", (_T, _X), 1, "/msg bob text",
        _n("write to a user or a room, to several with commas; short form: @bob text"),
        ("m", "w", "tell"),
    ),
    Command("r", (_X,), 1, "/r text", _n("answer the last who wrote to you in private")),
    Command("me", (_X,), 1, "/me waves", _n("say what you do")),
    Command("say", (_X,), 1, "/say text", _n("write here, whatever the text begins with")),
    Command("reply", (_N, _X), 2, "/reply [N] text", _n("answer a message: the last, or number N")),
    Command("edit", (_N, _X), 2, "/edit [N] text", _n("change what you wrote")),
    Command("delete", (_N,), 0, "/delete [N]", _n("take back what you wrote"), ("del",)),
    Command(
        "react", (_N, Param.TEXT), 2, "/react [N] :+1:",
        _n("react with an emoji or its :name:; with - take that back"),
    ),
    Command("info", (_N,), 0, "/info [N]", _n("who has what you wrote, person by person")),
    Command("query", (_T,), 1, "/query bob", _n("type in another conversation"), ("q", "to")),
    Command(
        "close", (_T,), 0, "/close [bob]",
        _n("take a private chat out of your list until something is said there"),
    ),
    Command(
        "mute", (Param.WORD, Param.WORD), 0, "/mute [@bob] [all|mentions|off]",
        _n("no notifications from here (all), only of mentions, or all again (off)"),
    ),
    Command("file", (_T, Param.PATH), 2, "/file bob path", _n("send a file"), ("f", "send")),
    Command("accept", (_N,), 0, "/accept [N]", _n("fetch a file: the last offered, or number N")),
    Command("decline", (_N,), 0, "/decline [N]", _n("turn an offered file down")),
    Command("cancel", (_N,), 0, "/cancel [N]", _n("stop a file on its way, theirs or yours")),
    Command("users", (), 0, "/users", _n("who is on the server"), ("who", "names")),
    Command("rooms", (), 0, "/rooms", _n("your conversations"), ("list",)),
    Command("unread", (), 0, "/unread", _n("where something new was said")),
    Command(
        "join", (Param.WORD,), 1, "/join link",
        _n("join a room with its link, or go to one of yours"), ("j",),
    ),
    Command("leave", (_R,), 0, "/leave [#room]", _n("leave a room for good"), ("part",)),
    Command(
        "create", (_R, Param.WORD), 1, "/create #room [invite-only]", _n("make a room"), ("new",)
    ),
    Command(
        "invite", (Param.WORD, _R), 0, "/invite [bob] [#room]",
        _n("take a user into a room; without a user: make a link"), ("add",),
    ),
    Command("kick", (_U, _R), 1, "/kick bob [#room]", _n("put a user out of a room"), ("remove",)),
    Command(
        "role", (_U, Param.ROLE, _R), 2, "/role bob manager [#room]",
        _n("make somebody owner, manager or member"),
    ),
    Command("topic", (_X,), 0, "/topic [text]", _n("show or set this room's topic")),
    Command(
        "verify", (_U, Param.WORD), 1, "/verify bob [mark|accept]",
        _n("the number to compare with bob; mark: you have compared it"),
    ),
    Command("devices", (), 0, "/devices", _n("your devices")),
    Command("away", (_X,), 0, "/away [text]", _n("say that you are away, and why")),
    Command("back", (), 0, "/back", _n("say that you are here again")),
    Command(
        "history", (_T, Param.WORD), 0, "/history [bob] [20]",
        _n("the last messages, numbered for /reply, /edit, /delete and /react"), ("last", "h"),
    ),
    Command("search", (_X,), 1, "/search words", _n("find messages, numbered"), ("find",)),
    Command(
        "settings", (_S,), 0, "/settings [name [value]]", _n("show or change a setting"), ("set",)
    ),
    Command("nick", (_X,), 0, "/nick", _n("why your name stays as it is")),
    Command("why", (), 0, "/why", _n("can the server read this?")),
    Command("help", (Param.COMMAND,), 0, "/help [command]", _n("explain the commands"), ("?",)),
    Command("quit", (), 0, "/quit", _n("leave the program"), ("exit", "bye")),
)  # fmt: skip

BY_NAME: dict[str, Command] = {
    name: command for command in COMMANDS for name in (command.name, *command.aliases)
}


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a text; to the current conversation if `target` is None."""

    text: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command. `arguments` are those that were given, in the order of its params."""

    command: Command
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """Nothing is sent; this is why."""

    message: str
    hint: str = ""


Parsed = Nothing | Say | Run | Wrong


def parse(line: str) -> Parsed:
    """Read a typed line."""
    text = line.rstrip("\r\n")
    stripped = text.strip()
    if not stripped:
        return Nothing()
    if stripped.startswith("/"):
        if not text.startswith("/"):
            return Wrong(
                _("not sent: a blank stands before the slash"),
                _("for a command take the blank away; to send it as text begin with //"),
            )
        return Say(text[1:].rstrip()) if text.startswith("//") else _command(text)
    if stripped[0] in "@#" and len(stripped) > 1 and not stripped[1].isspace():
        return _short_form(stripped)
    return Say(text.rstrip())


def _short_form(text: str) -> Parsed:
    """`@name text` and `#room text`; without a text it only goes there."""
    name, rest = _word(text)
    # "@bob, hello" and "@bob: hello" are meant for bob.
    name = name.rstrip(",:")
    if len(name) < 2 or name[1] in "@#":
        return Wrong(
            _("not sent: {name} names nobody").format(name=repr(name)),
            _("to send it as text: {command}").format(command=f"/say {name}"),
        )
    return Say(rest, name) if rest else Run(BY_NAME["query"], (name,))


def _word(text: str) -> tuple[str, str]:
    """The first word and the rest, which keeps its inner blanks and lines."""
    parts = text.split(None, 1)
    return (parts[0], parts[1].rstrip() if len(parts) > 1 else "") if parts else ("", "")


def _command(text: str) -> Parsed:
    word, rest = _word(text)
    name = word[1:].casefold()
    command = BY_NAME.get(name)
    if command is None:
        close = get_close_matches(name, BY_NAME, n=1, cutoff=0.5)
        hint = (
            _("did you mean {command}? To send it as text begin with //").format(
                command=f"/{close[0]}"
            )
            if close
            else _("/help lists the commands; to send it as text begin with //")
        )
        return Wrong(_("not sent: there is no command {command}").format(command=word), hint)
    arguments = _arguments(command, rest)
    usage = _("write {usage}").format(usage=command.usage)
    if arguments is None:
        what = _("{command} takes less than that")
        return Wrong(what.format(command=f"/{command.name}"), usage)
    if len(arguments) < command.required:
        return Wrong(_("{command} needs more").format(command=f"/{command.name}"), usage)
    return _checked(command, arguments)


def _arguments(command: Command, rest: str) -> tuple[str, ...] | None:
    """The words of the params, or None where more stands there than the command takes."""
    found: list[str] = []
    for param in command.params:
        if not rest:
            break
        if param in (Param.TEXT, Param.SETTING):
            found.append(rest)
            rest = ""
        elif param is Param.MESSAGE and len(command.params) > 1 and not _is_message(rest):
            found.append(LAST)
        elif param is Param.PATH:
            found.append(_unquoted(rest))
            rest = ""
        else:
            word, rest = _word(rest)
            found.append(word)
    return None if rest else tuple(found)


def _is_message(text: str) -> bool:
    """Whether a text begins with a message's number or id and goes on after it."""
    word, rest = _word(text)
    return bool(rest and _MESSAGE.fullmatch(word))


def _unquoted(path: str) -> str:
    """A path may stand in quotes, as a dropped file's does."""
    if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"":
        return path[1:-1]
    return path


def _checked(command: Command, arguments: tuple[str, ...]) -> Parsed:
    """Complete what may be left out of names, and refuse what cannot be."""
    whole: list[str] = []
    for param, argument in zip(command.params, arguments, strict=False):
        if param is Param.TARGET and argument not in (",", ".", "*"):
            argument = ",".join(_target(one) for one in argument.split(",") if one)
            if "," in argument and (command.name != "msg" or len(arguments) < 2):
                return Wrong(
                    _("{command} takes one name").format(command=f"/{command.name}"),
                    _("write {usage}").format(usage=command.usage),
                )
        elif param is Param.USER:
            argument = argument.removeprefix("@")
        elif param is Param.ROOM:
            argument = argument if argument.startswith("#") else "#" + argument
        elif param is Param.ROLE and argument not in ROLES:
            return Wrong(
                _("there is no role {role}").format(role=argument), _("owner, manager or member")
            )
        elif param is Param.MESSAGE and argument != LAST and not _MESSAGE.fullmatch(argument):
            return Wrong(
                _("{word} is no message").format(word=argument),
                _("/last shows the last messages with their numbers"),
            )
        if argument == "" or (param in _NAMES and {"", "@", "#"} & set(_names(argument))):
            return Wrong(
                _("{command} needs a name").format(command=f"/{command.name}"),
                _("write {usage}").format(usage=command.usage),
            )
        whole.append(argument)
    return Run(command, tuple(whole))


def _names(argument: str) -> list[str]:
    """The names of a list; what stands for somebody else is one."""
    return [argument] if argument in (",", ".", "*") else argument.split(",")


def _target(name: str) -> str:
    return name if name[0] in "@#" else "@" + name


def help_lines(topic: str | None = None) -> list[str]:
    """The help: of everything, or of one command."""
    if topic:
        command = BY_NAME.get(topic.removeprefix("/").casefold())
        if command is None:
            what = _("there is no command {command}; /help lists them")
            return [what.format(command=f"/{topic.removeprefix('/')}")]
        lines = [f"{command.usage}: {_(command.help)}"]
        if command.aliases:
            names = ", ".join(f"/{alias}" for alias in command.aliases)
            lines.append(_("also {names}").format(names=names))
        return lines
    wide = max(len(command.usage) for command in COMMANDS)
    return [
        *(f"{command.usage:<{wide}}  {_(command.help)}" for command in COMMANDS),
        _("@bob text and #room text send without /msg; @bob or #room alone goes there."),
        _("A line without a command goes where the prompt says. //x sends /x."),
        _("N: a number that /last or /search shows, or counted back from the end; or an id."),
    ]
