"""Figures of a running server: for `admin stats`, the console, and Prometheus (text format).

Opt-in over HTTP (`--metrics HOST:PORT`): one thread that knows one answer. Figures only: no names,
no conversations.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from .core import Core

Figures = Callable[[], dict[str, Any]]
GAUGES = frozenset({"connections", "users_online", "rss_bytes", "uptime_s", "logs_read"})
REQUEST_BYTES = 8192
REQUEST_S = 5.0


def figures(core: Core, started: float) -> dict[str, Any]:
    """What the server does now; call in a turn."""
    return asdict(core.stats) | {
        "online": sorted(core.hub.users[user].name for user in core.hub.online),
        "users_online": len(core.hub.online),
        "logs_read": len(core.hub.channels),
        "delivered": core.hub.delivered,
        "uptime_s": int(core.clock() - started),
        "rss_bytes": resident_bytes(),
    }


def resident_bytes() -> int:
    """Memory this process uses; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0


def prometheus(values: dict[str, Any]) -> str:
    """The figures in Prometheus' text format."""
    lines = []
    for name, value in values.items():
        if isinstance(value, int | float):
            kind = "gauge" if name in GAUGES else "counter"
            full = f"chatsecure_{name}" + ("" if kind == "gauge" else "_total")
            lines += [f"# TYPE {full} {kind}", f"{full} {value}"]
    return "\n".join(lines) + "\n"


class MetricsServer:
    """Answers `GET /metrics`.

    Args:
        listener: a bound, listening socket.
        get: gives the figures.
    """

    def __init__(self, listener: socket.socket, get: Figures) -> None:
        self._listener = listener
        self._get = get
        self._over = False
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._over = True
        self._listener.close()

    def _run(self) -> None:
        self._listener.settimeout(1.0)
        while not self._over:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with contextlib.suppress(OSError, ValueError), sock:
                sock.settimeout(REQUEST_S)
                self._answer(sock)

    def _answer(self, sock: socket.socket) -> None:
        request, deadline = b"", time.monotonic() + REQUEST_S
        while b"\r\n\r\n" not in request and len(request) < REQUEST_BYTES:
            data = sock.recv(4096)
            if not data or time.monotonic() > deadline:
                return
            request += data
        found = request.startswith((b"GET /metrics ", b"GET / "))
        body = prometheus(self._get()).encode() if found else b"not found\n"
        status = "200 OK" if found else "404 Not Found"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        sock.sendall(head.encode() + body)
