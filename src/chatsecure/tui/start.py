"""`chatsecure tui`: open the profile, then the full screen; leave the terminal as it was."""

import asyncio
import contextlib
import sys
from argparse import Namespace

from chatsecure.cli import session
from chatsecure.cli.messages import end_on_sigterm
from chatsecure.cli.output import Output, is_terminal
from chatsecure.wire.errors import Usage


def tui(args: Namespace, output: Output) -> int:
    """`chatsecure tui`.

    Raises:
        Usage: there is no terminal to draw on.
    """
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise Usage("the terminal client needs a terminal", hint="chatsecure cli works in a pipe")
    return session.run(_run(output, following=args.follow))


async def _run(output: Output, *, following: bool) -> int:
    from .app import ChatApp

    ended = asyncio.Event()
    end_on_sigterm(ended)
    async with session.running(output) as client:
        app = ChatApp(client, following=following)

        async def end() -> None:
            await ended.wait()
            app.exit(0)

        ending = asyncio.ensure_future(end())
        try:
            return await app.run_async() or app.return_code or 0
        finally:
            for task in app.chat.under_way:
                task.cancel()
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending
