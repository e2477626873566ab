"""Servers on this network: announced and found by mDNS (RFC 6762, RFC 6763).

Needs the optional `zeroconf` (the extra `lan`); off unless asked for. What is announced is what
anybody who connects would see anyway: address, port, and the beginning of the fingerprint of the
server's certificate. No name of a person, a room or the machine. Whoever looks for the server of
a link compares that fingerprint, and TLS proves it: a false announcement leads nowhere.
"""

import base64
import contextlib
import importlib.util
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chatsecure.links import FINGERPRINT_BYTES
from chatsecure.wire.errors import ChatSecureError

SERVICE = "_chatsecure._tcp.local."
FIND_S = 2.0
MAX_FOUND = 64
"""Announcements are anybody's to make; more than these are not looked at."""
MAX_PROOFS = 8
ASK_MS = 200
"""How long one announcement may keep us waiting for its address."""
_FINGERPRINT = b"fp"


@dataclass(frozen=True, slots=True)
class Found:
    """A server that was announced."""

    host: str
    port: int
    fingerprint: bytes
    """The first 20 bytes of the SHA-256 of its certificate, as links have it."""


def available() -> bool:
    """Whether zeroconf is installed."""
    return importlib.util.find_spec("zeroconf") is not None


def _need_package(what: str) -> None:
    if not available():
        raise ChatSecureError(
            f"{what} needs the package zeroconf", hint="pip install 'chatsecure[lan]'"
        )


def announce(
    addresses: Sequence[str], port: int, certificate_hash: bytes, *, interfaces: Any = None
) -> Callable[[], None]:
    """Announce a server until the function that is returned is called.

    Args:
        addresses: of this machine, as others reach it.
        interfaces: where to announce, for zeroconf; all by default.

    Raises:
        ChatSecureError: zeroconf is missing, or the network does not allow it.
    """
    _need_package("announcing")
    from zeroconf import ServiceInfo

    # The name is random: it says nothing, and two servers on one network do not clash.
    name = f"{secrets.token_hex(4)}.{SERVICE}"
    info = ServiceInfo(
        SERVICE,
        name,
        port=port,
        addresses=[ipaddress.ip_address(address).packed for address in addresses],
        properties={_FINGERPRINT: base64.b64encode(certificate_hash[:FINGERPRINT_BYTES])},
        server=f"{secrets.token_hex(4)}.local.",
    )
    zeroconf = _open(interfaces)
    try:
        zeroconf.register_service(info)
    except OSError as error:
        zeroconf.close()
        raise _no_network(error) from None

    def stop() -> None:
        with contextlib.suppress(OSError):
            zeroconf.unregister_service(info)
        zeroconf.close()

    return stop


def find(
    seconds: float = FIND_S,
    fingerprint: bytes | None = None,
    *,
    proof: Callable[[Found], bool] | None = None,
    interfaces: Any = None,
) -> list[Found]:
    """Look for servers; blocks.

    Args:
        seconds: how long to listen for answers.
        fingerprint: look for this one only, and come back as soon as it is found.
        proof: asked about each server with that fingerprint, in a thread of its own: anybody can
            announce anything. Only what passes is found; the first that passes ends the search.
        interfaces: where to look, for zeroconf; all by default.

    Raises:
        ChatSecureError: zeroconf is missing, or the network does not allow it.
    """
    _need_package("finding servers")
    from zeroconf import ServiceBrowser, ServiceStateChange

    names: dict[str, None] = {}

    def announced(name: str, state_change: ServiceStateChange, **_others: Any) -> None:
        if state_change is ServiceStateChange.Removed:
            names.pop(name, None)
        elif len(names) < MAX_FOUND:
            names[name] = None

    zeroconf = _open(interfaces)
    found: dict[str, list[Found]] = {}
    proofs: dict[Found, Future[bool]] = {}
    pool = ThreadPoolExecutor(MAX_PROOFS, thread_name_prefix="proof")

    def taken() -> list[Found]:
        every = dict.fromkeys(one for many in found.values() for one in many)
        fitting = [one for one in every if fingerprint in (None, one.fingerprint)]
        if proof is None:
            return fitting
        for one in fitting[:MAX_FOUND]:
            if one not in proofs:
                proofs[one] = pool.submit(proof, one)
        return [one for one, passed in proofs.items() if passed.done() and passed.result()]

    try:
        ServiceBrowser(zeroconf, SERVICE, handlers=[announced])
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            _resolve(zeroconf, [name for name in list(names) if name not in found], found, left)
            # Proofs begin as soon as there is something to prove.
            if taken() and fingerprint is not None:
                break
            time.sleep(min(0.05, left))
        return taken()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        zeroconf.close()


def _resolve(zeroconf: Any, new: list[str], found: dict[str, list[Found]], left_s: float) -> None:
    """Take what is known of new names; ask for one that is not. A name that never answers must
    not keep others from being found."""
    from zeroconf import ServiceInfo

    silent: list[ServiceInfo] = []
    for name in new:
        info = ServiceInfo(SERVICE, name)
        if info.load_from_cache(zeroconf):
            found[name] = list(_servers(info))
        else:
            silent.append(info)
    if silent:
        info = secrets.choice(silent)
        if info.request(zeroconf, min(left_s * 1000, ASK_MS)):
            found[info.name] = list(_servers(info))


def _servers(info: Any) -> list[Found]:
    """What an announcement says, where it is one of ours; one for each address."""
    try:
        print_ = base64.b64decode(info.properties.get(_FINGERPRINT) or b"", validate=True)
    except ValueError:
        return []
    if len(print_) != FINGERPRINT_BYTES or not 0 < (info.port or 0) < 65536:
        return []
    hosts = [str(address) for address in info.ip_addresses_by_version(_all_versions())]
    return [Found(host, info.port, print_) for host in hosts[:8]]


def _all_versions() -> Any:
    from zeroconf import IPVersion

    return IPVersion.All


def _open(interfaces: Any) -> Any:
    from zeroconf import InterfaceChoice, Zeroconf

    try:
        # With a thread of its own, also where the caller is in an event loop.
        where = InterfaceChoice.All if interfaces is None else interfaces
        return Zeroconf(interfaces=where, use_asyncio=False)
    except OSError as error:
        raise _no_network(error) from None


def _no_network(error: OSError) -> ChatSecureError:
    return ChatSecureError(f"this network does not allow mDNS: {error.strerror or error}")


def addresses_of(host: str) -> list[str]:
    """The addresses to announce for what a server listens on.

    Args:
        host: an address, or a name of this machine.
    """
    with contextlib.suppress(OSError):
        return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, None)))
    return []
