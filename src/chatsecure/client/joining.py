"""Joining a server: from a link to a profile that is in `#lobby`."""

import asyncio
from pathlib import Path

from chatsecure import links
from chatsecure.names import fold_name
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, NotFound, Refused, Usage

from . import conversations, flows_enter
from .client import Client
from .core import Core
from .flow import Flow
from .profile import folder as profiles
from .profile.folder import Profile


async def join(
    folder: Path,
    link: str,
    name: str,
    *,
    passphrase: str | None = None,
    timeout: float | None = None,
) -> Profile:
    """Make a profile from a link: keys, registration, `#lobby` and the link's room.

    After a refusal nothing is left behind. Broke an earlier try off, it is taken up again.

    Raises:
        BadLink, BadName: wrong usage.
        Refused: token used up or expired, name taken.
        WrongIdentity: not the server of the link.
        Unreachable, NotInTime
    """
    parsed = links.parse_link(link)
    profile = _unfinished(folder, parsed, name, passphrase)
    if profile is None:
        profile = await asyncio.to_thread(profiles.create_profile, folder, parsed, name, passphrase)
    try:
        async with Client(profile, receive_files=False) as client:
            await client.ready(timeout)
            await client.run(_enter_server(client.core, parsed.secret))
    except BaseException:
        registered = profile.db.get("registered")
        profile.close()
        if not registered:
            profiles.discard_profile(folder)
        raise
    return profile


def _unfinished(
    folder: Path, link: links.Link, name: str, passphrase: str | None
) -> Profile | None:
    """A profile that was being made with this link and name when we broke off."""
    if not profiles.exists(folder):
        profiles.discard_profile(folder)
        return None
    try:
        profile = profiles.open_profile(folder, lambda: passphrase)
    except profiles.NoProfile:
        profiles.discard_profile(folder)
        return None
    same = bytes(profile.db.get("server_fingerprint")) == link.fingerprint
    if not profile.db.get("registered"):
        token = bytes(profile.db.get("token") or b"")
        if token == links.token_of(link.secret) and profile.db.get("folded") == fold_name(name):
            return profile
        profile.close()
        profiles.discard_profile(folder)
        return None
    if (
        same
        and profile.db.get("folded") == fold_name(name)
        and not conversations.everything(profile.db, conversations.ACTIVE)
    ):
        return profile
    profile.close()
    raise Usage(
        f"there is a profile in {folder} already", hint="choose another folder with --profile"
    )


def _enter_server(core: Core, secret: bytes) -> Flow[None]:
    """After the registration: `#lobby` and the link's room, or, for the first user, making it."""
    if core.lobby is None and core.role is m.Role.OWNER:
        try:
            yield from flows_enter.create_lobby(core)
        except Refused as error:
            if error.code is not ErrorCode.EXISTS:
                raise
        else:
            return
    try:
        yield from flows_enter.enter_by_link(core, secret)
    except (NotFound, Refused) as error:
        # A token from the operator's console lets in without a way into #lobby.
        if isinstance(error, Refused) and error.code is not ErrorCode.BAD_TOKEN:
            raise
