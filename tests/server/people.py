"""People for the tests: real keys and certificates, made once a run; and a small real client."""

import itertools
import secrets
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from chatsecure.crypto.identity import (
    DeviceKeys,
    UserKeys,
    create_device,
    create_user,
    sign_device_list,
    sign_with_device,
)
from chatsecure.links import parse_link, token_hash, token_of
from chatsecure.wire import messages as m
from chatsecure.wire.connection import CLIENT_ACCEPTS, Connection, State

M = TypeVar("M", bound=m.Message)
PATIENCE_S = 20.0
_counter = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """Somebody with one device."""

    name: str
    user: UserKeys
    device: DeviceKeys
    body: bytes
    signature: bytes

    @property
    def id(self) -> bytes:
        """The device's id."""
        return self.device.device_id


@lru_cache
def person(name: str) -> Person:
    """The person with this name; the same keys whenever asked."""
    now = datetime.now(UTC)
    user = create_user(name, now)
    device = create_device(user, now)
    body, signature = sign_device_list(user.identity_key, 1, [device.device_id])
    return Person(name, user, device, body, signature)


def registration(who: Person, token: bytes, *, present: bool = True) -> m.Register:
    """A registration that is not signed yet."""
    return m.Register(
        token=token,
        name=who.name,
        identity_certificate=who.user.identity_certificate,
        sealing_certificate=who.user.sealing_certificate,
        device_certificate=who.device.certificate,
        device_list=m.SignedDeviceList(who.body, who.signature),
        signature=b"\0",
        present=present,
    )


def new_id() -> bytes:
    """A fresh id."""
    return next(_counter).to_bytes(4, "big") + secrets.token_bytes(12)


def append(
    log_id: bytes,
    payload: bytes = b"sealed",
    *,
    epoch: int = 0,
    kind: m.EntryKind = m.EntryKind.MESSAGE,
    append_id: bytes | None = None,
    add: list[bytes] | None = None,
    remove: list[bytes] | None = None,
    inbox: list[m.InboxItem] | None = None,
    group_info: m.GroupInfoUpload | None = None,
    link_id: bytes | None = None,
) -> m.Append:
    """An append."""
    part = None
    if kind is not m.EntryKind.MESSAGE:
        roster = m.RosterChange(add or [], remove or [])
        part = m.CommitPart(roster, inbox or [], group_info, link_id)
    return m.Append(log_id, append_id or new_id(), epoch, kind, payload, part)


def create(log_id: bytes, *members: Person, kind: m.LogKind = m.LogKind.ROOM) -> m.CreateLog:
    """A conversation of these; the first makes it."""
    items = [m.InboxItem(one.id, new_id(), b"sealed welcome") for one in members[1:]]
    peer = members[1].name if kind is m.LogKind.PRIVATE else None
    return m.CreateLog(log_id, kind, [one.id for one in members], items, peer)


class Peer:
    """A client over real TLS, in blocking calls.

    Args:
        who: whose client it is.
        port: the server's.
    """

    def __init__(self, who: Person | None, port: int, *, buffer: int | None = None) -> None:
        self.who = who
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = socket.socket()
        if buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.settimeout(PATIENCE_S)
        raw.connect(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw)
        der = self.sock.getpeercert(binary_form=True)
        assert der is not None
        self.certificate_hash = sha256(der).digest()
        self.connection = Connection(CLIENT_ACCEPTS)
        self.nonce = secrets.token_bytes(32)
        self.hello: m.ServerHello | None = None
        self.came: deque[tuple[int, m.Message]] = deque()

    # --- bytes --------------------------------------------------------------------------------

    def send(self, message: m.Message, request: int = 0) -> None:
        """Send a message."""
        self.sock.sendall(self.connection.send(message, request))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.sock.sendall(data)

    def pump(self) -> bool:
        """Wait for bytes. False: the server has closed."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            return False
        for request, message in self.connection.receive(data):
            if isinstance(message, m.ServerHello):
                self.connection.greeted()
            elif isinstance(message, m.LoggedIn):
                self.connection.open()
            if isinstance(message, m.Ping):
                self.send(m.Pong())
            else:
                self.came.append((request, message))
        return True

    def close(self) -> None:
        """Go."""
        self.sock.close()

    # --- messages -----------------------------------------------------------------------------

    def expect(self, kind: type[M], where: Callable[[M], bool] = lambda _: True) -> M:
        """The next message of a kind that came or comes; others stay."""
        deadline = time.monotonic() + PATIENCE_S
        looked = 0
        while True:
            for index in range(looked, len(self.came)):
                message = self.came[index][1]
                if isinstance(message, kind) and where(message):
                    del self.came[index]
                    return message
            looked = len(self.came)
            assert time.monotonic() < deadline, f"no {kind.__name__} came: {self.summary()}"
            assert self.pump(), f"closed while waiting: {self.summary()}"

    def answer(self, request: int) -> m.Message:
        """The answer to a request."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for index, (answered, message) in enumerate(self.came):
                if answered == request:
                    del self.came[index]
                    return message
            assert time.monotonic() < deadline, f"no answer came: {self.summary()}"
            assert self.pump(), f"closed early: {self.summary()}"

    def ask(self, message: m.Message) -> Any:
        """Ask and wait for the answer."""
        request = self.connection.next_request()
        self.send(message, request)
        return self.answer(request)

    def ok(self, message: m.Message) -> Any:
        """Ask and get no error."""
        reply = self.ask(message)
        assert not isinstance(reply, m.Error), reply
        return reply

    def is_closed_by_server(self) -> bool:
        """Wait until the server closes."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not self.pump():
                return True
        return False

    def summary(self) -> str:
        """What came, short."""
        return " ".join(repr(message)[:300] for _, message in list(self.came)[-5:])

    # --- the way in ---------------------------------------------------------------------------

    def greet(self) -> m.ServerHello:
        """Exchange hellos."""
        self.send(m.ClientHello([m.PROTOCOL_VERSION], self.nonce, "test"))
        self.hello = self.expect(m.ServerHello)
        return self.hello

    def sign(self, purpose: m.LoginPurpose, subject: bytes) -> bytes:
        """A log-in signature."""
        assert self.hello is not None
        assert self.who is not None
        context = m.login_context(
            purpose, self.hello.version, self.certificate_hash, self.hello.nonce, self.nonce,
            subject,
        )  # fmt: skip
        return sign_with_device(self.who.device.seed, context)

    def register(self, token: bytes, *, present: bool = True) -> Any:
        """Register; gives the answer, also when it is an error."""
        self.greet()
        assert self.who is not None
        unsigned = registration(self.who, token, present=present)
        signature = self.sign(m.LoginPurpose.REGISTER, m.registration_subject(unsigned))
        return self.ask(msgspec.structs.replace(unsigned, signature=signature))

    def login(self, *, present: bool = True) -> Any:
        """Log in; gives the answer, also when it is an error."""
        self.greet()
        assert self.who is not None
        signature = self.sign(m.LoginPurpose.LOGIN, self.who.id)
        return self.ask(m.Login(self.who.id, signature, present))

    # --- conversations ------------------------------------------------------------------------

    def follow(self, *log_ids: bytes, after: int = 0) -> m.Subscribed:
        """Subscribe to the inbox and these logs."""
        assert self.who is not None
        cursors = [m.Cursor(self.who.id, 0), *(m.Cursor(id_, after) for id_ in log_ids)]
        reply = self.ok(m.Subscribe(cursors))
        assert isinstance(reply, m.Subscribed)
        return reply

    def entries(self, log_id: bytes, count: int) -> list[m.Entry]:
        """The next entries of a log, as many as asked for."""
        found: list[m.Entry] = []
        while len(found) < count:
            message = self.expect(m.Entries, lambda item: item.log_id == log_id)
            found += message.entries
        return found

    @property
    def is_open(self) -> bool:
        """Logged in."""
        return self.connection.state is State.OPEN


def token_of_link(link: str) -> bytes:
    """The token in a link."""
    return token_of(parse_link(link).secret)


def make_token() -> tuple[bytes, bytes]:
    """A token and its hash."""
    token = secrets.token_bytes(16)
    return token, token_hash(token)
