"""The facade's part for people: who is there, whose identity is whose, our own devices."""

from contextlib import suppress

from chatsecure.crypto import certificates, fingerprint
from chatsecure.wire import messages as m
from chatsecure.wire.errors import NotFound, WrongIdentity

from . import contacts, conversations, flows_people
from .core import Core
from .driver import now_ms
from .events import IdentityEvent, stamp
from .facade import Facade
from .flow import Flow
from .groups import moment
from .lines import DeviceLine, UserLine, Verification


class People(Facade):
    """People and trust."""

    async def users(self) -> list[UserLine]:
        """Everybody on the server."""
        lines = []
        for user in await self.run(flows_people.list_users(self._core)):
            known = contacts.get(self._db, user.name)
            lines.append(
                UserLine(
                    name=user.name,
                    fingerprint=fingerprint.format_fingerprint(user.fingerprint),
                    online=user.online,
                    owner=user.role is m.Role.OWNER,
                    me=user.fingerprint == self._core.me.fingerprint,
                    verified=known is not None and known.verified,
                    changed=known is not None and known.fingerprint != user.fingerprint,
                    away=contacts.away(self._db, user.name),
                )
            )
        return lines

    async def query(self, user: str) -> str:
        """Open a private chat without writing; gives its name `@user`."""
        log_id = await self._log("@" + user.removeprefix("@"))
        row = conversations.get(self._db, log_id)
        assert row is not None
        with self._db.transaction():
            self._db.run("DELETE FROM meta WHERE key = ?", "closed " + log_id.hex())
        return row.name

    async def verify(self, user: str) -> Verification:
        """The safety number that we and a user compare.

        Raises:
            NotFound: there is no such user.
        """
        user = user.removeprefix("@")
        known = contacts.get(self._db, user)
        if known is None or known.changed_certificate is None:
            with suppress(WrongIdentity):
                await self.run(flows_people.fetch_person(self._core, user))
            known = contacts.get(self._db, user)
        if known is None:
            raise NotFound(f"there is no user {user} on this server")
        theirs = known.fingerprint
        if known.changed_certificate is not None:
            theirs = self._changed_fingerprint(known)
        digits = fingerprint.safety_number(self._core.me.fingerprint, theirs)
        return Verification(
            user=known.name,
            safety_number=fingerprint.format_safety_number(digits),
            fingerprint=fingerprint.format_fingerprint(theirs),
            verified=known.verified,
            changed=known.changed_certificate is not None,
        )

    def _changed_fingerprint(self, known: contacts.Contact) -> bytes:
        changed = known.changed_certificate or b""
        return certificates.check_identity(changed, moment(now_ms())).fingerprint

    async def accept_identity(self, user: str) -> None:
        """Accept a changed identity, after comparing."""
        known = contacts.get(self._db, user.removeprefix("@"))
        if known is None or known.changed_certificate is None:
            return
        with self._db.transaction():
            contacts.accept_change(self._db, known.name, self._changed_fingerprint(known))

    async def mark_verified(self, user: str) -> None:
        """The safety number was compared and is the same; accepts a changed identity."""
        await self.accept_identity(user)
        known = contacts.get(self._db, user.removeprefix("@"))
        if known is None:
            raise NotFound(f"there is no user {user} here")
        with self._db.transaction():
            contacts.mark_verified(self._db, known.name)
            self._core.emit(
                IdentityEvent(
                    at=stamp(now_ms()),
                    user=known.name,
                    state="verified",
                    fingerprint=fingerprint.format_fingerprint(known.fingerprint),
                )
            )

    async def devices(self) -> list[DeviceLine]:
        """Our devices."""
        reply = await self.run(_ask(self._core, m.GetUser(self.name)))
        assert isinstance(reply, m.User)
        return [
            DeviceLine(
                device_id=device.device_id.hex(),
                this=device.device_id == self._core.me.device_id,
                last_seen=stamp(device.last_seen) if device.last_seen else None,
            )
            for device in reply.devices
        ]


def _ask(core: Core, message: m.Message) -> Flow[m.Message]:
    reply = yield core.ask(message)
    return reply  # type: ignore[no-any-return]
