"""Where the server is: the address of its link, or where this network says it is today.

A server on a laptop has another address in another network. Where it does not answer and its
address was a private one, the network is asked for the server with the pinned fingerprint
(`chatsecure.lan`); TLS then proves that it is the one. Knows no connection and no chat.
"""

import ipaddress
from contextlib import suppress
from hashlib import sha256

from chatsecure import lan
from chatsecure.wire.errors import ChatSecureError

from . import settings
from .profile.database import Database


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
        """Ask the network; blocks up to `lan.FIND_S` seconds. Gives whether there is another
        address to try."""
        with suppress(ChatSecureError):
            for found in lan.find(fingerprint=self._fingerprint):
                if (found.host, found.port) != self.address:
                    self.address = (found.host, found.port)
                    return True
        return False

    def proves(self, certificate: bytes) -> bool:
        """Whether a server with this certificate (DER) is ours: announcements can be anybody's."""
        return bool(self._fingerprint) and sha256(certificate).digest().startswith(
            self._fingerprint
        )

    def keep(self) -> None:
        """The server answered here: remember it for the next time."""
        if self.address != (self._db.get("server_host"), int(self._db.get("server_port"))):
            with self._db.transaction():
                self._db.put("server_host", self.address[0])
                self._db.put("server_port", self.address[1])


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.endswith(".local")
    return address.is_private and not address.is_loopback
