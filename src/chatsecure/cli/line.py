"""The line client: appends lines only, so it works everywhere, and for a screen reader.

On a capable terminal prompt_toolkit keeps the line being typed whole while messages arrive; else
lines are read as they come and nothing but plain lines is written: no escape, no redrawing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from chatsecure.client.client import Client
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.events import (
    ConnectionEvent,
    Event,
    FileEvent,
    MessageEvent,
    PresenceEvent,
    ReceiptEvent,
    is_momentary,
)
from chatsecure.wire.errors import NotFound, NotInTime, Refused, Unreachable, WrongIdentity
from chatsecure.words import _

from . import session
from .actions import Chat
from .chatting import quoted
from .human import describe
from .messages import end_on_signals, reader_gone
from .output import ClosedPipe, Output, is_terminal
from .receipts import Receipts
from .slash_completion import completions
from .typed import Typed

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

LAST_WORDS_S = 30.0
"""How long the end of the input waits for what was typed to be stored."""
TELL_PROGRESS_S = 10.0
"""How often a line tells how far a file is."""
MANY_LINES = 5
"""A paste of more lines than this is asked about."""


def run(args: Namespace, output: Output) -> int:  # noqa: ARG001 - the handlers' signature
    """`chatsecure cli`."""
    return session.run(_run(output))


def capable(output: Output) -> bool:
    """Whether the terminal can redraw a line."""
    return (
        not output.options.plain
        and is_terminal(sys.stdin)
        and is_terminal(sys.stdout)
        and os.environ.get("TERM", "dumb" if os.name == "posix" else "windows") not in ("", "dumb")
    )


async def _run(output: Output) -> int:
    ended = asyncio.Event()
    end_on_signals(ended)
    async with session.running(output) as client:

        def show(text: str) -> None:
            output.line(harmless(text))

        chat = Chat(client, show)
        said = _("you are {name}; /help lists the commands, /quit ends").format(name=client.name)
        try:
            await client.ready()
            show(said)
        except Unreachable as problem:
            if not is_terminal(sys.stdin):
                raise
            # A person can read and write all the same.
            show(said)
            show(_("not connected: {reason}").format(reason=problem))
            show(_("what you write is kept and goes out when the server is back"))
        tasks = [
            asyncio.ensure_future(_show_events(client, chat, output)),
            asyncio.ensure_future(ended.wait()),
            asyncio.ensure_future(reader_gone()),
        ]
        reading = _prompt(chat) if capable(output) else _read_lines(chat, output)
        tasks.insert(0, asyncio.ensure_future(reading))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        if not tasks[3].cancelled():
            raise ClosedPipe
    return 0


async def _show_events(client: Client, chat: Chat, output: Output) -> None:
    """Show what arrives; what was shown is read."""

    def show(text: str) -> None:
        # Nobody may read it any more; that is seen elsewhere.
        with contextlib.suppress(ClosedPipe):
            output.line(text)

    receipts = Receipts(client, show)
    try:
        await _show_each(client, chat, output, receipts)
    finally:
        # They were taken from the client, which does not give them again.
        receipts.tell()


async def _show_each(client: Client, chat: Chat, output: Output, receipts: Receipts) -> None:
    online, progress = client.online, Progress()
    async for event in client.events():
        if isinstance(event, ConnectionEvent):
            if (event.state == "online") == online:
                continue
            online = event.state == "online"
        if isinstance(event, ReceiptEvent) and receipts.heard(event):
            continue
        if _worth_showing(event, client):
            text = describe(event, client.name, quote=partial(_quote, client))
            text = text or progress.line(event, time.monotonic())
            if text is not None:
                output.line(text)
                chat.saw(event)
        if client.notable(event) and client.is_on("bell") and capable(output):
            output.bell()
        if is_momentary(event):
            continue
        if isinstance(event, MessageEvent | FileEvent) and event.conversation and client.online:
            with contextlib.suppress(Unreachable, Refused, NotInTime, WrongIdentity):
                await client.mark_read(event.conversation)


def _worth_showing(event: Event, client: Client) -> bool:
    """A file on its way tells twice: when it is offered and when it is here. Who comes and goes
    is told to whom that interests."""
    if isinstance(event, FileEvent):
        return event.state != "receiving" or event.done is not None
    return not isinstance(event, PresenceEvent) or client.is_on("presence")


def _quote(client: Client, id_: str) -> str:
    """The message that another one answers, in a few words."""
    try:
        return quoted(client.delivery(id_))
    except NotFound:
        return _("a message that is not here")


class Progress:
    """How far long transfers are, in a line now and then instead of a bar."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def line(self, event: Event, now: float) -> str | None:
        """What to say of an event at a time in seconds; nothing in most cases."""
        if not isinstance(event, FileEvent) or event.id is None:
            return None
        if event.done is None or event.done >= event.size:
            self._told.pop(event.id, None)
            return None
        if now - self._told.setdefault(event.id, now) < TELL_PROGRESS_S:
            return None
        self._told[event.id] = now
        said = _("file {name}: received {percent} %")
        if event.mine:
            said = _("file {name}: sent {percent} %")
        return said.format(
            name=harmless_name(event.name), percent=event.done * 100 // max(event.size, 1)
        )


# --- lines as they come ----------------------------------------------------------------------


async def _read_lines(chat: Chat, output: Output) -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # A thread of its own that nobody waits for: a read cannot be called off. It reads past
        # the stream's buffer, whose lock it would hold at the end of the program.
        with contextlib.suppress(RuntimeError):
            for line in _lines(sys.stdin.fileno()):
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, name="standard input", daemon=True).start()
    person = is_terminal(sys.stdin)
    where = ""
    while True:
        if person and chat.prompt != where:
            where = chat.prompt
            output.line(_("(Enter sends to {where})").format(where=where.removesuffix("> ")))
        line = await lines.get()
        if not line or not await chat.enter(line.decode("utf-8", "replace")):
            break
    await _all_stored(chat)


def _lines(descriptor: int) -> Iterator[bytes]:
    """The lines of a file, as they come; each ends with a line end."""
    begun = b""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:
            data = b""
        if not data:
            break
        *whole, begun = (begun + data).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if begun:
        yield begun + b"\n"


async def _all_stored(chat: Chat) -> None:
    """Leave only when everything typed is stored.

    Raises:
        NotInTime: it is not, and stays queued.
    """
    if chat.under_way:
        # A file takes as long as it takes; what goes wrong with it was told.
        await asyncio.gather(*chat.under_way)
    try:
        async with asyncio.timeout(LAST_WORDS_S if chat.client.online else 0):
            for id_ in chat.sent:
                with contextlib.suppress(Refused):
                    await chat.client.wait(id_, "stored")
    except TimeoutError:
        raise NotInTime(
            _("not everything typed is stored by the server"),
            hint=_("the rest is queued and goes out with the next command that connects"),
        ) from None


# --- a line that stays whole -----------------------------------------------------------------


async def _prompt(chat: Chat) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.patch_stdout import patch_stdout

    prompt: PromptSession[str] = PromptSession(
        completer=_completer(chat),
        complete_while_typing=False,
        key_bindings=_keys(),
        enable_open_in_editor=False,
        enable_suspend=True,
    )
    typed = Typed(chat.client)
    with patch_stdout():
        while True:
            # What was typed is kept for each conversation, in the encrypted profile: a history in
            # the clear on disk would betray it.
            here = chat.current
            prompt.default_buffer.history = InMemoryHistory(typed.lines(here))
            try:
                line = await prompt.prompt_async(lambda: chat.prompt)
            except (EOFError, KeyboardInterrupt):
                break
            if line.strip():
                typed.add(here, line)
            if line.count("\n") >= MANY_LINES and not await _sure(prompt, line, chat):
                continue
            if not await chat.enter(line):
                break
        await _all_stored(chat)


async def _sure(prompt: PromptSession[str], line: str, chat: Chat) -> bool:
    """Whether many lines are to be sent as a message; as a file they are sent here."""
    from prompt_toolkit import PromptSession

    where = chat.prompt.removesuffix("> ")
    lines = line.count("\n") + 1
    question = _("Send {n} lines to {where}? y: yes, f: as a file, n: no [n] ")
    try:
        answer = await PromptSession[str](input=prompt.input, output=prompt.output).prompt_async(
            question.format(n=lines, where=where)
        )
    except (EOFError, KeyboardInterrupt):
        return False
    answer = answer.strip().casefold()
    if answer in ("f", "file"):
        chat.send_pasted(line)
    return answer in ("y", "yes")


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    pressed = 0

    @keys.add("c-c")
    def _clear_or_leave(event: KeyPressEvent) -> None:
        nonlocal pressed
        buffer = event.app.current_buffer
        pressed = 0 if buffer.text else pressed + 1
        buffer.reset()
        if pressed >= 2:
            event.app.exit(exception=KeyboardInterrupt)

    @keys.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.app.current_buffer.insert_text("\n")

    return keys


def _completer(chat: Chat) -> Completer:
    from prompt_toolkit.completion import Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    paths = PathCompleter(expanduser=True)

    class Words(Completer):
        """Commands, names, rooms and paths."""

        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterable[Completion]:
            word, offered, path = completions(
                document.text_before_cursor, users=chat.people(), rooms=chat.room_names()
            )
            if path:
                yield from paths.get_completions(Document(word), complete_event)
            for one in offered:
                yield Completion(harmless(one), start_position=-len(word))

    return Words()
