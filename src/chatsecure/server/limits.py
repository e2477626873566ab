"""Every limit of the server in one place: name, default, unit, reason.

Each can be set with `--limit NAME=VALUE` and is shown by `chatsecure admin limits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from chatsecure.wire.errors import Usage

KIB, MIB, GIB = 1024, 1024**2, 1024**3
DAY_S = 86_400
_LEAST = {"total_blob_bytes": 0, "queue_bytes": 256 * KIB}


def _limit(default: int, unit: str, reason: str) -> Any:
    return field(default=default, metadata={"unit": unit, "reason": reason})


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one server allows."""

    connections: int = _limit(20_000, "connections", "file descriptors and memory")
    connections_per_address: int = _limit(1_024, "connections", "one host must not take them all")
    handshake_s: int = _limit(10, "s", "a connection that never finishes TLS holds a place")
    login_s: int = _limit(20, "s", "a connection that never logs in holds a place")
    login_failures: int = _limit(120, "a minute and address", "nobody shall try tokens for long")
    keepalive_s: int = _limit(10, "s", "silence after which a Ping is sent")
    dead_s: int = _limit(25, "s", "silence after which a connection counts as broken")
    queue_bytes: int = _limit(1 * MIB, "bytes a connection", "a slow reader must not fill memory")
    requests_in_flight: int = _limit(512, "requests a connection", "answers still to be made")
    request_bytes_in_flight: int = _limit(8 * MIB, "bytes a connection", "requests still held")
    append_rate: int = _limit(2_000, "entries a second and device", "one must not drown others")
    append_burst: int = _limit(10_000, "entries a device", "an outbox that comes back online")
    request_rate: int = _limit(2_000, "requests a second and device", "work of other kinds")
    request_burst: int = _limit(10_000, "requests a device", "a start with many conversations")
    claim_rate: int = _limit(20, "users a second and device", "KeyPackages must not be drained")
    claim_burst: int = _limit(2_000, "users a device", "making a room of a thousand people")
    whisper_rate: int = _limit(20, "whispers a second and device", "typing is not a channel")
    users: int = _limit(100_000, "users", "size of the database")
    key_packages: int = _limit(200, "KeyPackages a device", "space for unclaimed ones")
    roster: int = _limit(10_000, "devices a conversation", "cost of a commit")
    logs_per_user: int = _limit(10_000, "conversations made by a user", "size of the database")
    tokens_per_user: int = _limit(200, "open tokens a user", "size of the database")
    token_uses: int = _limit(10_000, "uses of a token", "a lost link must not be open for ever")
    token_s: int = _limit(365 * DAY_S, "s a token lives", "a lost link must not be open for ever")
    blob_bytes: int = _limit(16 * GIB, "bytes a file", "disk")
    user_blob_bytes: int = _limit(64 * GIB, "bytes of files a user", "disk")
    total_blob_bytes: int = _limit(0, "bytes of files in all", "disk; 0: 80 % of what is free")
    blobs_per_user: int = _limit(100_000, "files a user", "size of the folder")
    file_connections: int = _limit(256, "connections", "each has a thread")
    file_connections_per_address: int = _limit(64, "connections", "one host must not take them all")
    file_connections_per_user: int = _limit(32, "connections", "one user must not take them all")
    file_idle_s: int = _limit(30, "s", "a file connection that moves nothing holds a place")
    upload_idle_s: int = _limit(3 * DAY_S, "s", "an upload nobody goes on with is deleted")
    retention_s: int = _limit(30 * DAY_S, "s", "how long what nobody fetched is kept")
    batch_bytes: int = _limit(256 * KIB, "bytes a frame", "entries pushed at once")

    def as_rows(self) -> list[dict[str, Any]]:
        """The table as `chatsecure admin limits` shows it."""
        return [
            {"name": item.name, "value": getattr(self, item.name), "default": item.default}
            | dict(item.metadata)
            for item in fields(self)
        ]


def make_limits(settings: Mapping[str, int]) -> ServerLimits:
    """The limits with these settings.

    Raises:
        Usage: a name is unknown or a value out of range.
    """
    known = {item.name for item in fields(ServerLimits)}
    for name, value in settings.items():
        if name not in known:
            raise Usage(f"there is no limit called {name}", hint="see chatsecure admin limits")
        least = _LEAST.get(name, 1)
        if not least <= value < 2**62:
            raise Usage(f"the limit {name} cannot be {value}")
    return ServerLimits(**settings)
