"""Links: one line that holds everything needed to join.

    chatsecure://HOST:PORT/FINGERPRINT#SECRET

FINGERPRINT is the beginning of the SHA-256 of the server's TLS certificate, SECRET 32 random
bytes, both base64url. From the secret, which never reaches the server, are derived: the token
that lets its holder register (the server keeps its hash), and for `#lobby` and, where the link
is to one, the room: the link's id, the key that opens its sealed GroupInfo and the pre-shared key
of the external Commit (design section 5, "How a device gets in"). With an owner's link only the
token counts.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from hashlib import sha256

from chatsecure.wire.errors import Usage

SCHEME = "chatsecure://"
FINGERPRINT_BYTES = 20
"""160 bits of the certificate's SHA-256: keeps the QR code small; a second certificate with the
same beginning is out of reach."""
SECRET_BYTES = 32
MAX_LINK_CHARACTERS = 134
"""Longest link whose QR code (version 6) fits a terminal of 24 rows."""
MAX_HOST_CHARACTERS = 253
DEFAULT_PORT = 5330


class BadLink(Usage):
    """A text that is no link of ours."""


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """A parsed link. Its `repr` holds no secret: it may end in a log."""

    host: str
    port: int
    fingerprint: bytes
    """The first `FINGERPRINT_BYTES` of the SHA-256 of the server's certificate."""
    secret: bytes

    def __repr__(self) -> str:
        return f"Link({self.host}:{self.port})"


def make_secret() -> bytes:
    """A fresh secret, 32 bytes."""
    return secrets.token_bytes(SECRET_BYTES)


def _derive(secret: bytes, purpose: str, length: int) -> bytes:
    from chatsecure.crypto.sealing import derive

    return derive(secret, "link " + purpose, length)


def token_of(secret: bytes) -> bytes:
    """The registration token of a link's secret, 16 bytes."""
    return _derive(secret, "token", 16)


def token_hash(token: bytes) -> bytes:
    """What the server keeps of a token."""
    return sha256(token).digest()


def lobby_secret(secret: bytes) -> bytes:
    """The secret by which a link opens `#lobby`."""
    return _derive(secret, "lobby", SECRET_BYTES)


def room_secret(secret: bytes) -> bytes:
    """The secret by which a link opens its room, if it is to one."""
    return _derive(secret, "room", SECRET_BYTES)


def link_id(conversation_secret: bytes) -> bytes:
    """The id under which the server knows a conversation's link, 16 bytes.

    Args:
        conversation_secret: from `lobby_secret` or `room_secret`.
    """
    return _derive(conversation_secret, "id", 16)


def psk(conversation_secret: bytes) -> bytes:
    """The pre-shared key that an external Commit by this link must include, 32 bytes."""
    return _derive(conversation_secret, "psk", 32)


def format_address(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str, default_port: int | None = DEFAULT_PORT) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `HOST` or `[IPV6]:PORT`.

    Raises:
        Usage: it is none.
    """
    text = text.strip()
    if text.startswith("["):
        host, found, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":") if found and (not rest or rest[0] == ":") else "bad"
    elif text.count(":") > 1:
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    if not port_text and default_port is not None:
        port_text = str(default_port)
    if (
        not 1 <= len(host) <= MAX_HOST_CHARACTERS
        or not host.isprintable()
        or set(host) & set(" /#?@\\")
        or not (port_text.isascii() and port_text.isdigit())
        or not 0 <= int(port_text) <= 65535
    ):
        raise Usage(f"{text!r} is no address; write HOST:PORT")
    return host, int(port_text)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str, length: int) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadLink("this is no link: a part of it is damaged or missing") from None
    if len(data) != length:
        raise BadLink("this is no link: a part of it is damaged or missing")
    return data


def format_link(host: str, port: int, fingerprint: bytes, secret: bytes) -> str:
    """The link as text.

    Args:
        fingerprint: SHA-256 of the server's certificate, or its first `FINGERPRINT_BYTES`.
    """
    short = fingerprint[:FINGERPRINT_BYTES]
    return f"{SCHEME}{format_address(host, port)}/{_b64(short)}#{_b64(secret)}"


def parse_link(text: str) -> Link:
    """The link in a text.

    Raises:
        BadLink: it is none; the message does not repeat it, since it may hold a secret.
    """
    text = text.strip()
    if len(text) > 1024 or not text.startswith(SCHEME):
        raise BadLink("this is no link; a link begins with chatsecure://")
    address, slash, rest = text[len(SCHEME) :].partition("/")
    fingerprint, mark, secret = rest.partition("#")
    if not slash or not mark:
        raise BadLink("this is no link: its end is missing; was it copied whole?")
    try:
        host, port = parse_address(address)
    except Usage:
        raise BadLink("this is no link: it names no address") from None
    if port == 0:
        raise BadLink("this is no link: it names no port")
    return Link(host, port, _unb64(fingerprint, FINGERPRINT_BYTES), _unb64(secret, SECRET_BYTES))


def qr_text(text: str, *, plain: bool) -> str:
    """A QR code for a terminal, dark signs on light ground reversed: most terminals are dark."""
    import segno

    code = segno.make(text, error="l", boost_error=False, micro=False)
    rows = [[bool(cell) for cell in row] for row in code.matrix_iter(border=1)]
    if plain:
        return "\n".join("".join("  " if cell else "##" for cell in row) for row in rows)
    return half_blocks([[not cell for cell in row] for row in rows])


def half_blocks(ink: list[list[bool]]) -> str:
    """Cells drawn by half blocks, two in a row's height; True is ink."""
    rows = [*ink, [False] * len(ink[0])] if len(ink) % 2 else ink
    signs = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return "\n".join(
        "".join(signs[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
