"""The operator's door: `chatsecure admin` talks to a running server over a local socket.

One request a connection, a JSON object a line: `{"command": "ban", "name": "eve"}` gives
`{"ok": {…}}` or `{"error": "…", "hint": "…", "exit_code": 5}`. The socket lies in the data folder
and only its owner may use it. Where there are no Unix sockets (or the path is too long for one)
it is a loopback port, and its number and a secret lie in a file that only its owner can read.

While no server runs, the same commands work on the folder itself.
"""

import contextlib
import hmac
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.wire.errors import ChatSecureError, NotFound, Unreachable, Usage

from .commands import Operator
from .folder import Folder, write_private

if TYPE_CHECKING:
    from .run import Server

MAX_LINE_BYTES = 64 * 1024
MAX_UNIX_PATH_BYTES = 100
REQUEST_S = 10.0
MAX_AT_ONCE = 16
_ERRORS: dict[int, type[ChatSecureError]] = {2: Usage, 3: Unreachable, 5: NotFound}


# --- the server's side ---------------------------------------------------------------------------


class AdminServer:
    """Answers the operator, in threads of its own.

    Args:
        server: a server that runs.
    """

    def __init__(self, server: "Server") -> None:
        self._folder = server.folder
        self._operator = Operator(
            store=server.store,
            blobs=server.blobs,
            folder=server.folder,
            limits=server.limits,
            address=server.address,
            certificate_hash=server.core.certificate_hash,
            figures=lambda: _in_turn(server.engine.post, server.figures),
            ban=lambda name: _later(server.engine.post, lambda done: server.core.ban(name, done)),
            unban=lambda name: _later(
                server.engine.post, lambda done: server.core.unban(name, done)
            ),
        )
        self._secret = ""
        self._slots = threading.Semaphore(MAX_AT_ONCE)
        self._over = False
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._accept, name="admin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._over = True
        self._listener.close()
        self._thread.join(2)
        self._folder.socket.unlink(missing_ok=True)
        self._folder.port.unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        self._folder.socket.unlink(missing_ok=True)
        self._folder.port.unlink(missing_ok=True)
        if _unix(self._folder):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # The data folder is its owner's alone; the socket is so too from its first moment.
            before = os.umask(0o177)
            try:
                listener.bind(os.fspath(self._folder.socket))
            finally:
                os.umask(before)
        else:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.bind(("127.0.0.1", 0))
            self._secret = secrets.token_hex(32)
            text = f"{listener.getsockname()[1]} {self._secret}\n"
            write_private(self._folder.port, text.encode())
        listener.listen(16)
        listener.settimeout(0.5)
        return listener

    def _accept(self) -> None:
        while not self._over:
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                sock.close()
                continue
            threading.Thread(
                target=self._serve, args=(sock,), name="admin-request", daemon=True
            ).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError), sock:
                sock.settimeout(REQUEST_S)
                answer = self._answer(_read_line(sock))
                sock.settimeout(None)
                sock.sendall(json.dumps(answer).encode() + b"\n")
        finally:
            self._slots.release()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
        except ValueError:
            return {"error": "this is no request", "exit_code": 2}
        if not isinstance(asked, dict):
            return {"error": "this is no request", "exit_code": 2}
        secret = str(asked.pop("secret", ""))
        if self._secret and not hmac.compare_digest(secret.encode(), self._secret.encode()):
            return {"error": "the secret is wrong", "exit_code": 4}
        return _run(self._operator, asked)


def _run(operator: Operator, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": operator.run(str(asked.pop("command", "")), asked)}
    except ChatSecureError as error:
        return {"error": str(error), "hint": error.hint, "exit_code": error.exit_code}
    except OSError as error:
        return {"error": str(error), "exit_code": 1}


def _in_turn(post: Callable[[Callable[[], None]], None], call: Callable[[], Any]) -> Any:
    """Call something in a turn and wait for what it gives."""
    return _later(post, lambda done: done(call()))


def _later(
    post: Callable[[Callable[[], None]], None],
    start: Callable[[Callable[[Any], None]], None],
) -> Any:
    outcome: list[Any] = []
    ready = threading.Event()

    def done(value: Any) -> None:
        outcome.append(value)
        ready.set()

    def begin() -> None:
        try:
            start(done)
        except Exception as error:  # noqa: BLE001 - raised again in the waiting thread
            done(error)

    post(begin)
    if not ready.wait(REQUEST_S):
        raise Unreachable("the server does not answer")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


# --- the operator's side -------------------------------------------------------------------------


def request(data_dir: Path, command: str, **args: Any) -> dict[str, Any]:
    """Ask the server of this data folder; without one, look into the folder itself.

    Args:
        data_dir: the server's data folder.
        command: `ping`, `users`, `ban`, `unban`, `token`, `limits`, `stats`, `backup`, `restore`.
        args: `name` (ban, unban); `uses`, `expires_s` (token); `file` (backup, restore).

    Returns:
        users: `{"users": [{name, role, online, banned, devices, created_at}]}`;
        token: `{"link", "uses", "expires_at"}`; limits: `{"limits": [{name, value, …}]}`;
        stats: figures by name; backup, restore: `{"file", "blobs", "bytes"}`.

    Raises:
        ChatSecureError: refused, and why.
    """
    folder = Folder(Path(data_dir))
    if "file" in args:
        args["file"] = str(Path(args["file"]).absolute())
    if command == "restore":
        from .backup import restore

        return restore(folder, Path(args["file"]))
    if not folder.database.exists():
        raise NotFound(
            f"there is no server's data in {folder.path}", hint="name the folder with --data"
        )
    sock = _connect(folder)
    if sock is None:
        return _offline(folder, command, args)
    with sock:
        asked = {"command": command, **args, **_secret(folder)}
        try:
            sock.sendall(json.dumps(asked).encode() + b"\n")
            answer = json.loads(_read_line(sock))
        except (OSError, ValueError) as error:
            raise Unreachable(f"the server does not answer: {error}") from error
    return _result(answer)


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        kind = _ERRORS.get(answer.get("exit_code", 1), ChatSecureError)
        raise kind(answer["error"], hint=answer.get("hint", ""))
    found: dict[str, Any] = answer["ok"]
    return found


def _offline(folder: Folder, command: str, args: dict[str, Any]) -> dict[str, Any]:
    from .commands import offline

    if command == "ping":
        raise Unreachable("no server runs on this data folder")
    folder.acquire()
    try:
        with offline(folder) as operator:
            return _result(_run(operator, {"command": command, **args}))
    finally:
        folder.release()


def _connect(folder: Folder) -> socket.socket | None:
    """A connection to the running server; None if there is none."""
    deadline = time.monotonic() + REQUEST_S
    while True:
        try:
            if _unix(folder):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.settimeout(REQUEST_S)
                sock.connect(os.fspath(folder.socket))
            else:
                port = int(folder.port.read_text("ascii").split()[0])
                sock = socket.create_connection(("127.0.0.1", port), timeout=REQUEST_S)
        except (OSError, ValueError, IndexError):
            if not folder.in_use():
                return None
            if time.monotonic() > deadline:
                raise Unreachable("a server runs on this folder but does not answer") from None
            time.sleep(0.05)  # It is starting or stopping.
            continue
        # A backup may take long.
        sock.settimeout(None)
        return sock


def _secret(folder: Folder) -> dict[str, str]:
    if _unix(folder):
        return {}
    return {"secret": folder.port.read_text("ascii").split()[1]}


def _unix(folder: Folder) -> bool:
    path = os.fsencode(folder.socket)
    return hasattr(socket, "AF_UNIX") and len(path) < MAX_UNIX_PATH_BYTES


def _read_line(sock: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = sock.recv(65536)
        if not part:
            break
        data += part
        if len(data) > MAX_LINE_BYTES * 1024:
            raise ConnectionError("the line is too long")
    return bytes(data)
