"""`docs/protocol.md` against the code: every message, field, bound and code stands there as it is,
and every byte example is what the real code makes and reads.

An example is a fenced block `example KIND`; its lines are `key  value`, a value goes on in lines
that begin with blanks, and what follows ` ; ` is a comment.
"""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from chatsecure import links
from chatsecure.client import content, room
from chatsecure.client.room import LinkState, MemberRole, RoomState
from chatsecure.crypto import certificates, filecipher, fingerprint, sealing
from chatsecure.server.limits import ServerLimits
from chatsecure.wire import chain, frames
from chatsecure.wire import messages as m
from chatsecure.wire.connection import NOTICES, PUSHES, REQUESTS, encode_message
from chatsecure.wire.errors import ErrorCode
from chatsecure.wire.messages import Entry, LoginPurpose
from segments import encrypt_segment

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


# --- tables ----------------------------------------------------------------------------------


def section(title: str) -> str:
    """The text under a heading, up to the next heading of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(title)}$", TEXT, re.MULTILINE)
    assert found, f"docs/protocol.md has no heading {title!r}"
    rest = TEXT[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The first table in a text, without its head."""
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    if table is None:
        return []
    lines = [line.strip("|").split(" | ") for line in table[0].splitlines()[2:]]
    return [[cell.strip().strip("`") for cell in line] for line in lines]


def type_text(info: inspect.Type) -> str:
    """A type as the document writes it."""
    match info:
        case inspect.StructType() | inspect.EnumType():
            return info.cls.__name__
        case inspect.UnionType():
            return " or ".join(type_text(one) for one in info.types)
        case inspect.NoneType():
            return "nil"
        case inspect.BoolType():
            return "bool"
        case inspect.IntType(ge=0, le=most) if most == 2**63 - 1:
            return "count"
        case inspect.IntType(ge=0, le=253_402_300_799_999):
            return "time"
        case inspect.IntType():
            return "int" if info.ge is None else f"int[{info.ge}..{info.le}]"
        case inspect.BytesType():
            return "bytes" + _bounds(info)
        case inspect.StrType():
            return "text" + _bounds(info)
        case inspect.ListType():
            return f"list{_bounds(info)} of {type_text(info.item_type)}"
        case inspect.DictType():
            pair = f"{type_text(info.key_type)} to {type_text(info.value_type)}"
            return f"map{_bounds(info)} of {pair}"
    raise AssertionError(f"no words for {info}")


def _bounds(info: Any) -> str:
    least, most = info.min_length, info.max_length
    if most is None:
        return ""
    return f"[{most}]" if least == most else f"[{least or 0}..{most}]"


NAMED = {None: "nil", False: "false", True: "true"}


def field_text(field: inspect.Field) -> str:
    """A field's type and, where it may be missing, what then holds."""
    text = type_text(field.type)
    if field.required:
        return text
    if field.default is msgspec.NODEFAULT or field.default in ("", b""):
        return f"{text} = empty"
    if isinstance(field.default, bool) or field.default is None:
        return f"{text} = {NAMED[field.default]}"
    return f"{text} = {field.default}"


def fields(kind: type[Any]) -> list[list[str]]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return [[field.name, field_text(field)] for field in info.fields]


def structs(kind: type[Any]) -> Iterator[type[Any]]:
    """The structs inside a struct."""

    def walk(info: Any) -> Iterator[type[Any]]:
        match info:
            case inspect.StructType():
                yield info.cls
                for field in info.fields:
                    yield from walk(field.type)
            case inspect.UnionType():
                for option in info.types:
                    yield from walk(option)
            case inspect.ListType():
                yield from walk(info.item_type)

    yield from walk(inspect.type_info(kind))


CONTENTS = list(typing.get_args(content.AnyContent))
INNER = sorted(
    {inner for kind in m.MESSAGES.values() for inner in structs(kind)} - set(m.NUMBERS),
    key=lambda kind: kind.__name__,
)
OTHERS = [
    content.FileReceipt, content.EntryHeader, content.LeaverProof, content.Invitation,
    RoomState, LinkState, certificates.DeviceList,
]  # fmt: skip
by_name = {"ids": lambda kind: kind.__name__}


@pytest.mark.parametrize("number", m.MESSAGES)
def test_a_message_stands_there_with_its_number_and_fields(number: int) -> None:
    kind = m.MESSAGES[number]
    text = section(f"{number} {kind.__name__}")
    assert [row[:2] for row in rows(text)] == fields(kind)
    sender = text.strip().split(":")[0]
    if kind in REQUESTS or kind in (
        m.ClientHello, m.Register, m.Login, m.Ack, m.Whisper, m.FileHello, m.BlobPut, m.BlobGet,
    ):  # fmt: skip
        assert sender == "Client"
    elif kind in (PUSHES & NOTICES):
        assert sender == "Both"
    else:
        assert sender == "Server"


@pytest.mark.parametrize("kind", [*INNER, *OTHERS], **by_name)
def test_a_struct_stands_there_with_its_fields(kind: type[Any]) -> None:
    assert [row[:2] for row in rows(section(kind.__name__))] == fields(kind)


@pytest.mark.parametrize("kind", CONTENTS, **by_name)
def test_a_content_stands_there_with_its_tag_and_fields(kind: type[Any]) -> None:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    assert [row[:2] for row in rows(section(f"Content {info.tag}: {kind.__name__}"))] == (
        fields(kind)
    )


@pytest.mark.parametrize(
    "kind", [m.LogKind, m.EntryKind, m.Role, MemberRole, LoginPurpose, content.FileFate], **by_name
)
def test_numbers_with_names_stand_there(kind: Any) -> None:
    told = {row[0]: row[1] for row in rows(section(kind.__name__))}
    assert told == {str(value.value): value.name for value in kind}


def test_every_error_code_stands_there() -> None:
    told = {row[0]: row[1] for row in rows(section("Error codes"))}
    assert told == {str(code.value): code.name for code in ErrorCode}


def test_the_limits_of_a_server_stand_there() -> None:
    told = {row[0]: row[1:3] for row in rows(section("Limits of a server"))}
    assert told == {
        row["name"]: [str(row["default"]), row["unit"]] for row in ServerLimits().as_rows()
    }


def test_nothing_stands_there_that_is_not_in_the_code() -> None:
    named = set(re.findall(r"^#+ (\d+) (\w+)$", TEXT, re.MULTILINE))
    assert named == {(str(number), kind.__name__) for number, kind in m.MESSAGES.items()}
    tagged = set(re.findall(r"^#+ Content (\d+): (\w+)$", TEXT, re.MULTILINE))
    assert len(tagged) == len(CONTENTS)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("PROTOCOL_VERSION", m.PROTOCOL_VERSION),
        ("MAX_FRAME_BYTES", frames.MAX_FRAME_BYTES),
        ("MAX_FRAME_BYTES_BEFORE_LOGIN", frames.MAX_FRAME_BYTES_BEFORE_LOGIN),
        ("MAX_TEXT_BYTES", m.MAX_TEXT_BYTES),
        ("MAX_PAYLOAD_BYTES", m.MAX_PAYLOAD_BYTES),
        ("MAX_COMMIT_BYTES", m.MAX_COMMIT_BYTES),
        ("MAX_SEGMENT_BYTES", m.MAX_SEGMENT_BYTES),
        ("MAX_UNANSWERED_PUTS", m.MAX_UNANSWERED_PUTS),
        ("MAX_ROSTER_CHANGE", m.MAX_ROSTER_CHANGE),
        ("MAX_STATE_BYTES", room.MAX_STATE_BYTES),
        ("SEGMENT_BYTES", filecipher.SEGMENT_BYTES),
        ("MIN_RSA_BITS", certificates.MIN_RSA_BITS),
        ("MAX_RSA_BITS", certificates.MAX_RSA_BITS),
        ("MAX_DEVICES", certificates.MAX_DEVICES),
    ],
)
def test_a_constant_stands_there(what: str, value: int) -> None:
    told = {row[0]: row[1] for row in rows(section("Constants"))}
    assert told[what] == str(value)


# --- examples --------------------------------------------------------------------------------

Fields = dict[str, str]


def examples(kind: str) -> list[Fields]:
    """The examples of one kind."""
    found = []
    for block in re.findall(
        rf"^```example {re.escape(kind)}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL
    ):
        parts: Fields = {}
        key = ""
        for line in block.splitlines():
            line = line.partition(" ; ")[0].rstrip()
            if line and not line[0].isspace():
                key, _, line = line.partition(" ")
                assert key not in parts
                parts[key] = line.strip()
            elif line:
                parts[key] += " " + line.strip()
        found.append(parts)
    assert found, f"docs/protocol.md has no example of {kind}"
    return found


def h(text: str) -> bytes:
    """Bytes in hexadecimal, in groups or not."""
    return bytes.fromhex(text)


def value(text: str) -> Any:
    """A value as the document writes it: the call of a struct."""
    names = {kind.__name__: kind for kind in [*m.NUMBERS, *INNER, *CONTENTS, *OTHERS]}
    enums = {kind.__name__: kind for kind in (m.LogKind, m.EntryKind, m.Role, MemberRole)}
    return eval(text, {"__builtins__": {}}, {**names, **enums, "h": h})


FRAMES = examples("frame")


@pytest.mark.parametrize("parts", FRAMES, ids=[parts["message"][:16] for parts in FRAMES])
def test_a_frame_is_read_and_made_as_shown(parts: Fields) -> None:
    message, request, data = value(parts["message"]), int(parts["request"]), h(parts["bytes"])
    decoder = frames.FrameDecoder()
    decoder.feed(data)
    frame = decoder.next_frame()
    assert frame is not None
    assert (frame.request, decoder.pending_bytes) == (request, 0)
    assert m.decode_body(frame.type, frame.body) == message
    assert encode_message(message, request) == data


def test_a_newer_message_is_read_as_shown() -> None:
    for parts in examples("frame-of-a-newer-version"):
        decoder = frames.FrameDecoder()
        decoder.feed(h(parts["bytes"]))
        frame = decoder.next_frame()
        assert frame is not None
        assert m.decode_body(frame.type, frame.body) == value(parts["message"])


def test_what_a_log_in_signs_is_made_as_shown() -> None:
    for parts in examples("login-context"):
        made = m.login_context(
            LoginPurpose[parts["purpose"]],
            int(parts["version"]),
            h(parts["certificate_hash"]),
            h(parts["server_nonce"]),
            h(parts["client_nonce"]),
            h(parts["subject"]),
        )
        assert made == h(parts["signed"])


def test_what_a_registration_signs_is_made_as_shown() -> None:
    for parts in examples("registration-subject"):
        assert m.registration_subject(value(parts["message"])) == h(parts["subject"])


def test_a_device_id_is_made_as_shown() -> None:
    for parts in examples("device-id"):
        assert certificates.device_id(h(parts["public_key"])) == h(parts["device_id"])


def test_a_device_list_is_made_as_shown() -> None:
    for parts in examples("device-list"):
        body = msgspec.msgpack.encode(value(parts["list"]))
        assert body == h(parts["body"])
        assert certificates.DEVICE_LIST_CONTEXT + body == h(parts["signed"])


def test_a_safety_number_is_made_as_shown() -> None:
    for parts in examples("safety-number"):
        digits = fingerprint.safety_number(h(parts["one"]), h(parts["other"]))
        assert fingerprint.format_safety_number(digits) == parts["number"]


def test_the_chain_is_made_as_shown() -> None:
    for parts in examples("chain"):
        start = chain.chain_start(h(parts["log_id"]))
        assert start == h(parts["start"])
        entry = value(parts["entry"])
        assert isinstance(entry, Entry)
        assert chain.chain_next(start, entry) == h(parts["next"])


def test_a_content_is_read_and_made_as_shown() -> None:
    for parts in examples("content"):
        made, data = value(parts["content"]), h(parts["bytes"])
        data = data.ljust(int(parts["length"]), b"\0")
        assert content.decode_content(data) == made
        assert content.encode_content(made) == data


def test_a_content_of_a_newer_version_is_kept_as_shown() -> None:
    for parts in examples("unknown-content"):
        kept = content.decode_content(h(parts["bytes"]))
        assert isinstance(kept, content.Unknown)
        assert kept.tag == int(parts["tag"])


def test_a_header_is_read_and_made_as_shown() -> None:
    for parts in examples("header"):
        assert content.decode_header(h(parts["bytes"])) == value(parts["header"])
        assert content.encode_header(value(parts["header"])) == h(parts["bytes"])


def test_an_invitation_is_read_and_made_as_shown() -> None:
    for parts in examples("invitation"):
        assert content.decode_invitation(h(parts["bytes"])) == value(parts["invitation"])
        assert content.encode_invitation(value(parts["invitation"])) == h(parts["bytes"])


def test_a_leave_statement_is_made_as_shown() -> None:
    for parts in examples("leave-statement"):
        made = content.leave_statement(
            h(parts["log_id"]), h(parts["device_id"]), h(parts["leaf_key"])
        )
        assert made == h(parts["signed"])


def test_a_rooms_state_is_read_and_made_as_shown() -> None:
    for parts in examples("room-state"):
        assert room.decode_state(h(parts["bytes"])) == value(parts["state"])
        assert room.encode_state(value(parts["state"])) == h(parts["bytes"])


def test_what_is_sealed_under_a_secret_opens_as_shown() -> None:
    for parts in examples("sealed-under-a-secret"):
        opened = sealing.open_with_secret(
            h(parts["secret"]),
            parts["purpose"].replace("_", " "),
            h(parts["sealed"]),
            h(parts["context"]),
        )
        assert opened == h(parts["plaintext"])


def test_a_link_and_all_that_comes_of_it_is_as_shown() -> None:
    for parts in examples("link"):
        link = links.parse_link(parts["link"])
        assert (link.host, str(link.port)) == (parts["host"], parts["port"])
        assert link.fingerprint == h(parts["fingerprint"])
        assert link.secret == h(parts["secret"])
        assert (
            links.format_link(link.host, link.port, link.fingerprint, link.secret)
            == (parts["link"])
        )
        lobby, room_ = links.lobby_secret(link.secret), links.room_secret(link.secret)
        derived = {
            "token": links.token_of(link.secret),
            "token_hash": links.token_hash(links.token_of(link.secret)),
            "lobby_secret": lobby,
            "lobby_link_id": links.link_id(lobby),
            "lobby_psk": links.psk(lobby),
            "room_secret": room_,
            "room_link_id": links.link_id(room_),
            "room_psk": links.psk(room_),
        }
        assert derived == {name: h(parts[name]) for name in derived}


def test_the_layout_of_a_file_is_as_shown() -> None:
    for row in rows(section("Layout")):
        numbers = [int(cell.replace(" ", "")) for cell in row]
        layout = filecipher.Layout.of(numbers[0])
        last = layout.plain_bytes(layout.segments - 1)
        assert numbers == [
            layout.size, layout.padded, layout.segments, last, layout.blob_bytes,
        ]  # fmt: skip


def test_a_segment_opens_as_shown() -> None:
    for parts in examples("file-segment"):
        blob_id, layout = h(parts["blob_id"]), filecipher.Layout.of(int(parts["size"]))
        context = filecipher._context(blob_id, int(parts["segment"]), layout)
        assert context == h(parts["context"])
        cipher = encrypt_segment(h(parts["key"]), blob_id, int(parts["segment"]), layout, b"hello")
        assert len(cipher) == int(parts["cipher_bytes"])
