"""A connection that has not logged in yet, and what it takes to do so."""

import msgspec

from chatsecure.crypto.identity import sign_with_device
from chatsecure.links import token_hash
from chatsecure.server.rules.accounts import put_owner_token, put_server_token
from chatsecure.server.session import Session
from chatsecure.wire import messages as m
from chatsecure.wire.connection import encode_message
from chatsecure.wire.errors import ErrorCode
from chatsecure.wire.frames import FrameDecoder

from .people import Person, new_id, registration
from .world import Client, FakePort, World, log


class Door:
    """A connection that has not logged in."""

    def __init__(self, world: World, who: Person | None = None) -> None:
        self.world, self.who = world, who
        self.port = FakePort()
        assert world.core.arrive("door")
        self.session: Session = world.core.connect(self.port, "door")
        world.clients.append(self)  # type: ignore[arg-type]
        self.nonce = b"n" * 32
        self.decoder = FrameDecoder()

    def gets(self) -> list[m.Message]:
        self.world.settle()
        self.decoder.feed(bytes(self.port.waiting))
        self.port.waiting.clear()
        found = []
        while (frame := self.decoder.next_frame()) is not None:
            found.append(m.decode_body(frame.type, frame.body))
        return found

    def says(self, *messages: m.Message) -> list[m.Message]:
        for number, message in enumerate(messages, 1):
            self.session.received(encode_message(message, number))
        return self.gets()

    def greets(self, *versions: int) -> m.Message:
        [reply] = self.says(m.ClientHello(list(versions or (1,)), self.nonce, "test"))
        if isinstance(reply, m.ServerHello):
            self.server_nonce = reply.nonce
        return reply

    def signs(self, purpose: m.LoginPurpose, subject: bytes, *, server: bytes = b"c" * 32) -> bytes:
        assert self.who is not None
        context = m.login_context(purpose, 1, server, self.server_nonce, self.nonce, subject)
        return sign_with_device(self.who.device.seed, context)

    def registers(self, token: bytes, **changes: object) -> m.Message:
        assert self.who is not None
        self.greets()
        unsigned = msgspec.structs.replace(registration(self.who, token), **changes)
        signature = self.signs(m.LoginPurpose.REGISTER, m.registration_subject(unsigned))
        [reply] = self.says(msgspec.structs.replace(unsigned, signature=signature))
        return reply

    def logs_in(self, **where: bytes) -> m.Message:
        assert self.who is not None
        self.greets()
        [reply] = self.says(
            m.Login(self.who.id, self.signs(m.LoginPurpose.LOGIN, self.who.id, **where))
        )
        return reply


def token(world: World, uses: int = 1, lives_ms: int = 60_000, *, owner: bool = False) -> bytes:
    secret, now = new_id(), world.time_ms
    if owner:
        world.run(lambda tx: put_owner_token(tx, token_hash(secret), now))
    else:
        hash_ = token_hash(secret)
        world.run(lambda tx: put_server_token(tx, hash_, uses, now + lives_ms, now))
    return secret


def is_error(message: m.Message, code: ErrorCode, text: str = "") -> bool:
    return isinstance(message, m.Error) and message.code == code and text in message.message


def room(*clients: Client, name: str = "r") -> None:
    ids = [client.who.device_id for client in clients]
    reply = clients[0].ask(m.CreateLog(log(name), m.LogKind.ROOM, ids, []))
    assert isinstance(reply, m.LogState)
