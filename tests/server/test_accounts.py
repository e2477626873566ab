"""Registering and logging in, without a network."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatsecure.crypto.identity import create_device, sign_device_list
from chatsecure.server.limits import ServerLimits
from chatsecure.server.rules.accounts import put_owner_token
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode

from .door import Door, is_error, token
from .people import new_id, person
from .world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_owner_token_makes_an_owner_once(world: World) -> None:
    secret = token(world, owner=True)
    reply = Door(world, person("ann")).registers(secret)
    assert reply == m.LoggedIn("ann", m.Role.OWNER, 0, None)
    assert is_error(Door(world, person("ben")).registers(secret), ErrorCode.BAD_TOKEN, "used up")
    assert not world.run(lambda tx: put_owner_token(tx, b"h" * 32, world.time_ms))


def test_an_older_owner_token_is_void_after_a_new_one(world: World) -> None:
    old, new = token(world, owner=True), token(world, owner=True)
    assert is_error(Door(world, person("ann")).registers(old), ErrorCode.BAD_TOKEN, "not known")
    assert isinstance(Door(world, person("ann")).registers(new), m.LoggedIn)


def test_the_same_registration_again_is_a_log_in(world: World) -> None:
    secret = token(world)
    first = Door(world, person("ann")).registers(secret)
    assert Door(world, person("ann")).registers(secret) == first
    assert Door(world, person("ann")).logs_in() == first


def test_tokens_that_are_unknown_used_up_or_expired_are_told_apart(world: World) -> None:
    ann, ben = person("ann"), person("ben")
    used, late = token(world), token(world, lives_ms=1)
    assert isinstance(Door(world, ann).registers(used), m.LoggedIn)
    world.time_ms += 10
    for secret, text in ((used, "used up"), (late, "expired"), (new_id(), "not known")):
        door = Door(world, ben)
        assert is_error(door.registers(secret), ErrorCode.BAD_TOKEN, text)
        assert door.port.closed


def test_a_taken_name_costs_no_use_and_others_are_suggested(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    secret = token(world)
    reply = Door(world, person("ANN")).registers(secret)
    assert is_error(reply, ErrorCode.NAME_TAKEN, "ANN2 or ANN3")
    assert isinstance(Door(world, person("ben")).registers(secret), m.LoggedIn)


def test_a_name_with_other_certificates_is_refused(world: World) -> None:
    reply = Door(world, person("ann")).registers(token(world), name="cem")
    assert is_error(reply, ErrorCode.BAD_CERTIFICATE, "another name")


@pytest.mark.parametrize("name", ["a b", "@ann", "everyone", " ", "x" * 40])
def test_an_ugly_name_is_refused(world: World, name: str) -> None:
    assert is_error(
        Door(world, person("ann")).registers(token(world), name=name), ErrorCode.BAD_NAME
    )


def test_certificates_of_others_are_refused(world: World) -> None:
    ben = person("ben")
    for changes in (
        {"sealing_certificate": ben.user.sealing_certificate},
        {"device_certificate": ben.device.certificate},
        {"identity_certificate": ben.user.identity_certificate},
        {"device_list": m.SignedDeviceList(ben.body, ben.signature)},
        {"identity_certificate": b"garbage"},
    ):
        reply = Door(world, person("ann")).registers(token(world), **changes)
        assert is_error(reply, ErrorCode.BAD_CERTIFICATE), changes


def test_a_device_list_of_other_devices_is_refused(world: World) -> None:
    ann = person("ann")
    other = create_device(ann.user, datetime.now(UTC))
    listed = m.SignedDeviceList(
        *sign_device_list(ann.user.identity_key, 1, [ann.id, other.device_id])
    )
    reply = Door(world, ann).registers(token(world), device_list=listed)
    assert is_error(reply, ErrorCode.BAD_CERTIFICATE, "device list")


# --- log-in --------------------------------------------------------------------------------------


def test_a_signature_for_another_server_or_of_another_device_is_refused(world: World) -> None:
    assert isinstance(Door(world, person("ann")).registers(token(world)), m.LoggedIn)
    door = Door(world, person("ann"))
    assert is_error(door.logs_in(server=b"x" * 32), ErrorCode.BAD_LOGIN)
    assert door.port.closed
    assert is_error(Door(world, person("ben")).logs_in(), ErrorCode.BAD_LOGIN, "not registered")


def test_a_second_log_in_on_one_connection_breaks_the_protocol(world: World) -> None:
    door = Door(world, person("ann"))
    door.greets()
    login = m.Login(person("ann").id, b"s")
    replies = door.says(login, login)
    assert any(isinstance(reply, m.Goodbye) for reply in replies)


def test_who_is_banned_is_put_out_and_kept_out(world: World) -> None:
    ann = Door(world, person("ann"))
    assert isinstance(ann.registers(token(world)), m.LoggedIn)
    world.core.ban("ANN", lambda _: None)
    [goodbye] = ann.gets()
    assert goodbye == m.Goodbye(ErrorCode.BANNED, "you are banned from this server")
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BANNED)
    assert is_error(Door(world, person("ann")).registers(token(world)), ErrorCode.BANNED)
    world.core.unban("ann", lambda _: None)
    world.settle()
    assert isinstance(Door(world, person("ann")).logs_in(), m.LoggedIn)


def test_many_failed_log_ins_from_an_address_are_slowed_down(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(login_failures=3))
    for _ in range(3):
        assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BAD_LOGIN)
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.RATE)
    world.time_ms += 60_000
    assert is_error(Door(world, person("ann")).logs_in(), ErrorCode.BAD_LOGIN)


def test_past_the_limit_of_an_address_connections_are_told_and_then_only_closed(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, ServerLimits(connections_per_address=2))
    Door(world), Door(world)
    [goodbye] = Door(world).gets()
    assert isinstance(goodbye, m.Goodbye)
    assert goodbye.code == ErrorCode.TOO_MANY
    while world.core.arrive("door"):
        pass
    assert world.core.arrive("elsewhere")
