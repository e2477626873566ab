"""profile export, import, take-over."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from chatsecure.client.client import Client
from chatsecure.client.profile import moving
from chatsecure.client.profile.folder import Profile
from chatsecure.wire.errors import NotInTime, Unreachable, Usage

from . import session
from .output import Output


def export(args: Namespace, output: Output) -> int:
    """`chatsecure profile export`."""
    profile = session.open_mine(output)
    try:
        passphrase = _passphrase(args, output, new=True)
        moving.export_profile(profile, args.file, passphrase)
        _tell(profile, args.file, output)
    finally:
        profile.close()
    output.notice(
        "this profile is out of use here now; whoever has the file and its passphrase is you"
    )
    output.next(f"chatsecure profile import {args.file}, on the other computer")
    return 0


def import_(args: Namespace, output: Output) -> int:
    """`chatsecure profile import`."""
    passphrase = _passphrase(args, output, new=False)
    profile = moving.import_profile(
        args.file, session.folder(output), passphrase, session.given_passphrase(output)
    )
    return session.run(_shut_out_others(profile, output))


def take_over(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure profile take-over`."""
    profile = moving.take_over(session.folder(output), session.passphrase(output))
    return session.run(_shut_out_others(profile, output))


async def _shut_out_others(profile: Profile, output: Output) -> int:
    """By going online once."""
    try:
        async with Client(profile, present=False, receive_files=False) as client:
            try:
                await client.ready(session.GLANCE_TIMEOUT_S)
            except (Unreachable, NotInTime) as error:
                output.notice(f"chatsecure: other copies are shut out when you are online: {error}")
        _tell(profile, profile.folder, output)
    finally:
        profile.close()
    return 0


def _tell(profile: Profile, where: Path, output: Output) -> None:
    name = str(profile.db.get("name"))
    if output.json:
        output.record({"name": name, "path": str(where)})
    else:
        output.line(f"{name} {where}")


def _passphrase(args: Namespace, output: Output, *, new: bool) -> str:
    """The passphrase of the file.

    Raises:
        Usage: there is none to be had.
    """
    if args.export_passphrase_file is not None:
        given = session.read_passphrase(args.export_passphrase_file)
    else:
        given = os.environ.get("CHATSECURE_EXPORT_PASSPHRASE", "")
    given = given or session.given_passphrase(output) or ""
    if not given and output.may_ask:
        from getpass import getpass

        given = getpass("Passphrase of the file: ", stream=sys.stderr)
        if new and getpass("Once more: ", stream=sys.stderr) != given:
            raise Usage("the two are not the same")
    if not given:
        raise Usage(
            "which passphrase has the file?",
            hint="CHATSECURE_EXPORT_PASSPHRASE or --export-passphrase-file",
        )
    return given
