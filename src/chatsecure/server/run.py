"""`chatsecure serve`: puts the parts together, starts an engine, and takes it down in order."""

import contextlib
import errno
import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

from chatsecure import __version__, lan
from chatsecure.links import (
    DEFAULT_PORT,
    format_address,
    format_link,
    make_secret,
    parse_address,
    qr_text,
    token_hash,
    token_of,
)
from chatsecure.wire.errors import ChatSecureError, Usage

from . import journal, tls
from .admin import AdminServer
from .blobs.disk import DiskBlobs
from .commands import remember_address
from .console import Console
from .core import Core
from .engines.base import BACKLOG, Engine
from .folder import Folder
from .limits import DAY_S, ServerLimits, make_limits
from .metrics import MetricsServer, figures
from .rules.accounts import put_owner_token
from .store.sqlite import SqliteStore

log = logging.getLogger("chatsecure.server")
DEFAULT_LISTEN = f"0.0.0.0:{DEFAULT_PORT}"
ENGINES = ("events", "threads")
ANY_HOSTS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to
SWITCH_INTERVAL_S = 0.0005
"""Threads hand on the interpreter sooner than by default (5 ms): the store's writer must not wait
that long for each statement while the event loop is busy."""


def default_data() -> Path:
    """Where a server keeps its data unless told otherwise."""
    from platformdirs import user_data_path

    return user_data_path("chatsecure", appauthor=False) / "server"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `chatsecure serve` was asked for."""

    data: Path | None = None
    listen: str = DEFAULT_LISTEN
    engine: str = "events"
    public_address: str | None = None
    retention_days: int | None = None
    metrics: str | None = None
    announce: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    json: bool = False
    plain: bool = False
    quiet: bool = False


# --- the parts -----------------------------------------------------------------------------------


def listen_on(host: str, port: int) -> list[socket.socket]:
    """Bound, listening sockets.

    Raises:
        ChatSecureError: the port is in use, or the address is not ours.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise Usage(f"{host} is no address of this machine: {error}") from error
    for family, kind, protocol, _, address in dict.fromkeys(found):
        sock = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
            if sockets:
                # One port for all addresses of a name, also when it was chosen by the system.
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sock.bind(address)
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            for other in sockets:
                other.close()
            raise _cannot_listen(error, host, port) from error
        sockets.append(sock)
    return sockets


def _cannot_listen(error: OSError, host: str, port: int) -> ChatSecureError:
    if error.errno == errno.EADDRINUSE:
        other = format_address(host, port + 1 if port < 65535 else 0)
        return ChatSecureError(f"port {port} is in use", hint=f"try --listen {other}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ChatSecureError(
            f"port {port} needs more rights than you have", hint="choose one above 1023"
        )
    return ChatSecureError(f"cannot listen on {format_address(host, port)}: {error.strerror}")


def lan_address() -> str:
    """This machine's address as its network sees it; nothing is sent to find it."""
    for family, probe in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((probe, 9))
            return str(sock.getsockname()[0])
    return "127.0.0.1"


def public_address(options: ServeOptions, host: str, port: int) -> tuple[str, int]:
    """What links name."""
    if options.public_address:
        name, there = parse_address(options.public_address, port)
        return name, there or port
    return (lan_address() if host in ANY_HOSTS else host), port


def make_core(
    store: SqliteStore, blobs: DiskBlobs, limits: ServerLimits, certificate: bytes
) -> Core:
    """A core with the real clock and randomness."""
    total = limits.total_blob_bytes
    if not total:
        total = (blobs.free() + store.read(lambda tx: tx.totals())["blob_bytes"]) * 8 // 10
    return Core(
        store,
        blobs,
        limits,
        certificate_hash=tls.fingerprint(certificate),
        now=lambda: time.time_ns() // 1_000_000,
        clock=time.monotonic,
        random=secrets.token_bytes,
        total_blob_bytes=total,
    )


def make_engine(name: str, core: Core, folder: Folder, sockets: list[socket.socket]) -> Engine:
    """The engine with this name."""
    context = tls.make_context(folder)
    if name == "threads":
        from .engines.threads import ThreadsEngine

        return ThreadsEngine(core, context, sockets)
    from .engines.events import EventsEngine

    return EventsEngine(core, context, sockets)


def owner_link(core: Core, store: SqliteStore, address: tuple[str, int], now: int) -> str | None:
    """While nobody owns the server: a fresh link for the owner; earlier ones are void."""
    secret = make_secret()
    hash_ = token_hash(token_of(secret))
    done: list[bool] = []
    if not store.read(lambda tx: tx.has_owner()):
        done = [store.run(lambda tx: put_owner_token(tx, hash_, now))]
    if not any(done):
        return None
    return format_link(*address, core.certificate_hash, secret)


# --- the whole -----------------------------------------------------------------------------------


class Server:
    """A server that is ready to run; for `serve` and for tests in this process.

    Args:
        options: as asked for; `data` is set.

    Raises:
        ChatSecureError: it cannot start, and why.
    """

    def __init__(self, options: ServeOptions) -> None:
        if options.engine not in ENGINES:
            raise Usage(f"there is no engine called {options.engine}; events or threads")
        settings = dict(options.limits)
        if options.retention_days is not None:
            settings["retention_s"] = options.retention_days * DAY_S
        self.options = options
        self.limits = make_limits(settings)
        self.folder = Folder(options.data or default_data())
        host, port = parse_address(options.listen)
        with contextlib.ExitStack() as stack:
            self.first_start = self.folder.prepare()
            self.folder.acquire()
            stack.callback(self.folder.release)
            self.certificate = tls.ensure_certificate(self.folder, datetime.now(UTC))
            sockets = listen_on(host, port)
            for sock in sockets:
                stack.callback(sock.close)
            self.host, self.port = host, int(sockets[0].getsockname()[1])
            self.store = SqliteStore(self.folder.database)
            stack.callback(self.store.close)
            self.blobs = DiskBlobs(self.folder.blobs)
            self.core = make_core(self.store, self.blobs, self.limits, self.certificate)
            self.engine = make_engine(options.engine, self.core, self.folder, sockets)
            self.address = public_address(options, host, self.port)
            self.link = owner_link(self.core, self.store, self.address, self.core.now())
            self.started = self.core.clock()
            remember_address(self.folder, self.address)
            self._parts = contextlib.ExitStack()
            self._metrics = (
                listen_on(*parse_address(options.metrics, None)) if options.metrics else []
            )
            self._undo = stack.pop_all()

    def figures(self) -> dict[str, object]:
        """What the server does now."""
        return figures(self.core, self.started)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`, then take everything down."""

        def begin() -> None:
            self._parts.callback(AdminServer(self).close)
            self.core.transfers.drop_orphans()
            ready()

        with self._undo, self._parts:
            for sock in self._metrics:
                self._parts.callback(MetricsServer(sock, self.figures).close)
            if self.options.announce:
                self._parts.callback(self._announce())
            self.engine.run(begin)

    def _announce(self) -> Callable[[], None]:
        where = lan.addresses_of(lan_address() if self.host in ANY_HOSTS else self.host)
        return lan.announce(where, self.port, self.core.certificate_hash)

    def stop(self) -> None:
        """Begin to stop; from any thread."""
        self.engine.stop()


def serve(options: ServeOptions) -> int:
    """Run a server until it is told to stop. Gives the exit code.

    Raises:
        ChatSecureError: it cannot start, and why.
    """
    _more_files()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    server = Server(options)
    live = sys.stderr.isatty() and not options.plain and not options.quiet
    console = Console(server.figures) if live else None
    # The console takes what is logged, so that a line of it never tears its own.
    handler = journal.set_up(cast("TextIO", console), people=True) if live else journal.set_up()
    _notices(server)

    def ready() -> None:
        _say_ready(server)
        log.info(
            "started",
            extra={
                "version": __version__,
                "listen": format_address(server.host, server.port),
                "engine": options.engine,
            },
        )
        if console is not None:
            console.start()

    try:
        server.run(ready)
        log.info("stopped")
    finally:
        if console is not None:
            console.close()
        journal.tear_down(handler)
    return 0


def _say_ready(server: Server) -> None:
    if server.options.json:
        _print_json(
            {
                "event": "ready",
                "host": server.host,
                "port": server.port,
                "fingerprint": server.core.certificate_hash.hex(),
            }
        )
        if server.link:
            _print_json({"event": "link", "link": server.link})
    else:
        print(f"ready {format_address(server.host, server.port)}", flush=True)
        if server.link:
            print(f"link {server.link}", flush=True)
            _explain_link(server)


def _explain_link(server: Server) -> None:
    """What the owner's link is for; on a terminal as a QR code too."""
    if server.options.quiet or not server.link:
        return
    if sys.stderr.isatty() and not server.options.plain:
        sys.stderr.write(qr_text(server.link, plain=False) + "\n")
    sys.stderr.write(
        "this link makes its user the owner: works once, for 24 h.  "
        "On your computer: chatsecure gui, or chatsecure join\n"
    )
    sys.stderr.flush()


def _print_json(value: dict[str, object]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _notices(server: Server) -> None:
    if server.options.quiet:
        return
    say = sys.stderr.write
    if server.first_start:
        say(
            f"first start: made the data folder ({server.folder.path}), a TLS key and a database\n"
            f"fingerprint {grouped(server.core.certificate_hash)}"
            "        others check it by themselves: it is in every link\n"
        )
    if server.host in ANY_HOSTS and not server.options.public_address:
        say(
            f"reachable in this network as {server.address[0]}. For the internet: open TCP "
            f"{server.port} and start with --public-address NAME:{server.port}\n"
        )
    sys.stderr.flush()


def grouped(fingerprint: bytes) -> str:
    """The beginning of a fingerprint, for people: groups of four letters and digits."""
    import base64

    text = base64.b32encode(fingerprint[:20]).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _more_files() -> None:
    """As many open files as the system allows: each connection is one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(hard, 1_048_576) if hard != resource.RLIM_INFINITY else 1_048_576
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
