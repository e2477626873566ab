"""The small parts: limits, rates, the console's line, the folder's lock, TLS, the log's lines."""

import io
import json
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatsecure.links import format_link, parse_link
from chatsecure.server import journal, tls
from chatsecure.server.console import NOTE, status_line
from chatsecure.server.engines.base import address_of
from chatsecure.server.folder import Folder
from chatsecure.server.limits import ServerLimits, make_limits
from chatsecure.server.rates import Rates
from chatsecure.server.run import ServeOptions, grouped, public_address
from chatsecure.server.store.base import StoreError
from chatsecure.wire.errors import Usage


def test_every_limit_says_its_unit_and_reason() -> None:
    rows = ServerLimits().as_rows()
    assert len(rows) > 20
    assert all(row["unit"] and row["reason"] and row["value"] == row["default"] for row in rows)


def test_a_limit_is_set_by_its_name() -> None:
    assert make_limits({"roster": 5}).roster == 5
    for settings in ({"rooster": 5}, {"roster": 0}, {"roster": 2**63}, {"queue_bytes": 10}):
        with pytest.raises(Usage):
            make_limits(settings)


def test_a_bucket_fills_again_with_time() -> None:
    rates: Rates[str] = Rates(rate=2, burst=4)
    assert [rates.take("a", 0) for _ in range(5)] == [True] * 4 + [False]
    assert rates.take("b", 0)
    assert not rates.has("a", 0.4)
    assert rates.has("a", 0.5)
    assert rates.take("a", 0.5)
    # A clock that goes back gives nothing and takes nothing.
    assert not rates.take("a", 0.1)
    rates.prune(100)
    assert [rates.take("a", 100) for _ in range(5)] == [True] * 4 + [False]


def test_the_status_line_fits_its_terminal() -> None:
    values = {
        "connections": 1, "users_online": 0, "appended": 2, "bytes_in": 999, "bytes_out": 1234,
        "errors": 0, "protocol_errors": 1,
    }  # fmt: skip
    line = status_line(values, 200)
    assert (
        line[10:] == f"1 connection  0 online  2 entries  999 B in  1.2 kB out  1 error  |  {NOTE}"
    )
    assert len(status_line(values, 40)) == 39


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "20010db800010002"),
        (("2001:db8:1:2::9", 5, 0, 0), "20010db800010002"),
        ("", "?"),
    ],
)
def test_an_ipv6_host_counts_by_its_network(peer: object, address: str) -> None:
    assert address_of(peer) == address


def test_the_certificate_stays_and_only_tls_1_3_is_spoken(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    now = datetime.now(UTC)
    first = tls.ensure_certificate(folder, now)
    assert tls.ensure_certificate(folder, now) == first
    assert tls.make_context(folder).minimum_version is ssl.TLSVersion.TLSv1_3
    folder.key.unlink()
    with pytest.raises(StoreError, match="missing"):
        tls.ensure_certificate(folder, now)
    folder.key.write_text("garbage")
    with pytest.raises(StoreError, match="cannot be used"):
        tls.make_context(folder)


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    one, other = Folder(tmp_path), Folder(tmp_path)
    one.acquire()
    assert other.in_use()
    with pytest.raises(StoreError, match="another server is running"):
        other.acquire()
    one.release()
    assert not other.in_use()


def test_links_name_what_others_can_reach() -> None:
    options = ServeOptions(public_address="chat.example.org")
    assert public_address(options, "0.0.0.0", 5330) == ("chat.example.org", 5330)
    assert public_address(ServeOptions(), "192.0.2.7", 99) == ("192.0.2.7", 99)
    host, port = public_address(ServeOptions(), "0.0.0.0", 99)
    assert (host not in ("0.0.0.0", ""), port) == (True, 99)
    link = parse_link(format_link(host, port, b"f" * 32, b"s" * 32))
    assert (link.host, link.port) == (host, port)


def test_a_fingerprint_is_grouped_for_people() -> None:
    assert grouped(bytes(32)) == "-".join(["AAAA"] * 8)


def test_the_log_is_lines_of_json() -> None:
    stream = io.StringIO()
    handler = journal.set_up(stream)
    logger = logging.getLogger("chatsecure.server")
    logger.info("registered", extra={"user": 'ann"\n'})
    try:
        raise ValueError("oops")
    except ValueError as error:
        logger.error("failed", exc_info=error)
    journal.tear_down(handler)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["user"], first["level"]) == ("registered", 'ann"\n', "info")
    assert "ValueError: oops" in second["error"]
