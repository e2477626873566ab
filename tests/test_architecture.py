"""The floors of the house: imports point downwards only, and a few habits hold everywhere.

    cli, tui, gui, bot, demo      faces
    client                        the headless core
    mls                           the typed face of _mls
    names, links, lan, bulk       what both sides know of names, links, this network, moving files
    words                         the faces' texts in the person's language
    crypto                        certificates, sealing, files
    wire                          the protocol

The server stands beside the client: on wire, names, links, and the checking half of crypto.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "chatsecure"
MODULES = sorted(SRC.rglob("*.py"))
MAX_LINES = 700

BASE = {"wire", "names", "links", "lan", "bulk"}
FACES = {"cli", "tui", "gui", "bot", "demo"}
MAY_IMPORT: dict[str, set[str]] = {
    "wire": {"wire"},
    "crypto": {"crypto", "wire"},
    "names": {"wire"},
    "words": {"words"},
    "links": {"wire", "crypto"},
    "lan": {"wire", "links"},
    "bulk": {"wire"},
    "mls": {"mls", "_mls", "wire"},
    "client": {"client", "crypto", "mls"} | BASE,
    "server": {"server", "crypto"} | BASE,
    **{face: {face, "cli", "client", "crypto", "words"} | BASE for face in FACES},
    "__init__": {"bot"},
    "__main__": {"cli"},
}
"""By part, what it may import besides the version in `chatsecure` itself."""
ALSO: dict[str, set[str]] = {
    "cli/serve.py": {"server"},
    "cli/admin.py": {"server"},
    "cli/doctor.py": {"server", "mls", "_mls"},
    "cli/runbot.py": {"bot"},
    "cli/main.py": {"demo", "tui", "gui"},
    "demo/windows.py": {"tui", "gui"},
    "demo/__init__.py": {"tui"},
}
"""Modules that start other parts."""
SERVER_CRYPTO = {"certificates", "errors", "credentials"}
"""Of crypto, the half that checks; the server never seals, opens or makes a key of a user's."""
MAY_PRINT = ("cli/", "demo/", "server/console.py", "server/run.py", "server/__main__.py")


def name(module: Path) -> str:
    return module.relative_to(SRC).as_posix()


def part(module: Path) -> str:
    return name(module).partition("/")[0].removesuffix(".py")


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), str(module))


def imports(module: Path) -> Iterator[tuple[str, ...]]:
    """What a module imports of ours, as parts of the path below `chatsecure`; also what it
    imports late or for types only."""
    package = ("chatsecure", *module.relative_to(SRC).parent.parts)
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _ours(tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield from _ours((*source, alias.name))


def _ours(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if path[0] == "chatsecure" and path[1:] and path[1] != "__version__":
        yield path[1:]


every_module = pytest.mark.parametrize("module", MODULES, ids=name)


@every_module
def test_imports_climb_no_floor(module: Path) -> None:
    allowed = MAY_IMPORT[part(module)] | ALSO.get(name(module), set())
    climbing = {".".join(path) for path in imports(module) if path[0] not in allowed}
    assert climbing == set()


@pytest.mark.parametrize("module", [one for one in MODULES if part(one) == "server"], ids=name)
def test_the_server_uses_only_the_half_of_crypto_that_checks(module: Path) -> None:
    used = {path[1] for path in imports(module) if path[0] == "crypto" and path[1:]}
    assert used <= SERVER_CRYPTO


@pytest.mark.parametrize("module", ["names.py", "links.py"])
def test_a_command_that_only_parses_loads_no_cryptography(module: str) -> None:
    """What names and links need of it is imported where it is used."""
    late = [
        node
        for node in tree(SRC / module).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(heavy in ast.unparse(node) for heavy in ("chatsecure.crypto", "precis"))
    ]
    assert late == []


@every_module
def test_only_faces_print(module: Path) -> None:
    if name(module).startswith(MAY_PRINT):
        return
    prints = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert prints == []


@every_module
def test_no_error_is_caught_without_a_name(module: Path) -> None:
    bare = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []


@every_module
def test_a_module_opens_with_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(tree(module))


@every_module
def test_a_module_can_be_read_in_one_sitting(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_every_part_has_its_floor() -> None:
    assert {part(module) for module in MODULES} <= MAY_IMPORT.keys()
