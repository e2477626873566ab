"""Takes the sentences of errors out of the source, for the catalogues of words.

An error's sentence is written in plain English where it is raised, values and all:
`NotFound(f"there is no room {name}")`. Here it becomes a text with places, `there is no room
{name}`, under the context `error`; `chatsecure.words.sentence` finds it again by its shape.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

CONTEXT = "error"
PARTS = (
    "client", "crypto", "wire", "cli", "gui", "tui", "links.py", "names.py", "lan.py", "mls.py",
)  # fmt: skip
"""Parts whose errors a face may show."""
REFUSALS = ("server/rules", "server/core.py", "server/requests.py", "server/transfers.py")
"""What a server says to a client travels as a sentence."""
ROOT = "ChatSecureError"
TECHNICAL = ("ProtocolError", "CryptoError", "MlsError", "BadContent", "InvalidCommit",
             "BadRoomState", "StoreError", "BadSignature")  # fmt: skip
"""Errors that tell what another program did wrong, for whoever looks into it: they stay English."""
OWN_WORDS = ("_", "several")


def all_sentences(source: Path) -> list[str]:
    """The sentences of all errors a face may show.

    Args:
        source: the folder of the package.
    """
    trees = {path: ast.parse(path.read_text()) for path in sorted(source.rglob("*.py"))}
    classes = _classes(trees.values(), {ROOT}, TECHNICAL)
    wanted = (*PARTS, *REFUSALS)
    found: dict[str, None] = {}
    for path, tree in trees.items():
        inside = path.relative_to(source).as_posix()
        if any(inside == part or inside.startswith(part + "/") for part in wanted):
            found |= dict.fromkeys(_sentences(tree, classes))
    return sorted(found)


def _classes(trees: Iterable[ast.AST], roots: set[str], but: Collection[str]) -> set[str]:
    """The names of all classes that come from these roots, those in between excepted."""
    bases: dict[str, list[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [_name(base) for base in node.bases]
    classes = set(roots)
    while more := {name for name, of in bases.items() if classes & set(of)} - classes - set(but):
        classes |= more
    return classes


def _sentences(tree: ast.AST, classes: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in classes:
            hints = [word.value for word in node.keywords if word.arg in ("hint", "message")]
            for part in (*node.args, *hints):
                yield from _texts(part)
        if isinstance(node, ast.Call):
            reasons = [word.value for word in node.keywords if word.arg == "reason"]
            yield from (text for one in reasons for text in _texts(one))
        if isinstance(node, ast.Assign) and _name(node.targets[0]) in ("hint", "reason"):
            yield from _texts(node.value)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.BoolOp):
        yield from (text for one in node.values for text in _texts(one))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if " " in node.value:
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        text = _template(node)
        if any(len(word) > 2 for word in text.split() if not word.startswith("{")):
            yield text


def _template(node: ast.JoinedStr) -> str:
    parts, names = [], dict[str, str]()
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            shape = ast.dump(part.value)
            name = _name(part.value) or "value"
            while names.get(name, shape) != shape:
                name += "_"
            names[name] = shape
            parts.append("{" + name + "}")
        elif isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("{", "{{").replace("}", "}}"))
    return "".join(parts)


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function, args=[ast.Name(id=name), *_]) if _name(function):
            return name
        case ast.Call(func=function):
            return _name(function)
        case ast.BoolOp(values=[first, *_]) | ast.Subscript(value=first):
            return _name(first)
    return ""


def main() -> None:
    """Add them to the template of the catalogues that is named."""
    from babel.messages.pofile import read_po, write_po

    template = Path(sys.argv[1])
    with template.open("rb") as file:
        catalog = read_po(file)
    for text in all_sentences(Path(__file__).parents[1] / "src" / "chatsecure"):
        catalog.add(text, context=CONTEXT)
    with template.open("wb") as file:
        write_po(file, catalog, sort_output=True, no_location=True)


if __name__ == "__main__":
    main()
