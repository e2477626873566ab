"""`chatsecure tui`: open the profile, then the full screen; leave the terminal as it was."""

import asyncio
import contextlib
import os
import sys
from argparse import Namespace

from chatsecure.cli import session
from chatsecure.cli.actions import Chat
from chatsecure.cli.messages import end_on_sigterm
from chatsecure.cli.output import Output, is_terminal
from chatsecure.wire.errors import ChatSecureError, Usage
from chatsecure.words import _

LAST_WORDS_S = 3.0
LAST_WORDS = 20


def tui(args: Namespace, output: Output) -> int:
    """`chatsecure tui`.

    Raises:
        Usage: there is no terminal to draw on.
    """
    if os.environ.get("TERM") == "dumb":
        raise Usage(
            _("this terminal cannot show a full screen"), hint=_("chatsecure cli works everywhere")
        )
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise Usage(
            _("the terminal client needs a terminal"), hint=_("chatsecure cli works in a pipe")
        )
    # A shell's own idea of the size would be taken for the terminal's, also after a change.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    return session.run(_run(output, following=args.follow))


async def _last_words(chat: Chat) -> None:
    """What was typed last goes out before we do, where that takes a moment only; else it is kept
    and goes out the next time."""
    with contextlib.suppress(TimeoutError, ChatSecureError):
        async with asyncio.timeout(LAST_WORDS_S):
            for id_ in chat.sent[-LAST_WORDS:]:
                await chat.client.wait(id_, "stored")


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
            code = await app.run_async() or app.return_code or 0
            if app.broken is not None:
                raise app.broken
            await _last_words(app.chat)
            return code
        finally:
            for task in app.chat.under_way:
                task.cancel()
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending
