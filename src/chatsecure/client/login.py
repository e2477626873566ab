"""From a TLS connection to being online: the server's key, greeting, log-in, subscription.

The first log-in of a profile registers it. Then the core follows every conversation it is in;
those that another process of this profile has brought us into are followed as they are found.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from chatsecure import __version__
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, ProtocolError, Refused, WrongIdentity

from . import conversations, keypackages, promises, stale
from .events import ConnectionEvent, stamp
from .flow import Ticket

if TYPE_CHECKING:
    from .core import Core

AGENT = f"chatsecure/{__version__}"
FOR_NOW = (
    ErrorCode.RATE,
    ErrorCode.UNAVAILABLE,
    ErrorCode.TOO_MANY,
    ErrorCode.STORAGE_FULL,
    ErrorCode.INTERNAL,
)
"""Refusals of a log-in that may be different the next time."""


class Login:
    """Brings one core online, again for each connection."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._nonce = b""
        self._certificate_hash = b""
        self._followed: set[tuple[bytes, int]] = set()
        self._confirmed: dict[bytes, int] = {}

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the certificate that the server has shown on this connection."""
        return self._certificate_hash

    def connected(self, certificate: bytes) -> None:
        """A TLS connection stands.

        Args:
            certificate: the server's, in DER.

        Raises:
            WrongIdentity: it is not the pinned one; close the connection.
        """
        core, get = self._core, self._core.db.get
        found = sha256(certificate).digest()
        pinned = bytes(get("server_certificate_hash") or b"")
        if not found.startswith(bytes(get("server_fingerprint"))) or (pinned and pinned != found):
            core.fatal = WrongIdentity(
                "this is not the server of the invitation: its key is another one",
                hint="somebody may be in between; ask who invited you",
            )
            raise core.fatal
        self._certificate_hash = found
        self._nonce = core.random(32)
        core.requests.begin(m.ClientHello([m.PROTOCOL_VERSION], self._nonce, AGENT))

    def greet(self, hello: m.ServerHello) -> None:
        """The server's hello has come: prove who we are.

        Raises:
            ProtocolError: it chose a version we do not know.
        """
        core = self._core
        core.requests.greeted()
        if hello.version != m.PROTOCOL_VERSION:
            raise ProtocolError("the server wants a protocol version that we did not offer")
        if core.db.get("registered"):
            login: m.Message = m.Login(
                core.me.device_id,
                self._signature(m.LoginPurpose.LOGIN, hello, core.me.device_id),
                core.options.present,
                stale.generation(core.db),
                stale.new_mark(core),
            )
        else:
            unsigned = self._registration()
            signature = self._signature(
                m.LoginPurpose.REGISTER, hello, m.registration_subject(unsigned)
            )
            login = msgspec.structs.replace(unsigned, signature=signature)
        core.requests.internal(login, self._logged_in)

    def _registration(self) -> m.Register:
        core, get = self._core, self._core.db.get
        return m.Register(
            token=bytes(get("token")),
            name=core.me.name,
            identity_certificate=core.me.chain[1],
            sealing_certificate=bytes(get("sealing_certificate")),
            device_certificate=core.me.chain[0],
            device_list=m.SignedDeviceList(
                bytes(get("device_list")), bytes(get("device_list_signature"))
            ),
            signature=b"\0",
            present=core.options.present,
        )

    def _signature(self, purpose: m.LoginPurpose, hello: m.ServerHello, subject: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        context = m.login_context(
            purpose, hello.version, self._certificate_hash, hello.nonce, self._nonce, subject
        )
        seed = bytes(self._core.db.get("device_seed"))
        return Ed25519PrivateKey.from_private_bytes(seed).sign(context)

    def _logged_in(self, ticket: Ticket) -> None:
        core, db = self._core, self._core.db
        if ticket.error is not None:
            if isinstance(ticket.error, Refused) and ticket.error.code not in FOR_NOW:
                core.fatal = stale.refused(core, ticket.error)
            raise core.fatal or ticket.error
        reply = ticket.reply
        if not isinstance(reply, m.LoggedIn):
            raise ProtocolError("the server answered a log-in with something else")
        core.requests.logged_in()
        core.role, core.lobby = reply.role, reply.lobby
        with db.transaction():
            core.announcer.trim()
            if not db.get("registered"):
                db.put("registered", 1)
                db.put("server_certificate_hash", self._certificate_hash)
                db.run("DELETE FROM meta WHERE key = 'token'")
            if isinstance(ticket.message, m.Login):
                stale.logged_in(core, ticket.message, reply)
            keypackages.stock(core, reply.key_packages_left)
        stale.take_over(core)
        cursors = [m.Cursor(core.me.device_id, db.get("inbox_cursor") or 0)]
        active = conversations.everything(db, conversations.ACTIVE)
        cursors += [m.Cursor(row.log_id, row.start, _chain_there(row)) for row in active]
        self._followed = {(row.log_id, row.joined_at) for row in active}
        self._confirmed = promises.confirmed(db)
        core.requests.internal(m.Subscribe(cursors), self._subscribed)

    def _subscribed(self, ticket: Ticket) -> None:
        core = self._core
        if ticket.error is not None:
            raise ticket.error
        if not isinstance(ticket.reply, m.Subscribed):
            raise ProtocolError("the server answered a subscription with something else")
        core.requests.online = True
        core.receiver.subscribed(ticket.reply.logs, _asked(ticket), whole=True)
        promises.look_at_ends(core, ticket.reply.logs, self._confirmed)
        core.emit(ConnectionEvent(at=stamp(core.now()), state="online"))
        core.requests.send_waiting()
        core.adopt_pending()
        for (log_id,) in core.db.rows("SELECT DISTINCT log_id FROM leavers"):
            core.remove_leavers(log_id)
        core.inbox.reconsider_all()
        stale.came_online(core)

    def follow(self) -> None:
        """Follow on this connection every conversation we are in, also those that another process
        of this profile has brought us into."""
        db = self._core.db
        active = {
            (bytes(log_id), joined_at)
            for log_id, joined_at in db.rows(
                "SELECT log_id, joined_at FROM conversations WHERE state = 'active'"
            )
        }
        new, self._followed = active - self._followed, active
        for log_id, _ in sorted(new):
            row = conversations.get(db, log_id)
            if row is not None:
                self.subscribe(log_id, row.start, _chain_there(row))
            else:
                self.subscribe(log_id, 0)

    def subscribe(self, log_id: bytes, cursor: int, chain: bytes = b"") -> None:
        """Start the flow of one more log, or of one anew."""

        def done(ticket: Ticket) -> None:
            if isinstance(ticket.reply, m.Subscribed):
                self._core.receiver.subscribed(ticket.reply.logs, _asked(ticket), whole=False)

        self._core.requests.internal(m.Subscribe([m.Cursor(log_id, cursor, chain)]), done)


def _chain_there(row: conversations.Conversation) -> bytes:
    """The hash chain at our cursor, where we have one."""
    return row.chain if row.cursor is not None else b""


def _asked(ticket: Ticket) -> dict[bytes, int]:
    """The cursors a subscription was asked with."""
    assert isinstance(ticket.message, m.Subscribe)
    return {cursor.log_id: cursor.seq for cursor in ticket.message.cursors}
