"""run-bot: a program that answers, one run per message, in any language.

The program gets the message as one JSON object (as `listen --json` prints it) on its standard
input; what it prints is the answer. Its time and its output are bounded, one runs at a time, and
what goes wrong with it is told on standard error and sends nothing.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from argparse import Namespace
from pathlib import Path

from chatsecure.bot import Bot, Message
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.events import to_record
from chatsecure.wire.errors import ChatSecureError, NotFound, Usage
from chatsecure.wire.messages import MAX_TEXT_BYTES
from chatsecure.words import _

from . import session
from .output import Output, one_line

READ_BYTES = 16 * 1024
LAST_WORDS_S = 2.0
"""How long we wait for the end of a program that was killed."""
HIDDEN = ("CHATSECURE_PASSPHRASE", "CHATSECURE_LINK")
"""Secrets of ours that are none of the program's."""


def run(args: Namespace, output: Output) -> int:
    """`chatsecure run-bot`."""
    words: list[str] = args.cmd[1:] if args.cmd[:1] == ["--"] else args.cmd
    if not words:
        raise Usage(_("which program answers?"), hint="chatsecure run-bot -- ./answer.sh")
    if shutil.which(words[0]) is None:
        raise NotFound(_("there is no program {program}").format(program=words[0]))
    targets = [session.target(target) for target in args.on or ()]
    return session.run(_run(args, output, words, targets))


async def _run(args: Namespace, output: Output, words: list[str], targets: list[str]) -> int:
    home = session.folder(output).absolute()
    bot = Bot(
        home,
        rooms=targets or None,
        mention=args.mention,
        passphrase=session.passphrase(output),
    )

    @bot.on_start
    async def ready() -> None:
        mine = {room.name.casefold() for room in bot.client.rooms()}
        for target in targets:
            if target.startswith("#") and target.casefold() not in mine:
                output.notice(
                    _("chatsecure: {name} is not in {target} yet").format(
                        name=bot.name, target=harmless_name(target)
                    )
                )
        output.notice(_("{name} answers; Ctrl-C ends it").format(name=bot.name))

    @bot.on_message
    async def answer(message: Message) -> None:
        try:
            text = await _answer(words, one_line(to_record(message.event)), args.timeout, home)
            if text.strip():
                await message.reply(text)
        except ChatSecureError as error:
            said = harmless(str(error), lines=False)
            output.error(f"no answer to {message.id[:8]}: {said}", error.exit_code)

    await bot.main()
    return 0


class Failed(ChatSecureError):
    """The program did not answer as it should."""


async def _answer(words: list[str], message: str, timeout: float, home: Path) -> str:
    """Run the program once.

    Args:
        timeout: seconds it may take.
        home: the bot's profile, for commands that the program itself may run.

    Raises:
        Failed: it cannot be run, takes too long, says too much or fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    environment["CHATSECURE_HOME"] = str(home)
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(
            _("{program} cannot be run: {strerror}").format(
                program=words[0], strerror=error.strerror
            )
        ) from None
    try:
        async with asyncio.timeout(timeout):
            said, _given_all = await asyncio.gather(_said(process), _given(process, message))
            code = await process.wait()
    except TimeoutError:
        raise Failed(
            _("{program} took longer than {timeout:g} s").format(program=words[0], timeout=timeout)
        ) from None
    finally:
        await _end(process)
    if code:
        raise Failed(
            _("{program} failed with exit code {code}").format(program=words[0], code=code)
        )
    try:
        # A program's last line has an end; a message needs none.
        return said.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Failed(
            _("{program} said something that is not UTF-8").format(program=words[0])
        ) from None


async def _said(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    said = b""
    while data := await process.stdout.read(READ_BYTES):
        said += data
        if len(said) > MAX_TEXT_BYTES:
            raise Failed(_("the answer is longer than {n} KiB").format(n=MAX_TEXT_BYTES // 1024))
    return said


async def _given(process: asyncio.subprocess.Process, message: str) -> None:
    assert process.stdin is not None
    # A program that answers without reading may be gone already.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(message.encode() + b"\n")
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and what it started, as far as that still runs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    assert process.stdout is not None
    # Its end is known only when its output was read to the end; somebody may still hold that open.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_S):
            while await process.stdout.read(READ_BYTES):
                pass
            await process.wait()
