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
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from chatsecure.client.client import Client
from chatsecure.client.display import harmless
from chatsecure.client.events import (
    ConnectionEvent,
    Event,
    FileEvent,
    MessageEvent,
    is_momentary,
)
from chatsecure.wire.errors import NotInTime, Refused, Unreachable, WrongIdentity

from . import session
from .actions import Chat
from .human import describe
from .messages import end_on_sigterm, reader_gone
from .output import ClosedPipe, Output, is_terminal
from .slash import completions

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

LAST_WORDS_S = 30.0
"""How long the end of the input waits for what was typed to be stored."""
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
    end_on_sigterm(ended)
    async with session.running(output) as client:

        def show(text: str) -> None:
            output.line(harmless(text))

        chat = Chat(client, show)
        await client.ready()
        show(f"you are {client.name}; /help lists the commands, /quit ends")
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
    online = True
    async for event in client.events():
        if isinstance(event, ConnectionEvent):
            if (event.state == "online") == online:
                continue
            online = event.state == "online"
        if _worth_showing(event) and (text := describe(event, client.name)) is not None:
            output.line(text)
            chat.saw(event)
        if is_momentary(event):
            continue
        if isinstance(event, MessageEvent | FileEvent) and event.conversation and client.online:
            with contextlib.suppress(Unreachable, Refused, NotInTime, WrongIdentity):
                await client.mark_read(event.conversation)


def _worth_showing(event: Event) -> bool:
    """A file on its way tells twice: when it is offered and when it is here."""
    return not (isinstance(event, FileEvent) and event.state == "receiving")


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
            output.line(f"(Enter sends to {where.removesuffix('> ')})")
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
        async with asyncio.timeout(LAST_WORDS_S):
            for id_ in chat.sent:
                with contextlib.suppress(Refused):
                    await chat.client.wait(id_, "stored")
    except TimeoutError:
        raise NotInTime(
            "not everything typed is stored by the server",
            hint="the rest is queued and goes out with the next command that connects",
        ) from None


# --- a line that stays whole -----------------------------------------------------------------


async def _prompt(chat: Chat) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.patch_stdout import patch_stdout

    # What was typed stays in memory: a history in the clear on disk would betray it.
    prompt: PromptSession[str] = PromptSession(
        history=InMemoryHistory(),
        completer=_completer(chat),
        complete_while_typing=False,
        key_bindings=_keys(),
        enable_open_in_editor=False,
    )
    with patch_stdout():
        while True:
            try:
                line = await prompt.prompt_async(lambda: chat.prompt)
            except (EOFError, KeyboardInterrupt):
                break
            if line.count("\n") >= MANY_LINES and not await _sure(prompt, line, chat):
                continue
            if not await chat.enter(line):
                break
        await _all_stored(chat)


async def _sure(prompt: PromptSession[str], line: str, chat: Chat) -> bool:
    from prompt_toolkit import PromptSession

    lines = line.count("\n") + 1
    question = f"Send {lines} lines to {chat.prompt.removesuffix('> ')}? [y/N] "
    try:
        answer = await PromptSession[str](input=prompt.input, output=prompt.output).prompt_async(
            question
        )
    except (EOFError, KeyboardInterrupt):
        return False
    return answer.strip().casefold() in ("y", "yes")


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
