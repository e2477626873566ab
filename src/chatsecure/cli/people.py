"""join, invite, verify, devices, users."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from chatsecure.client.client import Client
from chatsecure.client.display import harmless_name, user_name
from chatsecure.client.joining import join as join_server
from chatsecure.client.lines import UserLine
from chatsecure.client.profile.folder import Profile, exists
from chatsecure.links import format_address, parse_link, qr_text
from chatsecure.names import BadName, check_name
from chatsecure.wire.errors import NotFound, Usage
from chatsecure.words import _, several

from . import session
from .durations import parse_duration
from .human import doubt
from .output import Output


def join(args: Namespace, output: Output) -> int:
    """`chatsecure join`."""
    folder = session.folder(output)
    known = exists(folder)
    text = _link_text(args.link, output)
    link = parse_link(text)
    if known:
        return session.run(_join_more(text, args, output))
    name = check_name(args.name or _ask_name(output))
    secret = session.given_passphrase(output)
    if args.passphrase and secret is None:
        secret = _new_passphrase(output)
    output.detail(
        _("server {host}, profile {folder}").format(
            host=format_address(link.host, link.port), folder=folder
        )
    )
    profile = session.run(join_server(folder, text, name, passphrase=secret, timeout=args.timeout))
    return session.run(_joined(profile, output))


async def _joined(profile: Profile, output: Output) -> int:
    try:
        name, fingerprint, lobby = _me(profile)
        output.notice(_("the server's fingerprint is the link's: ok"))
        if output.json:
            output.record(
                {"name": name, "fingerprint": fingerprint, "profile": str(profile.folder)}
            )
        else:
            output.line(f"{name} {fingerprint}")
        if not lobby:
            output.notice(
                _(
                    "you are not in #lobby yet: this link opens the server only; an owner takes "
                    "you in with: chatsecure room add '#lobby' {name}"
                ).format(name=name)
            )
        output.next("chatsecure gui | tui | cli, chatsecure invite")
    finally:
        profile.close()
    return 0


def _me(profile: Profile) -> tuple[str, str, bool]:
    """Our name and fingerprint, and whether the link led to any conversation."""
    client = Client(profile, present=False)
    return client.name, client.fingerprint, bool(client.rooms())


async def _join_more(link: str, args: Namespace, output: Output) -> int:
    """There is a profile already: the link leads to more rooms of its server."""
    async with session.connected(output, within=args.timeout) as client:
        if args.name and args.name != client.name:
            raise Usage(
                _("there is a profile already, of {name}").format(name=client.name),
                hint=_("choose another folder with --profile to be somebody else"),
            )
        rooms = await client.join_link(link)
        if output.json:
            output.record({"name": client.name, "fingerprint": client.fingerprint, "rooms": rooms})
        else:
            output.line(f"{client.name} {client.fingerprint}")
            output.notice(_("joined {names}").format(names=", ".join(map(harmless_name, rooms))))
    return 0


def _link_text(given: str | None, output: Output) -> str:
    if given == "-":
        text = sys.stdin.buffer.readline(4096).decode("utf-8", "replace").strip()
        if not text:
            raise Usage(_("standard input holds no link"))
        return text
    if given:
        return given
    if text := os.environ.get("CHATSECURE_LINK", "").strip():
        return text
    if not output.may_ask:
        raise Usage(
            _("which link?"),
            hint=_("give it on standard input (chatsecure join -) or CHATSECURE_LINK"),
        )
    from getpass import getpass

    return getpass("Paste the link (it is not shown): ", stream=sys.stderr).strip()


def _ask_name(output: Output) -> str:
    if not output.may_ask:
        raise Usage(_("which name?"), hint=_("give yours with --name NAME"))
    default = _system_name()
    sys.stderr.write(f"Your name [{default}]: " if default else "Your name: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or default


def _system_name() -> str:
    from getpass import getuser

    try:
        return check_name(getuser())
    except (OSError, KeyError, ImportError, BadName):
        return ""


def _new_passphrase(output: Output) -> str:
    if not output.may_ask:
        raise Usage(_("which passphrase?"), hint=_("CHATSECURE_PASSPHRASE or --passphrase-file"))
    from getpass import getpass

    first = getpass("A passphrase for the profile: ", stream=sys.stderr)
    if not first or getpass("Once more: ", stream=sys.stderr) != first:
        raise Usage(_("the two are not the same") if first else _("no passphrase was given"))
    return first


def invite(args: Namespace, output: Output) -> int:
    """`chatsecure invite`."""
    return session.run(_invite(args, output))


async def _invite(args: Namespace, output: Output) -> int:
    seconds = parse_duration(args.expires)
    room = session.room_name(args.room) if args.room else None
    async with session.connected(output) as client:
        link = await client.invite(room, uses=args.uses, expires_s=seconds)
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    if output.json:
        stamp = until.isoformat(timespec="seconds").replace("+00:00", "Z")
        output.record({"link": link, "room": room, "uses": args.uses, "expires": stamp})
    else:
        output.line(link)
    uses = several("1 use", "{n} uses", args.uses)
    there = harmless_name(room) if room else _("the server")
    output.notice(
        _(
            "{uses}, until {until}. Whoever has it can join {there}: "
            "send it as you would send a key."
        ).format(uses=uses, until=f"{until.astimezone():%a %d %b %H:%M}", there=there)
    )
    if args.qr:
        output.notice(qr_text(link, plain=output.options.plain))
    return 0


def verify(args: Namespace, output: Output) -> int:
    """`chatsecure verify`."""
    return session.run(_verify(args, output))


async def _verify(args: Namespace, output: Output) -> int:
    user = session.user_name(args.user)
    async with session.connected(output) as client:
        if args.accept:
            await client.accept_identity(user)
        if args.mark:
            await client.mark_verified(user)
        found = await client.verify(user)
        if output.json:
            output.record(asdict(found))
        else:
            output.line(found.safety_number)
        output.notice(
            _("with {user}, fingerprint {fingerprint}").format(
                user=harmless_name(found.user), fingerprint=found.fingerprint
            )
        )
        if found.changed:
            output.notice(
                _(
                    "this identity is NOT the one you knew. Compare the number before you go on; "
                    "then: chatsecure verify {user} --accept"
                ).format(user=harmless_name(found.user))
            )
        elif found.verified:
            output.notice(_("compared and recorded"))
        else:
            output.next(_("compare it face to face or on the phone, then run it with --mark"))
    return 0


def devices(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure devices`."""
    return session.run(_devices(output))


async def _devices(output: Output) -> int:
    async with session.connected(output) as client:
        found = await client.devices()
        if output.json:
            for device in found:
                output.record(asdict(device))
        else:
            output.table(
                (
                    device.device_id,
                    _("this device") if device.this else "",
                    _("last seen {when}").format(when=device.last_seen)
                    if device.last_seen
                    else _("online"),
                )
                for device in found
            )
    return 0


def users(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure users`."""
    return session.run(_users(output))


async def _users(output: Output) -> int:
    async with session.connected(output) as client:
        found = await client.users()
        if not found:
            raise NotFound(_("the server tells of no users"))
        if output.json:
            for user in found:
                output.record(asdict(user))
        else:
            names = [user.name for user in found]
            output.table(
                (
                    user_name(user.name),
                    _("online") if user.online else _("offline"),
                    user.fingerprint,
                    ", ".join(user_marks(user, names)),
                )
                for user in found
            )  # fmt: skip
    return 0


def user_marks(user: UserLine, names: Iterable[str]) -> list[str]:
    """What there is to say of a user, in words.

    Args:
        names: everybody's, for those that look alike.
    """
    marks = {
        _("you"): user.me,
        _("owner"): user.owner,
        _("verified"): user.verified,
        _("IDENTITY CHANGED"): user.changed,
        (why := doubt(user.name, names)): bool(why),
    }
    return [mark for mark, said in marks.items() if said]
