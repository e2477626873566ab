"""The /commands: one table with one help text, and how a typed line is read. All faces use it.

Reading a line does nothing: it gives what is to be done, as data. A line that looks like a
command and is none is never sent, and neither is one whose slash has a blank before it: what was
meant as ` /msg bob secret` must not reach a room.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum


class Param(Enum):
    """What stands in a place of a command, for reading and for completion."""

    TARGET = "@user or #room"
    USER = "user"
    ROOM = "#room"
    PATH = "path"
    ROLE = "owner|manager|member"
    COMMAND = "command"
    WORD = "word"
    TEXT = "text"
    """The rest of the line, as it is. So is a PATH."""


ROLES = ("owner", "manager", "member")


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


_T, _U, _R, _X = Param.TARGET, Param.USER, Param.ROOM, Param.TEXT

COMMANDS: tuple[Command, ...] = (
    Command(
        "msg", (_T, _X), 1, "/msg bob text", "write to a user or a room; short form: @bob text",
        ("m", "w", "tell"),
    ),
    Command("r", (_X,), 1, "/r text", "answer the last who wrote to you in private"),
    Command("me", (_X,), 1, "/me waves", "say what you do"),
    Command("say", (_X,), 1, "/say text", "write here, whatever the text begins with"),
    Command("query", (_T,), 1, "/query bob", "type in another conversation", ("q", "to")),
    Command("file", (_T, Param.PATH), 2, "/file bob path", "send a file", ("f", "send")),
    Command("accept", (Param.WORD,), 1, "/accept id", "fetch an offered file"),
    Command("decline", (Param.WORD,), 1, "/decline id", "turn an offered file down"),
    Command("cancel", (Param.WORD,), 1, "/cancel id", "stop a file, yours or theirs"),
    Command("users", (), 0, "/users", "who is on the server", ("who", "names")),
    Command("rooms", (), 0, "/rooms", "your conversations", ("list",)),
    Command(
        "join", (Param.WORD,), 1, "/join link", "join a room with its link, or go to one of yours",
        ("j",),
    ),
    Command("leave", (_R,), 0, "/leave [#room]", "leave a room for good", ("part",)),
    Command(
        "create", (_R, Param.WORD), 1, "/create #room [invite-only]", "make a room", ("new",)
    ),
    Command(
        "invite", (Param.WORD, _R), 0, "/invite [bob] [#room]",
        "take a user into a room; without a user: make a link", ("add",),
    ),
    Command("kick", (_U, _R), 1, "/kick bob [#room]", "put a user out of a room", ("remove",)),
    Command(
        "role", (_U, Param.ROLE, _R), 2, "/role bob manager [#room]",
        "make somebody owner, manager or member",
    ),
    Command("topic", (_X,), 1, "/topic text", "set this room's topic"),
    Command(
        "verify", (_U, Param.WORD), 1, "/verify bob [mark|accept]",
        "the number to compare with bob; mark: you have compared it",
    ),
    Command("devices", (), 0, "/devices", "your devices"),
    Command(
        "history", (_T, Param.WORD), 0, "/history [bob] [20]", "the last messages", ("last", "h")
    ),
    Command("search", (_X,), 1, "/search words", "find messages", ("find",)),
    Command("why", (), 0, "/why", "can the server read this?"),
    Command("help", (Param.COMMAND,), 0, "/help [command]", "explain the commands", ("?",)),
    Command("quit", (), 0, "/quit", "leave the program", ("exit", "bye")),
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
                "not sent: a blank stands before the slash",
                "for a command take the blank away; to send it as text begin with //",
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
        return Wrong(f"not sent: {name!r} names nobody", "to send it as text: /say " + name)
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
        hint = f"did you mean /{close[0]}? Or" if close else "/help lists the commands;"
        return Wrong(
            f"not sent: there is no command {word}", f"{hint} to send it as text begin with //"
        )
    arguments = _arguments(command, rest)
    if arguments is None:
        return Wrong(f"/{command.name} takes less than that", f"write {command.usage}")
    if len(arguments) < command.required:
        return Wrong(f"/{command.name} needs more", f"write {command.usage}")
    return _checked(command, arguments)


def _arguments(command: Command, rest: str) -> tuple[str, ...] | None:
    """The words of the params, or None where more stands there than the command takes."""
    found: list[str] = []
    for param in command.params:
        if not rest:
            break
        if param is Param.TEXT:
            found.append(rest)
            rest = ""
        elif param is Param.PATH:
            found.append(_unquoted(rest))
            rest = ""
        else:
            word, rest = _word(rest)
            found.append(word)
    return None if rest else tuple(found)


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
            argument = argument if argument[0] in "@#" else "@" + argument
        elif param is Param.USER:
            argument = argument.removeprefix("@")
        elif param is Param.ROOM:
            argument = argument if argument.startswith("#") else "#" + argument
        elif param is Param.ROLE and argument not in ROLES:
            return Wrong(f"there is no role {argument}", "owner, manager or member")
        if argument in ("", "@", "#"):
            return Wrong(f"/{command.name} needs a name", f"write {command.usage}")
        whole.append(argument)
    return Run(command, tuple(whole))


def help_lines(topic: str | None = None) -> list[str]:
    """The help: of everything, or of one command."""
    if topic:
        command = BY_NAME.get(topic.removeprefix("/").casefold())
        if command is None:
            return [f"there is no command /{topic.removeprefix('/')}; /help lists them"]
        lines = [f"{command.usage}: {command.help}"]
        if command.aliases:
            lines.append("also " + ", ".join(f"/{alias}" for alias in command.aliases))
        return lines
    wide = max(len(command.usage) for command in COMMANDS)
    return [
        *(f"{command.usage:<{wide}}  {command.help}" for command in COMMANDS),
        "@bob text and #room text send without /msg; @bob or #room alone goes there.",
        "A line without a command goes where the prompt says. //x sends /x.",
    ]


def completions(
    line: str, *, users: Iterable[str], rooms: Iterable[str]
) -> tuple[str, list[str], bool]:
    """What Tab offers at the end of a line.

    Returns:
        The word being completed, what it may become, and whether it is a path (then the
        candidates are the caller's to find).
    """
    word = "" if line[-1:].isspace() else (line.split() or [""])[-1]
    if line.startswith("/") and " " not in line:
        return word, _beginning(word, [f"/{command.name} " for command in COMMANDS]), False
    if line.startswith("/"):
        return _argument_completions(line, word, users, rooms)
    if word.startswith("@"):
        return word, _beginning(word, [f"@{user} " for user in users]), False
    if word.startswith("#"):
        return word, _beginning(word, [f"{room} " for room in rooms]), False
    if word and word == line:
        return word, _beginning(word, [f"{user}: " for user in users]), False
    return word, [], False


def _argument_completions(
    line: str, word: str, users: Iterable[str], rooms: Iterable[str]
) -> tuple[str, list[str], bool]:
    words = line.split()
    command = BY_NAME.get(words[0][1:].casefold())
    place = len(words) - (1 if line[-1:].isspace() else 2)
    if command is None or not command.params:
        return word, [], False
    param = command.params[min(place, len(command.params) - 1)]
    if Param.PATH in command.params[: place + 1]:
        before = line.split(None, 2)
        return (before[2] if len(before) > 2 else ""), [], True
    names = [f"{user} " for user in users]
    ats = [f"@{user} " for user in users]
    match param:
        case Param.TARGET:
            offered = [*(ats if word.startswith("@") else names), *(f"{room} " for room in rooms)]
        case Param.USER:
            offered = ats if word.startswith("@") else names
        case Param.ROOM:
            offered = [f"{room} " for room in rooms]
        case Param.ROLE:
            offered = [f"{role} " for role in ROLES]
        case Param.COMMAND:
            offered = [f"{known.name} " for known in COMMANDS]
        case Param.WORD:
            offered = [*names, *(f"{room} " for room in rooms)] if place == 0 else []
        case _:
            offered = ats if word.startswith("@") else []
    return word, _beginning(word, offered), False


def _beginning(word: str, offered: Iterable[str]) -> list[str]:
    folded = word.casefold()
    return [one for one in offered if one.casefold().startswith(folded)]
