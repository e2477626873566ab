"""Where the server is: the address of its link, or where this network says it is today.

A server on a laptop has another address in another network. Where it does not answer and its
address was a private one, the network is asked for the server with the pinned fingerprint
(`chatsecure.lan`); its certificate proves that it is the one. Knows nothing of chat.
"""

import ipaddress
import socket
from contextlib import suppress
from hashlib import sha256

from chatsecure import lan
from chatsecure.links import FINGERPRINT_BYTES
from chatsecure.wire.errors import ChatSecureError

from . import settings
from .connection import SERVER_NAME, tls_context
from .profile.database import Database

PROOF_S = 2.0
"""How long an announced server may take to show its certificate."""


class Whereabouts:
    """The address to connect to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._fingerprint = bytes(db.get("server_fingerprint") or b"")
        self.address: tuple[str, int] = (db.get("server_host"), int(db.get("server_port")))

    def may_look(self) -> bool:
        """Whether asking the network is possible and wanted."""
        wanted = settings.value(self._db, "find_server")
        asked = wanted == "yes" or (wanted == "auto" and _is_private(self.address[0]))
        return asked and lan.available()

    def look(self) -> bool:
        """Ask the network; blocks up to `lan.FIND_S` seconds. Gives whether it was found, at
        another address than before."""
        with suppress(ChatSecureError):
            there = locate(self._fingerprint)
            if there is not None and (there.host, there.port) != self.address:
                self.address = (there.host, there.port)
                return True
        return False

    def keep(self) -> None:
        """The server answered here: remember it for the next time."""
        if self.address != (self._db.get("server_host"), int(self._db.get("server_port"))):
            with self._db.transaction():
                self._db.put("server_host", self.address[0])
                self._db.put("server_port", self.address[1])


def locate(fingerprint: bytes, seconds: float = lan.FIND_S) -> lan.Found | None:
    """The server with this fingerprint on this network, proved by its certificate; blocks.

    Args:
        fingerprint: the beginning of the SHA-256 of its certificate, as links have it.
        seconds: how long to look at most.

    Raises:
        ChatSecureError: this machine or this network does not allow to look.
    """
    if len(fingerprint) != FINGERPRINT_BYTES:
        return None
    found = lan.find(seconds, fingerprint, proof=_proves)
    return found[0] if found else None


def nearby(seconds: float = lan.FIND_S) -> list[lan.Found]:
    """The servers that announce themselves on this network, each once; blocks.

    Each has proved by its certificate that it is the one announced.

    Raises:
        ChatSecureError: this machine or this network does not allow to look.
    """
    found = lan.find(seconds, proof=_proves)
    # One of several addresses is enough; people know those of four numbers.
    found.sort(key=lambda one: (":" in one.host, one.host))
    return list({one.fingerprint: one for one in reversed(found)}.values())[::-1]


def _proves(found: lan.Found) -> bool:
    """Whether there is a server with the announced certificate: announcements can be anybody's."""
    with (
        suppress(OSError),
        socket.create_connection((found.host, found.port), PROOF_S) as line,
        tls_context().wrap_socket(line, server_hostname=SERVER_NAME) as tls,
    ):
        certificate = tls.getpeercert(binary_form=True) or b""
        return sha256(certificate).digest().startswith(found.fingerprint)
    return False


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.endswith(".local")
    return address.is_private and not address.is_loopback


def is_near(host: str) -> bool:
    """Whether this is an address of this computer or of the network it is in."""
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return True
    return host == "localhost" or _is_private(host)
