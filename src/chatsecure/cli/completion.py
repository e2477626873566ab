"""completion: scripts for shells, drawn from the table of commands; names come from the profile."""

import argparse
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass

from chatsecure.client.profile.folder import exists

from . import session
from .commands import COMMANDS
from .commands.command import Command
from .output import Output
from .parser import Parser, add_common


@dataclass(frozen=True, slots=True)
class Offer:
    """What may follow a command."""

    path: str
    """`send`, `room add`; empty for the program itself."""
    words: tuple[str, ...]
    options: tuple[str, ...]
    names: str
    """`targets`, `users` or `rooms` if it takes such names."""


def _offer(path: str, command: Command) -> Offer:
    parser = Parser(prog="chatsecure", add_help=False)
    command.add(parser)
    add_common(parser)
    options, words, names = [], [child.name for child in command.children], ""
    for action in parser._actions:  # noqa: SLF001 - argparse tells it nowhere else
        options += [text for text in action.option_strings if text.startswith("--")]
        if not action.option_strings:
            words += [str(choice) for choice in action.choices or ()]
            names = names or _kind(action)
    return Offer(path, tuple(words), tuple(options), names)


def _kind(action: argparse.Action) -> str:
    match action.dest:
        case "target":
            return "targets"
        case "user" | "users":
            return "users"
        case "room":
            return "rooms"
        case _:
            return ""


def offers() -> Iterator[Offer]:
    """The program, each command and each of their own commands."""
    shown = [command for command in COMMANDS if command.group]
    top = _offer("", Command("", "", ""))
    yield Offer("", tuple(command.name for command in shown), (*top.options, "--version"), "")
    for command in shown:
        yield _offer(command.name, command)
        for child in command.children:
            yield _offer(f"{command.name} {child.name}", child)


def completion(args: Namespace, output: Output) -> int:
    """`chatsecure completion`."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}[args.shell]
    output.line(make())
    return 0


def names(args: Namespace, output: Output) -> int:
    """`chatsecure _names`: the names a shell completes with, one a line. Silent if there are none:
    nobody wants an error while pressing Tab."""
    from chatsecure.client.client import Client

    if not exists(session.folder(output)):
        return 0
    client = Client(session.open_mine(output), present=False)
    rooms = client.rooms()
    users = dict.fromkeys(name for room in rooms for name in room.people if name != client.name)
    if args.kind == "users":
        found = list(users)
    else:
        found = [room.name for room in rooms if room.name.startswith("#")]
        if args.kind == "targets":
            found += [f"@{user}" for user in users]
    for name in found:
        if name.isprintable() and not set(name) & set("\"'`$\\"):
            output.line(name)
    return 0


_BASH = """\
# bash completion of chatsecure. Names come from the local profile.
_chatsecure() {
    local word=${COMP_WORDS[COMP_CWORD]} words=() path="" names="" options="" i
    local line=${COMP_LINE:0:COMP_POINT}
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            --profile|--passphrase-file|--data|--listen|--name) ((i++)) ;;
            -*) ;;
            *) [ "$(_chatsecure_known "${path:+$path }${COMP_WORDS[i]}")" ] &&
                path="${path:+$path }${COMP_WORDS[i]}" ;;
        esac
    done
    case "$path" in
@CASES@
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    if [ "$names" ]; then
        # A # or @ begins a word of its own: complete what stands since the last blank.
        local typed=${line##* }
        typed=${typed#[\\'\\"]}
        local found
        while IFS= read -r found; do
            [[ $found == "$typed"* ]] && COMPREPLY+=("${found:$((${#typed} - ${#word}))}")
        done < <(chatsecure _names "$names" 2>/dev/null)
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$word")
}
_chatsecure_known() {
    case "$1" in
        @KNOWN@) echo yes ;;
    esac
}
complete -o default -F _chatsecure chatsecure"""


def _bash() -> str:
    cases, known = [], []
    for offer in offers():
        cases.append(
            f'        "{offer.path}") words=({" ".join(offer.words)}) names="{offer.names}" '
            f'options="{" ".join(offer.options)}" ;;'
        )
        if offer.path:
            known.append(f'"{offer.path}"')
    return _BASH.replace("@CASES@", "\n".join(cases)).replace("@KNOWN@", "|".join(known))


_ZSH = """\
#compdef chatsecure
# zsh completion of chatsecure. Names come from the local profile.
_chatsecure() {
    local -a offered options
    local path="" names="" i
    for ((i = 2; i < CURRENT; i++)); do
        case "${words[i]}" in
            --profile|--passphrase-file|--data|--listen|--name) ((i++)) ;;
            -*) ;;
            *) case "${path:+$path }${words[i]}" in
                   @KNOWN@) path="${path:+$path }${words[i]}" ;;
               esac ;;
        esac
    done
    case "$path" in
@CASES@
    esac
    if [[ ${words[CURRENT]} == -* ]]; then
        compadd -- $options
    elif [[ -n $names ]]; then
        compadd -- ${(f)"$(chatsecure _names $names 2>/dev/null)"}
    elif (( ${#offered} )); then
        compadd -- $offered
    else
        _files
    fi
}
compdef _chatsecure chatsecure"""


def _zsh() -> str:
    cases, known = [], []
    for offer in offers():
        cases.append(
            f'        "{offer.path}") offered=({" ".join(offer.words)}); names="{offer.names}"; '
            f"options=({' '.join(offer.options)}) ;;"
        )
        if offer.path:
            known.append(f'"{offer.path}"')
    return _ZSH.replace("@CASES@", "\n".join(cases)).replace("@KNOWN@", "|".join(known))


def _fish() -> str:
    lines = ["# fish completion of chatsecure. Names come from the local profile."]
    for offer in offers():
        first, _, second = offer.path.partition(" ")
        when = "__fish_use_subcommand"
        if first:
            when = f"__fish_seen_subcommand_from {first}"
        if second:
            when += f"; and __fish_seen_subcommand_from {second}"
        start = f"complete -c chatsecure -n '{when}'"
        if offer.words:
            lines.append(f"{start} -f -a '{' '.join(offer.words)}'")
        if offer.names:
            lines.append(f"{start} -f -a '(chatsecure _names {offer.names} 2>/dev/null)'")
        lines += [f"{start} -l {option.removeprefix('--')}" for option in offer.options]
    return "\n".join(lines)


_POWERSHELL = """\
# PowerShell completion of chatsecure. Names come from the local profile.
Register-ArgumentCompleter -Native -CommandName chatsecure -ScriptBlock {
    param($word, $ast, $point)
    $offers = @{
@CASES@
    }
    $path = ''
    foreach ($part in ($ast.CommandElements | Select-Object -Skip 1)) {
        $longer = "$path $part".Trim()
        if ($offers.ContainsKey($longer)) { $path = $longer }
    }
    $offer = $offers[$path]
    $found = if ($word.StartsWith('-')) { $offer.Options }
        elseif ($offer.Names) { chatsecure _names $offer.Names 2>$null }
        else { $offer.Words }
    $found | Where-Object { $_ -like "$word*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new("'$_'".Trim("'"))
    }
}"""


def _powershell() -> str:
    def some(words: tuple[str, ...]) -> str:
        return "@(" + ", ".join(f"'{word}'" for word in words) + ")"

    cases = [
        f"        '{offer.path}' = @{{ Words = {some(offer.words)}; Names = '{offer.names}'; "
        f"Options = {some(offer.options)} }}"
        for offer in offers()
    ]
    return _POWERSHELL.replace("@CASES@", "\n".join(cases))
