"""Who asks, as authenticated at log-in, and how a refusal is made."""

from dataclasses import dataclass

from chatsecure.server.store.base import DeviceKey, UserKey
from chatsecure.wire.errors import ErrorCode, Refused
from chatsecure.wire.messages import Role


@dataclass(frozen=True, slots=True)
class Who:
    """The device at the other end of a connection."""

    user: UserKey
    device: DeviceKey
    device_id: bytes
    name: str
    folded: str
    role: Role


def no_user(name: str, near: str | None = None) -> Refused:
    """There is no such user."""
    guess = f"; did you mean {near}?" if near else ""
    return Refused(ErrorCode.NOT_FOUND, f"there is no user called {name}{guess}")


def no_log() -> Refused:
    """There is no such conversation."""
    return Refused(ErrorCode.NOT_FOUND, "there is no such conversation on this server")
