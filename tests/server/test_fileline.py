"""File connections, on both engines: tickets, limits, what stalls, breaks or lies."""

import os
import random
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from chatsecure.client.files.line import FileLine
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode, ProtocolError, Refused, Unreachable, WrongIdentity

from .conftest import Running, Start
from .people import PATIENCE_S, Peer, append, create, new_id, person

SEGMENT = 1024 * 1024


def open_line(server: Running, peer: Peer, ticket: bytes | None = None) -> FileLine:
    """A file connection of somebody."""
    if ticket is None:
        ticket = peer.ok(m.GetFileTicket()).ticket
    assert ticket is not None
    return FileLine("127.0.0.1", server.port, peer.certificate_hash, ticket)


def refusal_of(server: Running, peer: Peer, ticket: bytes) -> ErrorCode:
    with pytest.raises(Refused) as refused:
        open_line(server, peer, ticket)
    return refused.value.code


def upload(line: FileLine, blob: bytes, data: bytes, first: int = 0) -> None:
    """Send the segments of a file from one on."""
    numbers = range(first, -(-len(data) // SEGMENT))
    unanswered = 0
    for number in numbers:
        part = data[number * SEGMENT : (number + 1) * SEGMENT]
        last = number == numbers[-1]
        line.put(blob, number, len(part), last=last)
        line.send(part)
        unanswered += 1
        while unanswered > (0 if last else m.MAX_UNANSWERED_PUTS - 1):
            line.answer()
            unanswered -= 1


def download(line: FileLine, blob: bytes, size: int, first: int = 0) -> bytes:
    """Fetch the segments of a file from one on, as far as they are there."""
    count = -(-size // SEGMENT)
    line.get(blob, first, count - first)
    data = bytearray()
    for number in range(first, count):
        length = min(SEGMENT, size - number * SEGMENT)
        if not line.receive(number, length):
            break
        for piece in line.pieces(length):
            data += piece
    return bytes(data)


@pytest.fixture
def room(server: Running) -> tuple[Peer, Peer, bytes]:
    ann, ben = server.comes("ann"), server.comes("ben")
    room = new_id()
    ann.ok(create(room, person("ann"), person("ben")))
    return ann, ben, room


def announce(peer: Peer, room: bytes, size: int) -> bytes:
    blob = new_id()
    peer.ok(m.BlobCreate(blob, room, size, SEGMENT))
    return blob


def test_a_file_goes_through_while_messages_do(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, ben, log = room
    ben.follow(log)
    data = random.Random(1).randbytes(8 * SEGMENT + 77)
    blob = announce(ann, log, len(data))
    got: list[bytes] = []
    ticket = ben.ok(m.GetFileTicket()).ticket
    reader = threading.Thread(
        target=lambda: got.append(download(open_line(server, ben, ticket), blob, len(data)))
    )
    reader.start()
    writer = threading.Thread(target=upload, args=(open_line(server, ann), blob, data))
    writer.start()
    for number in range(20):
        ann.ok(append(log, b"%d" % number))
    assert [entry.payload for entry in ben.entries(log, 20)] == [b"%d" % n for n in range(20)]
    writer.join(PATIENCE_S)
    reader.join(PATIENCE_S)
    assert got == [data]
    assert ben.ok(m.BlobStat(blob)).complete


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="only Linux can be told so")
@pytest.mark.parametrize("others", [1, 2])
def test_what_nobody_else_will_read_leaves_the_memory_and_is_still_there(
    server: Running, others: int
) -> None:
    names = ["ann", "ben", "cem"][: 1 + others]
    ann, ben, *_ = [server.comes(name) for name in names]
    log = new_id()
    ann.ok(create(log, *map(person, names)))
    data = random.Random(2).randbytes(12 * SEGMENT)
    blob = announce(ann, log, len(data))
    upload(open_line(server, ann), blob, data)
    (path,) = (server.data / "blobs").glob(f"??/{blob.hex()}")
    assert held(path, SEGMENT)
    line = open_line(server, ben)
    assert download(line, blob, len(data)) == data
    assert held(path, SEGMENT) == (others > 1)
    assert held(path, 11 * SEGMENT)
    assert download(line, blob, len(data)) == data


def held(path: Path, offset: int) -> bool:
    """Whether the system has this part of a file in memory."""
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(4096)], offset, os.RWF_NOWAIT) == 4096
        except BlockingIOError:
            return False
        except OSError:
            pytest.skip("this file system does not tell what is in memory")


def test_a_ticket_opens_one_connection_only(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann = room[0]
    ticket = ann.ok(m.GetFileTicket()).ticket
    open_line(server, ann, ticket).close()
    assert refusal_of(server, ann, ticket) is ErrorCode.BAD_TOKEN


def test_a_ticket_that_nobody_was_given_opens_nothing(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    assert refusal_of(server, room[0], bytes(32)) is ErrorCode.BAD_TOKEN


def test_a_ticket_grows_old(
    server: Running, room: tuple[Peer, Peer, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, core = room[0], server.server.core
    ticket = ann.ok(m.GetFileTicket()).ticket
    clock = core.clock
    monkeypatch.setattr(core, "clock", lambda: clock() + 31)
    assert refusal_of(server, ann, ticket) is ErrorCode.BAD_TOKEN


def test_a_ticket_and_a_file_connection_end_with_their_line(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, ben, _ = room
    line = open_line(server, ben)
    ticket = ben.ok(m.GetFileTicket()).ticket
    ben.close()
    with pytest.raises(Unreachable):
        line.answer()
    assert refusal_of(server, ann, ticket) is ErrorCode.BAD_TOKEN


def test_somebody_elses_ticket_gives_only_their_rights(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, _, log = room
    eve = server.comes("eve")
    blob = announce(ann, log, SEGMENT)
    line = open_line(server, eve)
    with pytest.raises(Refused) as refused:
        upload(line, blob, bytes(SEGMENT))
    assert refused.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(Refused) as refused:
        download(line, blob, SEGMENT)
    assert refused.value.code is ErrorCode.NOT_FOUND


def test_another_server_is_not_shown_the_ticket(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    with pytest.raises(WrongIdentity):
        FileLine("127.0.0.1", server.port, bytes(32), bytes(32))


def test_too_many_file_connections_are_turned_away_and_others_go_on(start: Start) -> None:
    server = start(file_connections=3, file_connections_per_user=2)
    ann, ben = server.comes("ann"), server.comes("ben")
    lines = [open_line(server, ann) for _ in range(2)]
    assert refusal_of(server, ann, ann.ok(m.GetFileTicket()).ticket) is ErrorCode.TOO_MANY
    lines.append(_until_room(server, ben))
    with pytest.raises(Unreachable):
        open_line(server, ben)
    for line in lines:
        line.close()
    _until_room(server, ann).close()
    assert ann.ok(m.GetUser("ben")).online


def _until_room(server: Running, peer: Peer) -> FileLine:
    """A file connection, as soon as those that were closed are gone."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return open_line(server, peer)
        except (Unreachable, Refused):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_hoard_of_tickets_is_refused(server: Running, room: tuple[Peer, Peer, bytes]) -> None:
    ann = room[0]
    answers = [ann.ask(m.GetFileTicket()) for _ in range(17)]
    assert all(isinstance(answer, m.FileTicket) for answer in answers[:16])
    assert answers[16].code == ErrorCode.TOO_MANY


@pytest.mark.parametrize("garbage", [b"F", b"F" * 3000, b"F\x16\x03\x01\xff\xff" + bytes(70000)])
def test_garbage_after_the_preamble_costs_only_its_sender(server: Running, garbage: bytes) -> None:
    ann = server.comes("ann")
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(4096):
                pass
        except ConnectionError:
            pass
    assert ann.ok(m.GetUser("ann")).online
    deadline = time.monotonic() + PATIENCE_S
    while len(server.server.core.file_lines):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "message",
    [m.Ping(), m.BlobGet(bytes(16), 0, 1), m.ClientHello([1], bytes(32), "x"), m.GetUser("ann")],
    ids=lambda message: type(message).__name__,
)
def test_a_file_connection_begins_with_its_ticket(server: Running, message: m.Message) -> None:
    server.comes("ann")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as raw:
        raw.sendall(m.FILE_PREAMBLE)
        with context.wrap_socket(raw) as sock:
            sock.sendall(encode_message(message, 1))
            came = b""
            while part := sock.recv(4096):
                came += part
    assert b"a file connection begins with its ticket" in came


def test_a_file_message_on_the_line_breaks_the_protocol(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann = room[0]
    ann.send(m.BlobGet(new_id(), 0, 1), ann.connection.next_request())
    assert ann.expect(m.Goodbye).code == ErrorCode.MALFORMED


def test_a_stalled_file_connection_delays_no_other_and_is_ended(start: Start) -> None:
    server = start(file_idle_s=2)
    ann, ben = server.comes("ann"), server.comes("ben")
    log = new_id()
    ann.ok(create(log, person("ann"), person("ben")))
    blob, other = announce(ann, log, 2 * SEGMENT), announce(ann, log, SEGMENT)
    stalled = open_line(server, ann)
    stalled.put(blob, 0, SEGMENT, last=False)
    stalled.send(bytes(SEGMENT // 2))
    upload(open_line(server, ann), other, bytes(SEGMENT))
    assert download(open_line(server, ben), other, SEGMENT) == bytes(SEGMENT)
    ann.ok(append(log, b"meanwhile"))
    with pytest.raises(Unreachable):
        stalled.answer()
    # What it had begun is begun anew.
    upload(open_line(server, ann), blob, bytes(2 * SEGMENT))
    assert ann.ok(m.BlobStat(blob)).complete


def test_who_waits_for_a_segment_is_sent_on_to_the_line(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, ben, log = room
    blob = announce(ann, log, 2 * SEGMENT)
    writer = open_line(server, ann)
    writer.put(blob, 0, SEGMENT, last=True)
    writer.send(b"x" * SEGMENT)
    writer.answer()
    assert download(open_line(server, ben), blob, 2 * SEGMENT) == b"x" * SEGMENT
    assert ben.ok(m.BlobStat(blob)).segments == 1


def test_a_connection_cut_in_the_middle_of_a_run_goes_on_at_the_last_whole_segment(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, ben, log = room
    data = random.Random(2).randbytes(6 * SEGMENT)
    blob = announce(ann, log, len(data))
    line = open_line(server, ann)
    for number in range(3):
        line.put(blob, number, SEGMENT, last=True)
        line.send(data[number * SEGMENT : (number + 1) * SEGMENT])
        line.answer()
    line.put(blob, 3, SEGMENT, last=False)
    line.send(b"half" * (SEGMENT // 8))
    line.close()
    assert ann.ok(m.BlobStat(blob)).segments == 3
    _upload_until_taken(server, ann, blob, data, 3)
    assert download(open_line(server, ben), blob, len(data)) == data


def _upload_until_taken(server: Running, peer: Peer, blob: bytes, data: bytes, first: int) -> None:
    """Upload; while the connection before is still being ended the server says NOT_YET."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        line = open_line(server, peer)
        try:
            return upload(line, blob, data, first)
        except Refused as refused:
            if refused.code is not ErrorCode.NOT_YET or time.monotonic() > deadline:
                raise
        finally:
            line.close()


def test_segments_that_do_not_fit_are_refused_and_the_next_is_taken(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, _, log = room
    blob = announce(ann, log, SEGMENT)
    line = open_line(server, ann)
    line.put(blob, 7, 1000, last=True)
    line.send(bytes(1000))
    with pytest.raises(Refused) as refused:
        line.answer()
    assert refused.value.code is ErrorCode.NOT_ALLOWED
    upload(line, blob, bytes(SEGMENT))
    line.get(blob, 0, 2)
    with pytest.raises(Refused) as refused:
        line.receive(0, SEGMENT)
    assert refused.value.code is ErrorCode.NOT_ALLOWED
    assert download(line, blob, SEGMENT) == bytes(SEGMENT)


def test_another_segment_than_was_asked_for_is_noticed(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    ann, _, log = room
    blob = announce(ann, log, SEGMENT)
    line = open_line(server, ann)
    upload(line, blob, bytes(SEGMENT))
    line.get(blob, 0, 1)
    with pytest.raises(ProtocolError):
        line.receive(0, SEGMENT - 1)


def test_a_server_that_stops_ends_file_connections(
    server: Running, room: tuple[Peer, Peer, bytes]
) -> None:
    line = open_line(server, room[0])
    server.server.stop()
    with pytest.raises(Unreachable):
        line.answer()


def test_acknowledged_segments_are_there_after_a_restart(start: Start) -> None:
    first = start()
    ann = first.comes("ann")
    log = new_id()
    ann.ok(create(log, person("ann")))
    data = random.Random(3).randbytes(3 * SEGMENT)
    blob = announce(ann, log, len(data))
    line = open_line(first, ann)
    line.put(blob, 0, SEGMENT, last=True)
    line.send(data[:SEGMENT])
    line.answer()
    first.stop()
    second = start(first.data)
    ann = second.comes("ann")
    state = ann.ok(m.BlobCreate(blob, log, len(data), SEGMENT))
    assert state.segments == 1
    line = open_line(second, ann)
    upload(line, blob, data, 1)
    assert download(line, blob, len(data)) == data
