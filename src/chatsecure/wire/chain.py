"""The hash chain of a log, computed by the server and by every member alike.

    h(0) = SHA-256("chatsecure log v1\\0" || log id)
    h(n) = SHA-256("chatsecure entry v1\\0" || h(n-1) || seq || at || sender || append id
                   || epoch || kind || SHA-256(payload))

Integers are 8 bytes big-endian, the kind is one byte. Members tell each other, inside MLS, the
head they have seen, so that a server which drops, reorders, rolls back or shows different people
different pasts is noticed (design section 7, promise 3).
"""

from hashlib import sha256
from struct import Struct

from .messages import Entry

_FIELDS = Struct(">QQ16s16sQB")


def chain_start(log_id: bytes) -> bytes:
    """The chain's value before the first entry."""
    return sha256(b"chatsecure log v1\0" + log_id).digest()


def chain_next(previous: bytes, entry: Entry) -> bytes:
    """The chain's value after `entry`."""
    fields = _FIELDS.pack(
        entry.seq, entry.at, entry.device_id, entry.append_id, entry.epoch, entry.kind
    )
    return sha256(
        b"chatsecure entry v1\0" + previous + fields + sha256(entry.payload).digest()
    ).digest()
