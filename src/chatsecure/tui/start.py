"""`chatsecure tui`: open the profile, then the full screen; leave the terminal as it was."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatsecure.cli import session
from chatsecure.cli.actions import Chat
from chatsecure.cli.messages import end_on
from chatsecure.cli.output import Output, is_terminal
from chatsecure.wire.errors import ChatSecureError, Usage
from chatsecure.words import _

if TYPE_CHECKING:
    from .app import ChatApp

LAST_WORDS_S = 3.0
LAST_WORDS = 20
GRACE_S = 2.0
"""How much longer than for last words a process without a terminal stays."""


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


class _HungUp(Exception):
    """There is no terminal any more."""


async def _run(output: Output, *, following: bool) -> int:
    try:
        async with session.running(output) as client:
            from .app import ChatApp

            app = ChatApp(client, following=following)
            try:
                return await _shown(app)
            finally:
                for task in app.chat.under_way:
                    task.cancel()
    except _HungUp:
        # Everything is closed but the screen: what writes to it would wait for it for ever.
        os._exit(0)


def when_hung_up(told: Callable[[], object]) -> None:
    """Have `told` called in the loop when the terminal is closed, and the process ended a little
    later whatever the loop does: it may wait for a screen that is gone, and hears no signal then.
    """
    hung_up = getattr(signal, "SIGHUP", None)
    # `nohup` wants to be left alone.
    if hung_up is None or signal.getsignal(hung_up) is signal.SIG_IGN:
        return
    loop = asyncio.get_running_loop()

    def end(*_args: object) -> None:
        last = threading.Timer(LAST_WORDS_S + GRACE_S, os._exit, (0,))
        last.daemon = True
        last.start()
        loop.call_soon_threadsafe(told)

    signal.signal(hung_up, end)


async def _shown(app: "ChatApp") -> int:
    """Run the application until it ends or is told to.

    Raises:
        _HungUp: its terminal was closed; what was begun is kept.
    """
    ended, hung_up = asyncio.Event(), asyncio.Event()
    end_on(ended, "SIGTERM")
    when_hung_up(hung_up.set)
    running = asyncio.ensure_future(app.run_async())
    hanging_up = asyncio.ensure_future(hung_up.wait())
    ending = asyncio.ensure_future(ended.wait())
    ending.add_done_callback(lambda task: None if task.cancelled() else app.exit(0))
    try:
        await asyncio.wait({running, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        if hung_up.is_set():
            app.keep_draft()
            await _last_words(app.chat)
            raise _HungUp
        code = await running or app.return_code or 0
        if app.broken is not None:
            raise app.broken
        await _last_words(app.chat)
        return code
    finally:
        if not hung_up.is_set():
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await running
        hanging_up.cancel()
        ending.cancel()
