"""send, file, listen, history, search."""

import asyncio
import contextlib
import select
import signal
import sys
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from pathlib import Path

from chatsecure.client.client import Client
from chatsecure.client.display import harmless
from chatsecure.client.events import (
    ConnectionEvent,
    Event,
    FileEvent,
    is_momentary,
    stamp,
    to_record,
)
from chatsecure.client.files import left_out
from chatsecure.client.history import HistoryLine
from chatsecure.wire.errors import (
    ChatSecureError,
    NotFound,
    NotInTime,
    Refused,
    Unreachable,
    Usage,
    WrongIdentity,
)
from chatsecure.wire.messages import MAX_TEXT_BYTES
from chatsecure.words import _, _n

from . import session
from .human import describe, history_line, history_record
from .output import ClosedPipe, Output, is_terminal
from .progress import Bar

STORED_TIMEOUT_S = 60.0
"""How long `--wait stored` waits where nothing is said; the other waits have no end."""
FILES_AT_ONCE = 64
WATCH_PIPE_S = 0.2
"""How often `listen` looks whether anybody still reads it."""
LATER = _n("it is queued and goes out with the next command that connects")


def send(args: Namespace, output: Output) -> int:
    """`chatsecure send`."""
    target = session.target(args.target)
    text = _text(args.text, output)
    return session.run(_send(args, output, target, text))


def _text(given: str | None, output: Output) -> str:
    if given is None:
        raise Usage(_("which text?"), hint=_("give it as an argument, or - for standard input"))
    if given == "-":
        if is_terminal(sys.stdin):
            output.notice(_("type the text; Ctrl-D on a line of its own ends it"))
        data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 3)
        try:
            # A file's and a command's last line has an end; a message needs none.
            given = data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            if len(data) <= MAX_TEXT_BYTES:
                raise Usage(_("the text is not UTF-8"), hint=_("send it as a file")) from None
            raise _too_long() from None
    if len(session.unbroken(given).encode()) > MAX_TEXT_BYTES:
        raise _too_long()
    if not given.strip():
        raise Usage(_("the text is empty; there is nothing to send"))
    return given


def _too_long() -> Usage:
    return Usage(_("the text is longer than 64 KiB"), hint=_("send it as a file"))


async def _send(args: Namespace, output: Output, target: str, text: str) -> int:
    deadline = _deadline(args)
    async with session.running(output, present=False, receive_files=False) as client:
        try:
            await client.ready(_left(deadline, session.CONNECT_TIMEOUT_S))
        except (Unreachable, NotInTime) as error:
            id_ = await _queued(client, target, text, error)
            _sent(output, id_, target, "queued")
            raise type(error)(str(error), hint=f"{_(LATER)}: {id_}") from None
        id_ = await client.send(target, text)
        await _waited(client, output, id_, target, args.wait, deadline)
    return 0


async def _queued(client: Client, target: str, text: str, why: ChatSecureError) -> str:
    """Queue it without a connection; where that cannot be, the reason is the connection."""
    try:
        async with asyncio.timeout(1):
            return await client.send(target, text)
    except (NotInTime, Unreachable, TimeoutError):
        raise why from None


def _deadline(args: Namespace) -> float | None:
    timeout = args.timeout
    if timeout is None and args.wait == "stored":
        timeout = STORED_TIMEOUT_S
    return None if timeout is None else time.monotonic() + timeout


def _left(deadline: float | None, default: float | None = None) -> float | None:
    return default if deadline is None else max(0.0, deadline - time.monotonic())


async def _waited(
    client: Client, output: Output, id_: str, target: str, state: str, deadline: float | None
) -> None:
    """Wait, and print the id in any case: what was queued stays queued."""
    try:
        await client.wait(id_, state, _left(deadline))
    except NotInTime as error:
        reached = client.delivery(id_).state
        _sent(output, id_, target, reached)
        hint = _("the server has it and hands it over") if reached == "stored" else _(LATER)
        raise NotInTime(str(error), hint=error.hint or hint) from None
    _sent(output, id_, target, state)


def _sent(output: Output, id_: str, target: str, state: str) -> None:
    if output.json:
        output.record({"id": id_, "conversation": target, "state": state})
    else:
        output.line(id_)


def file(args: Namespace, output: Output) -> int:
    """`chatsecure file`."""
    target = session.target(args.target)
    for path in args.path:
        for skipped in left_out(path):
            output.notice(_("left out, no plain file: {path}").format(path=harmless(skipped)))
    return session.run(_files(args, output, target), heavy=True)


async def _files(args: Namespace, output: Output, target: str) -> int:
    """Send one or several, a few at a time; ids are printed in the order given."""
    deadline = _deadline(args) if args.timeout is not None else None
    async with session.running(output, present=False, receive_files=False) as client:
        await client.ready(_left(deadline, session.CONNECT_TIMEOUT_S))
        places = asyncio.Semaphore(FILES_AT_ONCE)

        async def send(path: Path) -> str:
            async with places:
                return await _send_file(client, output, target, path, alone=len(args.path) == 1)

        tasks = [asyncio.create_task(send(path)) for path in args.path]
        try:
            async with asyncio.timeout(_left(deadline)):
                ids = await asyncio.gather(*tasks)
        except TimeoutError:
            raise NotInTime(
                _("the file was not sent in time"),
                hint=_("the same command goes on where it broke off"),
            ) from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for id_ in ids:
            await _waited(client, output, id_, target, args.wait, deadline)
        if args.wait == "received":
            output.notice(_("received whole, SHA-256 equal"))
    return 0


async def _send_file(
    client: Client, output: Output, target: str, path: Path, *, alone: bool
) -> str:
    if not alone:
        return await client.send_file(target, path)
    bar = Bar(path.name, output)
    try:
        return await client.send_file(target, path, progress=bar.show)
    finally:
        bar.close()


def listen(args: Namespace, output: Output) -> int:
    """`chatsecure listen`."""
    return session.run(_listen(args, output), heavy=True)


async def _listen(args: Namespace, output: Output) -> int:
    if args.downloads is not None and not args.downloads.is_dir():
        raise NotFound(_("there is no folder {downloads}").format(downloads=args.downloads))
    ended = asyncio.Event()
    end_on_signals(ended)
    async with session.running(
        output, receive_files=not args.no_files, downloads=args.downloads
    ) as client:
        work = asyncio.ensure_future(_print_for(client, args, output))
        stop = asyncio.ensure_future(ended.wait())
        gone = asyncio.ensure_future(reader_gone())
        try:
            done, _pending = await asyncio.wait(
                (work, stop, gone), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (work, stop, gone):
                task.cancel()
            await asyncio.gather(work, stop, gone, return_exceptions=True)
        if work in done:
            work.result()
        if gone in done:
            raise ClosedPipe
    return 0


async def _print_for(client: Client, args: Namespace, output: Output) -> None:
    """Print what comes, for as long as was asked: that counts from the first line."""
    try:
        await client.ready(None if args.for_ is None else session.CONNECT_TIMEOUT_S + args.for_)
    except (Unreachable, NotInTime, Refused, WrongIdentity) as error:
        # The first line tells of the connection, also where there is none.
        lost = "offline" if isinstance(error, Unreachable | NotInTime) else "refused"
        _print_event(_connection(lost, str(error)), client.name, output)
        raise
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(args.for_):
            await _print_events(client, args, output)


async def _print_events(client: Client, args: Namespace, output: Output) -> None:
    """Print what comes. The first line tells of the connection, whatever waits from before."""
    state = _connection("online")
    _print_event(state, client.name, output)
    printed = 0
    async for event in (events := client.events()):
        if isinstance(event, ConnectionEvent):
            if event.state == state.state:
                continue
            state = event
        _print_event(event, client.name, output)
        passing = isinstance(event, FileEvent) and is_momentary(event)
        printed += not isinstance(event, ConnectionEvent) and not passing
        if args.count is not None and printed >= args.count:
            await _take(events)
            return


def _connection(state: str, reason: str | None = None) -> ConnectionEvent:
    return ConnectionEvent(at=stamp(time.time_ns() // 1_000_000), state=state, reason=reason)


async def _take(events: AsyncIterator[Event]) -> None:
    """Mark the event just printed as taken: that is done by asking for the next one."""
    asking = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
        await asking


def _print_event(event: Event, me: str, output: Output) -> None:
    if output.json:
        output.record(to_record(event))
    elif (text := describe(event, me)) is not None:
        output.line(text)


def end_on_signals(ended: asyncio.Event) -> None:
    """SIGTERM ends the command in order, and so does the end of its terminal."""
    end_on(ended, "SIGTERM")
    end_on(ended, "SIGHUP")


def end_on(ended: asyncio.Event, name: str) -> None:
    """Set an event on a signal, where the system has it."""
    with contextlib.suppress(NotImplementedError, RuntimeError, AttributeError):
        number = getattr(signal, name)
        # `nohup` wants to be left alone.
        if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, ended.set)


async def reader_gone() -> None:
    """Return when nobody reads our standard output any more (`listen | head`)."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):
        await asyncio.Event().wait()
        return
    while True:
        if any(happened & select.POLLERR for _descriptor, happened in poll.poll(0)):
            return
        await asyncio.sleep(WATCH_PIPE_S)


def history(args: Namespace, output: Output) -> int:
    """`chatsecure history`."""

    async def work() -> int:
        target = session.target(args.target)
        async with session.glancing(output) as client:
            _print_history(client.history(target, args.last), client, output)
            if client.online:
                await client.mark_read(target)
        return 0

    return session.run(work())


def search(args: Namespace, output: Output) -> int:
    """`chatsecure search`."""

    async def work() -> int:
        words = session.unbroken(" ".join(args.words)).strip()
        if not words:
            raise Usage(_("which words?"), hint="chatsecure search exam friday")
        async with session.glancing(output) as client:
            _print_history(client.search(words, args.last), client, output)
        return 0

    return session.run(work())


def _print_history(lines: list[HistoryLine], client: Client, output: Output) -> None:
    for line in lines:
        if output.json:
            output.record(history_record(line))
        else:
            output.line(history_line(line, client.name))
