"""What Tab offers on a line of chat: commands, names, settings, paths. All faces use it."""

from collections.abc import Iterable
from pathlib import Path

from chatsecure.client.settings import SETTINGS, Kind, plain

from .slash import BY_NAME, COMMANDS, MUTE, REACTIONS, ROLES, Param

PATHS_OFFERED = 100


def completions(
    line: str, *, users: Iterable[str], rooms: Iterable[str]
) -> tuple[str, list[str], bool]:
    """What Tab offers at the end of a line.

    Returns:
        The word being completed, what it may become, and whether it is a path (then `paths`
        finds what it may become).
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
    if param is Param.MESSAGE and not word.isdigit():
        # A number may be left out: what comes after it may stand here.
        param = command.params[min(place + 1, len(command.params) - 1)]
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
        case Param.SETTING:
            offered = _setting_words(words[1:], word)
        case Param.WORD if command.name == "mute":
            offered = [f"{level} " for level in MUTE]
        case Param.TEXT if command.name == "react":
            offered = _reactions(word)
        case Param.WORD:
            offered = [*names, *(f"{room} " for room in rooms)] if place == 0 else []
        case _:
            offered = ats if word.startswith("@") else []
    return word, _beginning(word, offered), False


def _reactions(word: str) -> list[str]:
    """Names of emoji: the usual ones, or those that begin so."""
    if len(word) < 2 or not word.startswith(":"):
        return [f"{name} " for name in REACTIONS]
    from chatsecure.client import emoji

    return [f":{name}: " for one in emoji.search(word) for name in one.names]


def _setting_words(typed: list[str], word: str) -> list[str]:
    """Names of settings, then what one of them may be."""
    names = {setting.name.replace("_", "-"): setting for setting in SETTINGS}
    if not typed or (word and len(typed) == 1):
        return [f"{name} " for name in names]
    setting = names.get(plain(typed[0]).replace("_", "-"))
    if setting is None:
        return []
    return [*setting.choices, *(("yes", "no") if setting.kind is Kind.SWITCH else ())]


def _beginning(word: str, offered: Iterable[str]) -> list[str]:
    folded = word.casefold()
    return [one for one in offered if one.casefold().startswith(folded)]


def paths(begun: str) -> list[str]:
    """The files and folders whose path begins so."""
    folder, _, name = begun.rpartition("/")
    shown = f"{folder}/" if begun.startswith("/") or folder else ""
    try:
        where = Path(shown or ".").expanduser()
        found = sorted(where.iterdir(), key=lambda path: path.name.casefold())
    except (OSError, RuntimeError, ValueError):
        return []
    offered = []
    for path in found:
        hidden = path.name.startswith(".") and not name.startswith(".")
        if path.name.startswith(name) and not hidden and path.name.isprintable():
            offered.append(f"{shown}{path.name}{'/' if path.is_dir() else ''}")
    return offered[:PATHS_OFFERED]
