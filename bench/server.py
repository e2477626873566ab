"""What a message costs a server, beside an IRC and an XMPP server where they are installed.

    python -m bench.server [--readers 50] [--messages 20000]

One sender, many readers in one room, TLS on loopback, 300 bytes a message. Each server is a process
of its own; its CPU time is read from the system, so that what this program itself costs does not
count. `saturated`: as fast as the first reader follows, 256 messages ahead. `paced`: 200 messages a
second, and how long until the last reader has one.

Ours keeps every message on disk before it is acknowledged (`synchronous=FULL`); inspircd keeps
nothing; prosody is set up to keep the room's history in memory only. Where a peer is not installed
its row is left out (`apt-get install inspircd prosody`).
"""

import argparse
import base64
import contextlib
import os
import re
import selectors
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.server.people import Peer, append, create, new_id, person

from chatsecure.links import make_secret, parse_link, token_hash, token_of
from chatsecure.wire import messages as m

PAYLOAD = 300
AHEAD = 256
PACE = 200
PACED_S = 5
SATURATED_S = 15
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 120


@dataclass
class Chatter:
    """A connection as this program drives it."""

    sock: ssl.SSLSocket
    count: Callable[[bytes], int]
    """How many messages ended in these bytes."""
    write: Callable[[int], bytes]
    """The bytes of a message."""
    seen: int = 0


@dataclass
class Target:
    """A server to be measured."""

    name: str
    process: subprocess.Popen[str]
    people: list[Chatter] = field(default_factory=list)

    def cpu_s(self) -> float:
        """CPU seconds it has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS


def tls(host: str, port: int) -> ssl.SSLSocket:
    """A TLS connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    deadline = time.monotonic() + 20
    while True:
        try:
            raw = socket.create_connection((host, port), 20)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw)


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# --- the load ------------------------------------------------------------------------------------


class Load:
    """One sender and the readers, all driven from this thread."""

    def __init__(self, target: Target) -> None:
        self.sender, *self.readers = target.people
        self._selector = selectors.DefaultSelector()
        for one in target.people:
            one.sock.setblocking(False)
            self._selector.register(one.sock, selectors.EVENT_READ, one)
        self._out = bytearray()

    def send(self, number: int) -> None:
        """Hand over a message."""
        self._out += self.sender.write(number)

    def turn(self, wait: float) -> None:
        """Write what can be written, read what has come."""
        while self._out:
            try:
                del self._out[: self.sender.sock.send(memoryview(bytes(self._out[:65536])))]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                break
        for key, _ in self._selector.select(0 if self._out else wait):
            one: Chatter = key.data
            with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                while data := one.sock.recv(262_144):
                    one.seen += one.count(data)

    def least(self) -> int:
        """What the slowest reader has seen."""
        return min(one.seen for one in self.readers)


def saturated(target: Target, messages: int) -> tuple[int, float, float]:
    """How many messages were sent (fewer where the server is slow), in how many seconds every
    reader had them, and CPU seconds of the server."""
    load = Load(target)
    before, base, cpu = time.monotonic(), load.least(), target.cpu_s()
    sent = 0
    while True:
        over = sent == messages or time.monotonic() - before > SATURATED_S
        while not over and sent < messages and sent - (load.readers[0].seen - base) < AHEAD:
            load.send(sent)
            sent += 1
        load.turn(0.05)
        if over and load.least() - base >= sent:
            return sent, time.monotonic() - before, target.cpu_s() - cpu
        assert time.monotonic() - before < PATIENCE_S, f"{target.name} does not keep up"


def paced(target: Target) -> tuple[list[float], float]:
    """Seconds each message took to the last reader, and CPU seconds of the server."""
    load = Load(target)
    base, cpu, start = load.least(), target.cpu_s(), time.monotonic()
    sent: list[float] = []
    took: list[float] = []
    while len(took) < PACE * PACED_S:
        now = time.monotonic()
        if len(sent) < PACE * PACED_S and now >= start + len(sent) / PACE:
            sent.append(now)
            load.send(len(sent))
        load.turn(max(0.0, min(0.005, start + len(sent) / PACE - time.monotonic())))
        arrived = load.least() - base
        now = time.monotonic()
        took += [now - sent[number] for number in range(len(took), arrived)]
        assert now - start < PATIENCE_S, f"{target.name} does not keep up"
    return took, target.cpu_s() - cpu


# --- ours ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def ours(engine: str, folder: Path, readers: int) -> Iterator[Target]:
    """Our server, with real accounts and one conversation of opaque entries."""
    # Keys first: who connects and says nothing for long is taken for gone.
    names = ["owner", *(f"reader{number}" for number in range(readers))]
    for name in names:
        person(name)
    process = subprocess.Popen(
        [
            sys.executable, "-m", "chatsecure", "serve", "--data", str(folder / engine),
            "--listen", "127.0.0.1:0", "--engine", engine, "--limit", "append_rate=10000000",
            "--limit", "append_burst=10000000",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        owner_token = token_of(parse_link(process.stdout.readline().split()[1]).secret)
        peers: list[Peer] = []
        for name in names:
            peer = Peer(person(name), port)
            token = owner_token
            if peers:
                secret = make_secret()
                token = token_of(secret)
                soon = datetime.now(UTC) + timedelta(hours=1)
                peers[0].ok(m.PutToken(token_hash(token), 1, int(soon.timestamp() * 1000)))
            reply = peer.register(token, present=False)
            assert isinstance(reply, m.LoggedIn), reply
            peers.append(peer)
        room = new_id()
        peers[0].ok(create(room, *(person(name) for name in names)))
        for peer in peers[1:]:
            peer.follow(room)
        target = Target(f"chatsecure, {engine}", process)
        payload = os.urandom(PAYLOAD)
        for peer in peers:
            target.people.append(_ours(peer, room, payload))
        yield target
    finally:
        process.terminate()
        process.wait(20)


def _ours(peer: Peer, room: bytes, payload: bytes) -> Chatter:
    def count(data: bytes) -> int:
        seen = 0
        for _, message in peer.connection.receive(data):
            if isinstance(message, m.Entries) and message.log_id == room:
                seen += len(message.entries)
            elif isinstance(message, m.Ping):
                peer.sock.send(peer.connection.send(m.Pong()))
        return seen

    def write(_number: int) -> bytes:
        return peer.connection.send(append(room, payload), peer.connection.next_request())

    return Chatter(peer.sock, count, write)


# --- peers ---------------------------------------------------------------------------------------


def marks(mark: bytes) -> Callable[[bytes], int]:
    """Counts a mark that ends each message, also where it is cut in two."""
    tail = b""

    def count(data: bytes) -> int:
        nonlocal tail
        whole = tail + data
        tail = whole[-(len(mark) - 1) :]
        return whole.count(mark)

    return count


def certificate(folder: Path) -> tuple[Path, Path]:
    """A TLS certificate and its key, of the kind our server makes (ECDSA P-256)."""
    from chatsecure.server.folder import Folder
    from chatsecure.server.tls import ensure_certificate

    made = Folder(folder / "tls")
    made.prepare()
    ensure_certificate(made, datetime.now(UTC))
    key, chain = folder / "key.pem", folder / "chain.pem"
    shutil.copy(made.path / "tls.key", key)
    shutil.copy(made.path / "tls.crt", chain)
    for path in (key, chain):
        path.chmod(0o644)
    return chain, key


@contextlib.contextmanager
def inspircd(folder: Path, readers: int) -> Iterator[Target]:
    """An IRC server in C++."""
    chain, key = certificate(folder)
    port = free_port()
    config = folder / "inspircd.conf"
    config.write_text(
        f"""
        <server name="irc.bench.invalid" description="bench" network="bench" id="001">
        <admin name="bench" nick="bench" email="bench@bench.invalid">
        <module name="ssl_gnutls">
        <sslprofile name="bench" provider="gnutls" certfile="{chain}" keyfile="{key}"
          requestclientcert="no">
        <bind address="127.0.0.1" port="{port}" type="clients" sslprofile="bench">
        <connect allow="*" fakelag="no" commandrate="100000000" recvq="100000000"
          hardsendq="100000000" softsendq="100000000" threshold="100000000"
          localmax="1000" globalmax="1000" maxconnwarn="no" timeout="60"
          pingfreq="600" resolvehostnames="no" useident="no">
        <options defaultmodes="n"> <performance softlimit="4096" netbuffersize="65534">
        <path datadir="{folder}" logdir="{folder}" runtimedir="{folder}" configdir="{folder}">
        <pid file="{folder}/i.pid">
        """
    )
    process = subprocess.Popen(
        ["inspircd", "--nofork", "--runasroot", "--config", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        target = Target("inspircd", process)
        text = "x" * PAYLOAD
        for number in range(readers + 1):
            sock = tls("127.0.0.1", port)
            nick = f"n{number}"
            sock.sendall(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n".encode())
            data = b""
            sock.settimeout(20)
            while b" 001 " not in data:
                came = sock.recv(65536)
                assert came, f"inspircd closed: {data!r}"
                data += came
                for token in re.findall(rb"PING :?(\S+)", data):
                    sock.sendall(b"PONG " + token + b"\r\n")
            sock.sendall(b"JOIN #bench\r\n")
            _read_until(sock, b" 366 ")
            line = f"PRIVMSG #bench :{text}~\r\n".encode()
            target.people.append(Chatter(sock, marks(b"~\r\n"), lambda _number, line=line: line))
        yield target
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def prosody(folder: Path, readers: int) -> Iterator[Target]:
    """An XMPP server in Lua with C parts; multi-user chat (XEP-0045)."""
    chain, key = certificate(folder)
    port = free_port()
    config = folder / "prosody.cfg.lua"
    config.write_text(
        f"""
        run_as_root = true
        pidfile = "{folder}/prosody.pid"
        data_path = "{folder}/prosody-data"
        modules_enabled = {{ "saslauth"; "tls"; "disco"; }}
        modules_disabled = {{ "s2s"; "http"; }}
        authentication = "anonymous"
        storage = "memory"
        c2s_direct_tls_ports = {{ {port} }}
        c2s_ports = {{}}
        s2s_ports = {{}}
        interfaces = {{ "127.0.0.1" }}
        limits = {{}}
        log = {{ {{ levels = {{ min = "error" }}, to = "file", filename = "{folder}/p.log" }} }}
        ssl = {{ key = "{key}"; certificate = "{chain}"; }}
        c2s_direct_tls_ssl = {{ key = "{key}"; certificate = "{chain}"; }}
        VirtualHost "bench.invalid"
        Component "rooms.bench.invalid" "muc"
            muc_room_default_history_length = 0
        """
    )
    process = subprocess.Popen(
        ["prosody", "-F", "--config", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        target = Target("prosody", process)
        for number in range(readers + 1):
            target.people.append(_xmpp(tls("127.0.0.1", port), f"n{number}"))
        yield target
    finally:
        process.terminate()
        process.wait(20)


def _xmpp(sock: ssl.SSLSocket, nick: str) -> Chatter:
    head = (
        b"<?xml version='1.0'?><stream:stream to='bench.invalid' xmlns='jabber:client'"
        b" xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
    )
    sock.sendall(head)
    _read_until(sock, b"</stream:features>")
    trace = base64.b64encode(nick.encode()).decode()
    sock.sendall(
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>{trace}</auth>"
        .encode()
    )  # fmt: skip
    _read_until(sock, b"<success")
    sock.sendall(head)
    _read_until(sock, b"</stream:features>")
    sock.sendall(b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    _read_until(sock, b"</iq>")
    room = "bench@rooms.bench.invalid"
    sock.sendall(
        f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        .encode()
    )  # fmt: skip
    _read_until(sock, b"code='110'")
    if nick == "n0":
        sock.sendall(
            f"<iq type='set' id='c' to='{room}'><query"
            " xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data'"
            " type='submit'/></query></iq>".encode()
        )
        _read_until(sock, b"id='c'")
    text = "x" * PAYLOAD
    stanza = f"<message to='{room}' type='groupchat'><body>{text}~</body></message>".encode()
    return Chatter(sock, marks(b"~</body>"), lambda _number: stanza)


def _read_until(sock: ssl.SSLSocket, mark: bytes) -> None:
    data = b""
    sock.settimeout(20)
    while mark not in data:
        came = sock.recv(65536)
        assert came, f"closed before {mark!r}: {data[-300:]!r}"
        data += came


# --- the table -----------------------------------------------------------------------------------


def measure(target: Target, messages: int) -> dict[str, Any]:
    """One row."""
    readers = len(target.people) - 1
    saturated(target, messages // 10)
    messages, seconds, cpu = saturated(target, messages)
    took, paced_cpu = paced(target)
    return {
        "server": target.name,
        "messages/s": messages / seconds,
        "deliveries/s": messages * readers / seconds,
        "CPU us a delivery": cpu * 1e6 / (messages * readers),
        "paced: CPU us": paced_cpu * 1e6 / (len(took) * readers),
        "ms to the last, p50": statistics.median(took) * 1000,
        "p99": statistics.quantiles(took, n=100)[98] * 1000,
    }


def main() -> None:
    """Measure all, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--messages", type=int, default=20_000)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-server-"))
    starters: list[Callable[[], contextlib.AbstractContextManager[Target]]] = [
        lambda: ours("events", folder, args.readers),
        lambda: ours("threads", folder, args.readers),
    ]
    for name, start in (("inspircd", inspircd), ("prosody", prosody)):
        if shutil.which(name):
            starters.append(lambda start=start: start(folder, args.readers))
        else:
            print(f"{name} is not installed", file=sys.stderr)
    rows = []
    try:
        for begin in starters:
            with begin() as target:
                rows.append(measure(target, args.messages))
                print(f"{rows[-1]['server']} measured", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.readers} readers, {args.messages} messages of {PAYLOAD} bytes")
    print(" | ".join(rows[0]))
    for row in rows:
        cells = [f"{value:,.2f}" if isinstance(value, float) else value for value in row.values()]
        print(" | ".join(re.sub(r"(?<=\d{4})\.\d+$", "", cell) for cell in cells))


if __name__ == "__main__":
    main()
