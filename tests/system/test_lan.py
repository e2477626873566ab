"""A server that announces itself is found by its fingerprint, and nothing else is told."""

import asyncio
from pathlib import Path

import pytest

from chatsecure import lan
from chatsecure.client.client import Client
from chatsecure.client.joining import join
from chatsecure.client.whereabouts import locate, nearby
from chatsecure.wire.errors import ChatSecureError, Unreachable

from .conftest import start_server

pytestmark = pytest.mark.skipif(not lan.available(), reason="zeroconf is not installed")
FINGERPRINT = bytes(range(32))


@pytest.fixture(autouse=True)
def _network_allows_it() -> None:
    try:
        lan.find(0.01, interfaces=["127.0.0.1"])
    except ChatSecureError as error:
        pytest.skip(str(error))


def test_a_server_is_found_until_it_stops() -> None:
    stop = lan.announce(["127.0.0.1"], 5330, FINGERPRINT, interfaces=["127.0.0.1"])
    there = lan.Found("127.0.0.1", 5330, FINGERPRINT[:20])
    assert there in lan.find(10, FINGERPRINT[:20], interfaces=["127.0.0.1"])
    stop()
    assert there not in lan.find(0.3, interfaces=["127.0.0.1"])


def test_another_server_is_not_taken_for_the_one_looked_for() -> None:
    stop = lan.announce(["127.0.0.1"], 5330, FINGERPRINT, interfaces=["127.0.0.1"])
    try:
        assert lan.find(0.3, bytes(20), interfaces=["127.0.0.1"]) == []
    finally:
        stop()


@pytest.mark.parametrize("wrong", [b"", b"!", b"AAAA", b"\xff" * 28])
def test_an_announcement_that_makes_no_sense_is_left_out(wrong: bytes) -> None:
    from zeroconf import ServiceInfo

    info = ServiceInfo(
        lan.SERVICE, f"x.{lan.SERVICE}", port=5330, addresses=[b"\x7f\0\0\1"],
        properties={b"fp": wrong},
    )  # fmt: skip
    assert list(lan._servers(info)) == []


def test_serve_announces_only_when_asked(tmp_path: Path) -> None:
    quiet = start_server(tmp_path / "quiet")
    server = start_server(tmp_path / "server", "events", "127.0.0.1:0", "--announce")
    try:
        print_ = lan_fingerprint(server.link)
        assert lan.Found(server.host, server.port, print_) in lan.find(10, print_)
        assert lan.find(0.3, lan_fingerprint(quiet.link)) == []
    finally:
        assert server.stop() == 0
        assert quiet.stop() == 0
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_all_servers_nearby_are_found_once_and_liars_left_out(tmp_path: Path) -> None:
    server = start_server(tmp_path / "server", "events", "127.0.0.1:0", "--announce")
    print_ = lan_fingerprint(server.link)
    liar = lan.announce(["127.0.0.1"], server.port, bytes(32))
    try:
        found = nearby(3.0)
        assert [one.port for one in found if one.fingerprint == print_] == [server.port]
        assert bytes(20) not in [one.fingerprint for one in found]
    finally:
        liar()
        assert server.stop() == 0


def lan_fingerprint(link: str) -> bytes:
    from chatsecure.links import parse_link

    return parse_link(link).fingerprint


async def test_a_client_finds_its_server_at_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    server = start_server(tmp_path / "server")
    print_ = lan_fingerprint(server.link)
    profile = await join(tmp_path / "mara", server.link, "mara")
    assert server.stop() == 0
    # First there are only liars: nobody at the address, and a server with another certificate.
    other = start_server(tmp_path / "other")
    liars = [
        lan.announce(["127.0.0.1"], 9, print_ + bytes(12)),
        lan.announce(["127.0.0.1"], other.port, print_ + bytes(12)),
    ]
    moved = None
    try:
        assert await asyncio.to_thread(locate, print_, 1.0) is None
        moved = start_server(
            tmp_path / "server", "events", "127.0.0.1:0", "--announce", owner=False
        )
        assert moved.port != server.port
        # An address of the loopback is not looked for unless that is wanted.
        async with Client(profile) as client:
            with pytest.raises(Unreachable):
                await client.ready(20)
        client.setting("find_server", "yes")
        async with Client(profile) as client:
            await client.ready(60, patient=True)
            assert client.server == moved.address
    finally:
        for stop in liars:
            stop()
        for one in (other, moved):
            assert one is None or one.stop() == 0
        profile.close()
