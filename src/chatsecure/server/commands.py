"""What an operator can ask: the same with a running server and on a stopped one's folder."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatsecure.links import (
    format_address,
    format_link,
    make_secret,
    parse_address,
    token_hash,
    token_of,
)
from chatsecure.names import fold_name, nearest
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage

from . import tls
from .backup import backup
from .blobs.disk import DiskBlobs
from .folder import Folder, write_private
from .limits import ServerLimits
from .rules.accounts import put_server_token
from .store.base import Tx, UserRow
from .store.sqlite import SqliteStore

MAX_USERS = 100_000


@dataclass(frozen=True, slots=True)
class Operator:
    """Carries out the operator's commands.

    The callables are the running server's; on a stopped one they work on the store alone.
    """

    store: SqliteStore
    blobs: DiskBlobs
    folder: Folder
    limits: ServerLimits
    address: tuple[str, int] | None
    certificate_hash: bytes
    figures: Callable[[], dict[str, Any]]
    ban: Callable[[str], object]
    unban: Callable[[str], object]

    def run(self, command: str, args: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command.

        Raises:
            ChatSecureError: it cannot be done.
        """
        match command:
            case "ping":
                return {"pong": True}
            case "users":
                return {"users": self.store.read(self._users)}
            case "ban":
                name = self._user(_text(args, "name"))
                self.ban(name)
                return {"name": name, "banned": True}
            case "unban":
                return self._unban(_text(args, "name"))
            case "token":
                return self._token(args)
            case "limits":
                return {"limits": self.limits.as_rows()}
            case "stats":
                running = self.figures()
                running.pop("online", None)
                return self.store.read(lambda tx: tx.totals()) | running
            case "backup":
                return backup(self.store, self.blobs, self.folder, Path(_text(args, "file")))
            case _:
                raise Usage(f"there is no command called {command}")

    def _users(self, tx: Tx) -> list[dict[str, Any]]:
        banned = {folded: (name, at) for folded, name, at in tx.bans()}
        online = set(self.figures().get("online", ()))

        def row(user: UserRow) -> dict[str, Any]:
            return {
                "name": user.name,
                "role": user.role.name.lower(),
                "online": user.name in online,
                "banned": banned.pop(user.folded, None) is not None,
                "devices": len(tx.devices(user.key)),
                "created_at": user.created_at,
            }

        return [row(user) for user in tx.users_after("", MAX_USERS)]

    def _user(self, name: str) -> str:
        def look(tx: Tx) -> str:
            user = tx.user_by_name(fold_name(name))
            if user is not None:
                return user.name
            near = nearest(name, tx.names(1000))
            raise NotFound(
                f"there is no user called {name}", hint=f"did you mean {near}?" if near else ""
            )

        return self.store.read(look)

    def _unban(self, name: str) -> dict[str, Any]:
        folded = fold_name(name)
        names = {ban[0]: ban[1] for ban in self.store.read(lambda tx: tx.bans())}
        if folded not in names:
            raise NotFound(f"{name} is not banned")
        self.unban(names[folded])
        return {"name": names[folded], "banned": False}

    def _token(self, args: dict[str, Any]) -> dict[str, Any]:
        uses, expires_s = args.get("uses", 1), args.get("expires_s", 7 * 86_400)
        if not isinstance(uses, int) or not 1 <= uses <= self.limits.token_uses:
            raise Usage(f"a token has 1 to {self.limits.token_uses} uses")
        if not isinstance(expires_s, int | float) or not 0 < expires_s <= self.limits.token_s:
            raise Usage(f"a token lives for at most {self.limits.token_s // 86_400} days")
        if self.address is None:
            raise ChatSecureError(
                "this server was never started, so nobody knows its address",
                hint="start it once with chatsecure serve",
            )
        secret, now = make_secret(), _now()
        expires_at = now + int(expires_s * 1000)
        hash_ = token_hash(token_of(secret))
        self.store.run(lambda tx: put_server_token(tx, hash_, uses, expires_at, now))
        link = format_link(*self.address, self.certificate_hash, secret)
        return {"link": link, "uses": uses, "expires_at": expires_at}


def _text(args: dict[str, Any], key: str) -> str:
    value = args.get(key)
    if not isinstance(value, str) or not value:
        raise Usage(f"{key} is missing")
    return value


def _now() -> int:
    import time

    return time.time_ns() // 1_000_000


def remember_address(folder: Folder, address: tuple[str, int]) -> None:
    """So that a link can be made while no server runs."""
    with contextlib.suppress(OSError):
        write_private(folder.path / "address", format_address(*address).encode() + b"\n")


@contextlib.contextmanager
def offline(folder: Folder) -> Iterator[Operator]:
    """The commands on a stopped server's folder, whose lock the caller holds."""
    store = SqliteStore(folder.database, threaded=False)
    try:
        address = None
        with contextlib.suppress(OSError, Usage):
            address = parse_address((folder.path / "address").read_text("utf-8"))
        certificate = tls.ensure_certificate(folder, _moment())
        yield Operator(
            store=store,
            blobs=DiskBlobs(folder.blobs),
            folder=folder,
            limits=ServerLimits(),
            address=address,
            certificate_hash=tls.fingerprint(certificate),
            figures=dict,
            ban=lambda name: store.run(lambda tx: tx.ban(fold_name(name), name, _now())),
            unban=lambda name: store.run(lambda tx: tx.unban(fold_name(name))),
        )
    finally:
        store.close()


def _moment() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)
