"""The tree of errors, its codes and exit codes."""

import re
from collections.abc import Iterator

import pytest

from chatsecure.wire import errors
from chatsecure.wire.errors import (
    EXIT_CODES,
    ChatSecureError,
    ErrorCode,
    NotFound,
    NotInTime,
    Refused,
    Unreachable,
    Usage,
    WrongIdentity,
)


def documented_tree() -> dict[str, str]:
    """Each class in the module's docstring and its parent there."""
    tree, path = {}, [""]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r" {4}([│ ]*)(?:[├└]── )?([A-Z]\w+) {2,}\S", line)
        if found:
            depth = 0 if "──" not in line else len(found[1]) // 4 + 1
            path = [*path[: depth + 1], found[2]]
            tree[found[2]] = path[depth]
    return tree


def real_tree(kind: type[Exception], parent: str = "") -> Iterator[tuple[str, str]]:
    yield kind.__name__, parent
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from real_tree(child, kind.__name__)


def test_the_docstring_shows_the_tree_as_it_is() -> None:
    pairs = list(real_tree(ChatSecureError))
    assert len(pairs) > 5
    assert documented_tree() == dict(pairs)
    assert len(dict(pairs)) == len(pairs), "a class stands twice in the tree"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChatSecureError("x"), 1),
        (Usage("x"), 2),
        (Unreachable("x"), 3),
        (NotFound("x"), 5),
        (WrongIdentity("x"), 6),
        (NotInTime("x"), 7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_the_exit_code_of_the_contract(error: ChatSecureError, code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (ErrorCode.BANNED, 4),
        (ErrorCode.BAD_TOKEN, 4),
        (ErrorCode.NAME_TAKEN, 4),
        (ErrorCode.NOT_ALLOWED, 4),
        (ErrorCode.RATE, 4),
        (ErrorCode.QUOTA, 4),
        (ErrorCode.NOT_FOUND, 5),
        (ErrorCode.UNAVAILABLE, 3),
        (ErrorCode.BAD_NAME, 2),
        (ErrorCode.INTERNAL, 1),
    ],
)
def test_a_refusal_has_the_exit_code_of_its_reason(code: ErrorCode, exit_code: int) -> None:
    assert Refused(code, "no").exit_code == exit_code


def test_every_exit_code_is_one_of_the_contract() -> None:
    kinds = [getattr(errors, name) for name, _ in real_tree(ChatSecureError)]
    assert {kind.exit_code for kind in kinds} <= {1, 2, 3, 4, 5, 6, 7}
    assert set(EXIT_CODES.values()) <= {1, 2, 3, 4, 5, 6, 7}


def test_a_code_of_a_newer_server_is_taken_as_a_mistake_of_the_server() -> None:
    for code in (0, 9, 999, -1, 2**63):
        assert Refused(code, "no").code is ErrorCode.INTERNAL


def test_an_error_is_one_sentence_with_a_hint_beside_it() -> None:
    error = Usage("that is no address", hint="write HOST:PORT")
    assert str(error) == "that is no address"
    assert error.hint == "write HOST:PORT"
    assert Refused(4, "no", b"detail").detail == b"detail"
