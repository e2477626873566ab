"""TLS over a blocking socket, between two threads; large files that go; threads that give way."""

import contextlib
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.bulk import FREE_BYTES, READ_BYTES, Stream, delete, give_way
from chatsecure.client.connection import tls_context
from chatsecure.server.folder import Folder
from chatsecure.server.tls import ensure_certificate, make_context
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode, ProtocolError

MOST = 1024
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = Folder(tmp_path_factory.mktemp("tls"))
    ensure_certificate(folder, datetime.now(UTC))
    return make_context(folder)


@contextmanager
def pair(
    context: ssl.SSLContext, theirs: Callable[[Stream, socket.socket], None]
) -> Iterator[Stream]:
    """A client's end; what the server's end does is done in a thread."""
    ours, other = socket.socketpair()
    for sock in (ours, other):
        sock.settimeout(PATIENCE_S)

    def serve() -> None:
        with other, contextlib.suppress(OSError):
            stream = Stream(other, context, server_side=True)
            stream.handshake()
            theirs(stream, other)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours:
            stream = Stream(ours, tls_context(), server_hostname="chatsecure.invalid")
            stream.handshake()
            yield stream
    finally:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 3 * READ_BYTES), max_size=6),
    st.integers(1, 2 * READ_BYTES),
)
def test_bytes_come_as_they_went_however_they_are_asked_for(
    context: ssl.SSLContext, sizes: list[int], asked: int
) -> None:
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]

    def theirs(stream: Stream, _sock: socket.socket) -> None:
        for data in sent:
            stream.send(data)
        stream.fill(memoryview(bytearray(1)))

    with pair(context, theirs) as stream:
        whole = memoryview(bytearray(sum(sizes)))
        for at in range(0, len(whole), asked):
            stream.fill(whole[at : at + asked])
        stream.send(b"!")
        assert whole == b"".join(sent)


def test_messages_and_bytes_take_turns(context: ssl.SSLContext) -> None:
    def theirs(stream: Stream, _sock: socket.socket) -> None:
        assert stream.message(MOST) == (7, m.BlobGet(b"b" * 16, 3, 4))
        stream.send_message(m.BlobData(3, 5), 7)
        stream.send(b"hello")
        stream.send_message(m.Ok(), 8)
        stream.message(MOST)

    with pair(context, theirs) as stream:
        stream.send_message(m.BlobGet(b"b" * 16, 3, 4), 7)
        assert stream.message(MOST) == (7, m.BlobData(3, 5))
        data = memoryview(bytearray(5))
        stream.fill(data)
        assert data == b"hello"
        assert stream.message(MOST) == (8, m.Ok())


@pytest.mark.parametrize(
    "frame",
    [encode_message(m.Error(ErrorCode.RATE, "x" * MOST), 1), b"\xff" * 100],
    ids=["too long", "no frame"],
)
def test_a_frame_that_is_too_long_is_refused_before_it_is_read(
    context: ssl.SSLContext, frame: bytes
) -> None:
    with (
        pair(context, lambda stream, _: stream.send(frame)) as stream,
        pytest.raises(ProtocolError),
    ):
        stream.message(MOST)


@pytest.mark.parametrize("sent", [0, 1, 100_000])
def test_an_end_in_the_middle_is_told(context: ssl.SSLContext, sent: int) -> None:
    with (
        pair(context, lambda stream, _: stream.send(bytes(sent))) as stream,
        pytest.raises(OSError, match="closed"),
    ):
        stream.fill(memoryview(bytearray(100_001)))


def test_an_end_told_by_tls_is_told(context: ssl.SSLContext) -> None:
    ours, other = socket.socketpair()

    def serve() -> None:
        other.settimeout(PATIENCE_S)
        with context.wrap_socket(other, server_side=True) as tls, contextlib.suppress(OSError):
            tls.unwrap()

    thread = threading.Thread(target=serve)
    thread.start()
    with ours:
        ours.settimeout(PATIENCE_S)
        stream = Stream(ours, tls_context(), server_hostname="chatsecure.invalid")
        stream.handshake()
        with pytest.raises(OSError, match="closed"):
            stream.fill(memoryview(bytearray(1)))
    thread.join(PATIENCE_S)


def test_what_is_no_tls_ends_the_handshake(context: ssl.SSLContext) -> None:
    ours, other = socket.socketpair()
    with ours, other:
        ours.settimeout(PATIENCE_S)
        other.sendall(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            Stream(ours, context, server_side=True).handshake()


def test_it_waits_no_longer_than_its_socket(context: ssl.SSLContext) -> None:
    ours, other = socket.socketpair()
    with ours, other:
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            Stream(ours, tls_context(), server_hostname="chatsecure.invalid").handshake()


def test_a_large_file_goes_in_steps_its_name_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    truncate = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda fd, size: (truncate(fd, size), sizes.append(size)))
    file = tmp_path / "file"
    file.write_bytes(bytes(3 * FREE_BYTES + 1))
    rest = delete(file)
    assert not file.exists()
    assert sizes == []
    rest()
    assert sizes == [2 * FREE_BYTES + 1, FREE_BYTES + 1, 1]
    delete(file)()
    file.write_bytes(bytes(FREE_BYTES))
    delete(file)()
    assert len(sizes) == 3


def test_a_file_that_has_another_name_stays_whole(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(bytes(FREE_BYTES + 1))
    os.link(file, other)
    delete(file)()
    assert not file.exists()
    assert other.stat().st_size == FREE_BYTES + 1


def test_a_folder_is_not_deleted_as_a_file(tmp_path: Path) -> None:
    with pytest.raises((IsADirectoryError, PermissionError)):
        delete(tmp_path)
    assert tmp_path.is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a thread's niceness")
def test_a_thread_gives_way_and_no_other() -> None:
    mine, theirs = [], []

    def work() -> None:
        give_way()
        theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    mine.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE_S)
    mine.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert mine[0] == mine[1]
    assert theirs[0] == min(mine[0] + 5, 19)
