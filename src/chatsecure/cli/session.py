"""A command's way to the client: which profile, whose passphrase, and an event loop around it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from chatsecure import words
from chatsecure.client.client import Client
from chatsecure.client.profile.folder import Profile, default_folder, open_profile
from chatsecure.wire.errors import NotFound, NotInTime, Unreachable, Usage
from chatsecure.words import _

from .output import Output

T = TypeVar("T")

CONNECT_TIMEOUT_S = 30.0
"""How long a command tries to connect and catch up unless told otherwise."""
GLANCE_TIMEOUT_S = 10.0
"""How long a command that shows what the device has tries to get the newest first."""


def folder(output: Output) -> Path:
    """The profile's folder."""
    return (output.options.profile or default_folder()).absolute()


def passphrase(output: Output) -> Callable[[], str | None]:
    """What gives the profile's passphrase when it is needed."""

    def ask() -> str | None:
        given = given_passphrase(output)
        if given is None and output.may_ask:
            from getpass import getpass

            given = getpass("Passphrase of the profile: ", stream=sys.stderr)
        return given

    return ask


def given_passphrase(output: Output) -> str | None:
    """The passphrase from a file or the environment.

    Raises:
        NotFound, Usage: the file is not there or cannot be read.
    """
    path = output.options.passphrase_file
    if path is None:
        return os.environ.get("CHATSECURE_PASSPHRASE") or None
    return read_passphrase(path)


def read_passphrase(path: Path) -> str:
    """The passphrase in a file.

    Raises:
        NotFound, Usage: the file is not there or cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(
            _("there is no file {path}").format(path=path), hint=_("it should hold the passphrase")
        ) from None
    except (OSError, UnicodeError) as error:
        raise Usage(
            _("the passphrase file {path} cannot be read: {error}").format(path=path, error=error)
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


def open_mine(output: Output) -> Profile:
    """The profile the options name."""
    return open_profile(folder(output), passphrase(output))


def run(work: Coroutine[Any, Any, T], *, heavy: bool = False) -> T:
    """Run a command's coroutine.

    Args:
        heavy: it may move much: on the faster event loop, where that is installed.
    """
    with asyncio.Runner(loop_factory=_fast_loop() if heavy else None) as runner:
        return runner.run(work)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@asynccontextmanager
async def running(
    output: Output,
    *,
    present: bool = True,
    receive_files: bool = True,
    downloads: Path | None = None,
) -> AsyncIterator[Client]:
    """A client of the profile, which is closed afterwards; it may be offline."""
    profile = open_mine(output)
    try:
        async with Client(
            profile, present=present, receive_files=receive_files, downloads=downloads
        ) as client:
            words.choose(client.setting("language") or "")
            yield client
    finally:
        profile.close()


@asynccontextmanager
async def connected(
    output: Output,
    *,
    within: float = CONNECT_TIMEOUT_S,
    receive_files: bool = False,
) -> AsyncIterator[Client]:
    """A client for a short errand: others do not see us come and go.

    Raises:
        Unreachable, WrongIdentity, Refused, NotInTime: there is no connection.
    """
    async with running(output, present=False, receive_files=receive_files) as client:
        await client.ready(within)
        yield client


@asynccontextmanager
async def glancing(output: Output) -> AsyncIterator[Client]:
    """A client that shows what the device has: brought up to date if the server can be reached."""
    async with running(output, present=False, receive_files=False) as client:
        try:
            await client.ready(GLANCE_TIMEOUT_S)
        except (Unreachable, NotInTime) as error:
            output.notice(_("chatsecure: not up to date: {error}").format(error=error))
        yield client


def target(text: str) -> str:
    """Check that a target names its kind; a plain name is not guessed at.

    Raises:
        Usage
    """
    if text[:1] not in ("@", "#") or len(text) < 2:
        hint = f"write @{text} for a user, '#{text}' for a room" if text.strip() else ""
        raise Usage(
            _("{text!r} is no target").format(text=text), hint=hint or "write @user or '#room'"
        )
    return unbroken(text)


def room_name(text: str) -> str:
    """A room's name; its # may be left out, for shells that take it for a comment."""
    return unbroken(text if text.startswith("#") else "#" + text)


def user_name(text: str) -> str:
    """A user's name, with or without @."""
    return unbroken(text.removeprefix("@"))


def unbroken(text: str) -> str:
    """A text from the command line, if it is one.

    Raises:
        Usage: it holds bytes that are no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Usage(_("the text is not UTF-8"), hint=_("check the terminal's encoding")) from None
    return text
