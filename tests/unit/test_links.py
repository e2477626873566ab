"""Links: there and back, damage, and no secret where it does not belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure import links
from chatsecure.links import (
    DEFAULT_PORT,
    FINGERPRINT_BYTES,
    MAX_LINK_CHARACTERS,
    BadLink,
    Link,
    format_address,
    format_link,
    parse_address,
    parse_link,
)
from chatsecure.wire.errors import Usage
from unit.strategies import bounded

FINGERPRINT, SECRET = bytes(range(100, 120)), bytes(range(32))
GOOD = format_link("chat.example.org", 5330, FINGERPRINT, SECRET)
SECRET_TEXT = GOOD.partition("#")[2]

host_names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", fullmatch=True)
ip_addresses = st.ip_addresses().map(str)
hosts = host_names | ip_addresses
ports = st.integers(1, 65535)


def test_a_link_looks_as_documented() -> None:
    assert GOOD == (
        "chatsecure://chat.example.org:5330/ZGVmZ2hpamtsbW5vcHFyc3R1dnc"
        "#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    )


@bounded
@given(
    hosts,
    ports,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_a_link_comes_back_as_it_was_made(
    host: str, port: int, fingerprint: bytes, secret: bytes
) -> None:
    link = parse_link(format_link(host, port, fingerprint, secret))
    assert link == Link(host, port, fingerprint[:FINGERPRINT_BYTES], secret)


@bounded
@given(hosts, ports)
def test_a_link_fits_its_qr_code_up_to_an_address_of_49_characters(host: str, port: int) -> None:
    """A longer host name still makes a link, without a small QR code."""
    link = format_link(host, port, FINGERPRINT, SECRET)
    if len(format_address(host, port)) <= 49:
        assert len(link) <= MAX_LINK_CHARACTERS
    longest = format_link("a" * 43, 65535, FINGERPRINT, SECRET)
    assert len(format_address("a" * 43, 65535)) == 49
    assert len(longest) <= MAX_LINK_CHARACTERS


def test_blanks_around_a_copied_link_do_no_harm() -> None:
    assert parse_link(f"  {GOOD}\r\n") == parse_link(GOOD)


DAMAGED = {
    "nothing": "",
    "another scheme": GOOD.replace("chatsecure://", "https://"),
    "no scheme": GOOD.removeprefix("chatsecure://"),
    "its secret cut off": GOOD.partition("#")[0],
    "an empty secret": GOOD.partition("#")[0] + "#",
    "a secret cut short": GOOD[:-1],
    "a secret cut by four": GOOD[:-4],
    "a secret too long": GOOD + "AAAA",
    "a strange sign in the secret": GOOD[:-1] + "!",
    "a blank in the secret": GOOD[:-5] + " " + GOOD[-4:],
    "a line break in the secret": GOOD[:-5] + "\n" + GOOD[-4:],
    "something after the secret": GOOD + "#",
    "a dot after the secret": GOOD + ".",
    "no fingerprint": f"chatsecure://chat.example.org:5330/#{SECRET_TEXT}",
    "no path": f"chatsecure://chat.example.org:5330#{SECRET_TEXT}",
    "a fingerprint cut short": GOOD.replace("ZGVm", ""),
    "no host": GOOD.replace("chat.example.org:5330", ""),
    "a port of words": GOOD.replace("5330", "port"),
    "a port of strange digits": GOOD.replace("5330", "٥٣٣٠"),
    "a port too high": GOOD.replace("5330", "65536"),
    "port zero": GOOD.replace("5330", "0"),
    "a negative port": GOOD.replace("5330", "-1"),
    "a blank in the host": GOOD.replace("chat.", "chat ."),
    "a control character in the host": GOOD.replace("chat.", "chat\x1b."),
    "a user in the host": GOOD.replace("chat.", "user@chat."),
    "a bracket not closed": GOOD.replace("chat.example.org", "[::1"),
    "something after the bracket": GOOD.replace("chat.example.org:", "[::1]x"),
    "a host too long": GOOD.replace("chat", "a" * 254),
    "much too long": GOOD + "A" * 1024,
    "a lone surrogate": GOOD + "\ud800",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_link_is_refused_without_repeating_its_secret(text: str) -> None:
    with pytest.raises(BadLink) as error:
        parse_link(text)
    told = f"{error.value} {error.value.hint} {error.value!r}"
    assert error.value.__cause__ is None
    for start in range(len(SECRET_TEXT) - 6):
        assert SECRET_TEXT[start : start + 6] not in told


@bounded
@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: "chatsecure://" + text))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    with pytest.raises(BadLink):
        parse_link(text)


@bounded
@given(st.integers(0, len(GOOD) - 1))
def test_a_link_that_lost_a_character_never_leads_elsewhere(index: int) -> None:
    text = GOOD[:index] + GOOD[index + 1 :]
    try:
        link = parse_link(text)
    except BadLink:
        return
    assert (link.fingerprint, link.secret) == (FINGERPRINT, SECRET)


def test_a_link_shows_no_secret_in_logs() -> None:
    link = parse_link(GOOD)
    for shown in (repr(link), str(link), f"{link}", f"{[link]}"):
        assert shown.strip("[]") == "Link(chat.example.org:5330)"


# --- what a secret gives ---------------------------------------------------------------------


def test_everything_derived_from_a_secret_differs() -> None:
    lobby, room = links.lobby_secret(SECRET), links.room_secret(SECRET)
    derived = [
        SECRET,
        SECRET[:16],
        links.token_of(SECRET),
        lobby,
        room,
        links.link_id(lobby),
        links.link_id(room),
        links.psk(lobby),
        links.psk(room),
    ]
    assert len(set(derived)) == len(derived)
    assert [len(one) for one in derived[2:]] == [16, 32, 32, 16, 16, 32, 32]


def test_the_server_learns_only_hashes() -> None:
    token = links.token_of(SECRET)
    assert links.token_hash(token) not in (token, SECRET)
    assert len(links.token_hash(token)) == 32


def test_derivations_are_known() -> None:
    """Other clients must come to the same."""
    assert links.token_of(SECRET).hex() == "3a935677b82f85d66dc2d4bf88a94d49"
    assert links.link_id(links.lobby_secret(SECRET)).hex() == "cdbe87a7eb3de66920afc2e6a9841c51"
    assert links.psk(links.room_secret(SECRET)).hex() == (
        "aaa455f7c6879aa9c5e2e744650b390148f5e69077cda52194db4abc3c81b089"
    )


def test_secrets_are_fresh() -> None:
    made = {links.make_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(secret) for secret in made} == {32}


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("chat.example.org:1", ("chat.example.org", 1)),
        ("chat.example.org", ("chat.example.org", DEFAULT_PORT)),
        ("localhost:65535", ("localhost", 65535)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:5331", ("::1", 5331)),
        ("[::1]", ("::1", DEFAULT_PORT)),
        ("::1", ("::1", DEFAULT_PORT)),
        ("fe80::1%eth0", ("fe80::1%eth0", DEFAULT_PORT)),
        ("bücher.example", ("bücher.example", DEFAULT_PORT)),
        (" host:9 ", ("host", 9)),
    ],
)
def test_an_address_is_understood(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", ":5330", "[]:1", "[::1", "[::1]5", "host:x", "host:99999", "a b", "a/b", "a@b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="address"):
        parse_address(text)


def test_an_address_without_a_port_is_refused_where_there_is_no_default() -> None:
    with pytest.raises(Usage):
        parse_address("host", None)


@bounded
@given(hosts, ports)
def test_an_address_comes_back_as_it_was_written(host: str, port: int) -> None:
    assert parse_address(format_address(host, port)) == (host, port)
