"""Values for Hypothesis, derived from the types of our structs, so that a new field or message is
tested from the moment it is declared.

    values_of(Append)       random values within all bounds
    example_of(Append)      one value with every optional part filled
    breaches_of(Append)     bodies that break exactly one bound, each with the path to it
"""

import enum
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import inspect

bounded = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long a property is looked at: the whole folder runs in seconds."""

MOST = 24
"""Longest random string or list, whatever the bound: long values find nothing new."""
_texts = st.characters(exclude_categories=("Cs",))

Path = tuple[int, ...]


def values_of(struct: type[Any]) -> st.SearchStrategy[Any]:
    """Random values of a struct, within its bounds."""
    return _strategy(inspect.type_info(struct))


def _strategy(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StructType():
            fields = [_strategy(field.type) for field in info.fields]
            return st.tuples(*fields).map(lambda values: info.cls(*values))
        case inspect.UnionType():
            return st.one_of([_strategy(option) for option in info.types])
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            least = -(2**31) if info.ge is None else info.ge
            most = 2**31 if info.le is None else info.le
            return st.one_of(st.integers(least, most), st.sampled_from([least, most]))
        case inspect.EnumType():
            return st.sampled_from(list(info.cls))
        case inspect.BytesType():
            least, most = _lengths(info)
            return st.binary(min_size=least, max_size=most)
        case inspect.StrType():
            least, most = _lengths(info)
            return st.text(_texts, min_size=least, max_size=most)
        case inspect.ListType():
            least, most = _lengths(info)
            return st.lists(_strategy(info.item_type), min_size=least, max_size=min(most, 4))
        case inspect.DictType():
            keys, items = _strategy(info.key_type), _strategy(info.value_type)
            return st.dictionaries(keys, items, max_size=3)
    raise AssertionError(f"no values for {info}")


def _lengths(info: Any) -> tuple[int, int]:
    least = info.min_length or 0
    most = MOST if info.max_length is None else info.max_length
    return least, max(least, min(most, MOST))


def example_of(struct: type[Any]) -> Any:
    """One value of a struct with every optional part filled and no list empty."""
    return msgspec.convert(plain_example(struct), struct)


def plain_example(struct: type[Any]) -> list[Any]:
    """The same as plain lists, as it lies on the wire."""
    found: list[Any] = _example(inspect.type_info(struct))
    return found


def _example(info: inspect.Type) -> Any:
    match info:
        case inspect.StructType():
            tag = [] if info.tag is None else [info.tag]
            return tag + [_example(field.type) for field in info.fields]
        case inspect.UnionType():
            return _example(_chosen(info))
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return info.ge or 1
        case inspect.EnumType():
            return next(iter(info.cls)).value
        case inspect.BytesType():
            return b"\x01" * max(1, info.min_length or 0)
        case inspect.StrType():
            return "a" * max(1, info.min_length or 0)
        case inspect.ListType():
            return [_example(info.item_type)] * max(1, info.min_length or 0)
        case inspect.DictType():
            return {_example(info.key_type): _example(info.value_type)}
    raise AssertionError(f"no example for {info}")


def _chosen(info: inspect.UnionType) -> inspect.Type:
    return next(one for one in info.types if not isinstance(one, inspect.NoneType))


def breaches_of(struct: type[Any]) -> Iterator[tuple[Path, Any]]:
    """Every way to break one bound or type of a struct: where, and the value to put there."""
    yield from _breaches(inspect.type_info(struct), ())


def _breaches(info: inspect.Type, path: Path) -> Iterator[tuple[Path, Any]]:
    match info:
        case inspect.StructType():
            yield path, 7
            first = 0 if info.tag is None else 1
            for index, field in enumerate(info.fields, first):
                yield from _breaches(field.type, (*path, index))
            required = [field for field in info.fields if field.required]
            if required:
                yield path, _example(info)[: len(required) + first - 1]
        case inspect.UnionType():
            yield from _breaches(_chosen(info), path)
        case inspect.BoolType():
            yield path, 1
        case inspect.IntType():
            yield path, "1"
            yield path, True
            if info.ge is not None:
                yield path, info.ge - 1
            if info.le is not None:
                yield path, info.le + 1
        case inspect.EnumType():
            assert issubclass(info.cls, enum.IntEnum)
            yield path, max(info.cls) + 1
        case inspect.BytesType():
            yield path, "a"
            yield from ((path, b"a" * size) for size in _past(info.min_length, info.max_length))
        case inspect.StrType():
            yield path, b"a"
            yield from ((path, "a" * size) for size in _past(info.min_length, info.max_length))
        case inspect.ListType():
            yield path, {}
            item = _example(info.item_type)
            yield from ((path, [item] * size) for size in _past(info.min_length, info.max_length))
            yield from _breaches(info.item_type, (*path, 0))
        case inspect.DictType():
            yield path, []


def _past(least: int | None, most: int | None) -> list[int]:
    """The nearest values outside."""
    below = [] if not least else [least - 1]
    return below if most is None else [*below, most + 1]


def replaced(plain: list[Any], path: Path, value: Any) -> list[Any]:
    """A copy of plain lists with another value at a path."""
    if not path:
        return value  # type: ignore[no-any-return]
    copy = list(plain)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


def plain(value: Any) -> Any:
    """A struct as the plain lists that lie on the wire."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))
