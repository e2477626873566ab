"""A bot: a client, handlers, and the loop between them.

What handlers can rely on:

- Each event is handed over after the one before was handled, oldest first, beginning with what
  came while the bot was away.
- An event counts as handled when its handlers have returned. One that is cut short (the process
  dies) is handed over again at the next start: at least once, and `id` makes it once.
- A handler's error is logged (`chatsecure.bot`) with its traceback; the event counts as handled
  and the bot goes on.
- What a handler sends is queued durably before it returns, and goes out when there is a connection.
- The bot does not see what it wrote itself.

It reconnects by itself, for ever, and ends on SIGTERM and SIGINT with exit code 0.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from chatsecure.client.client import Client
from chatsecure.client.events import Event, FileEvent, MessageEvent, is_momentary
from chatsecure.client.profile.folder import default_folder, open_profile
from chatsecure.names import fold_name
from chatsecure.wire.errors import ChatSecureError

from .incoming import File, Message

GRACE_S = 5.0
"""How long a handler may go on after the bot was told to end."""

log = logging.getLogger("chatsecure.bot")

Handler = Callable[[Any], Awaitable[None]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True)
class _Handling:
    """A handler and what it wants."""

    handler: Handler
    wants: Callable[[Any], bool]


class Bot:
    """A bot of one profile.

    Args:
        profile: the profile's folder, made by `chatsecure join --profile`; by default
            `CHATSECURE_HOME` or the platform's folder.
        rooms: hand over only what comes in these conversations (`#room`, `@user`); everything
            by default.
        mention: hand over only messages that mention the bot or come in private.
        downloads: where received files go; the profile's `downloads/` by default.
        passphrase: what gives the profile's passphrase; `CHATSECURE_PASSPHRASE` by default.
    """

    def __init__(
        self,
        profile: Path | str | None = None,
        *,
        rooms: Collection[str] | None = None,
        mention: bool = False,
        downloads: Path | str | None = None,
        passphrase: Callable[[], str | None] | None = None,
    ) -> None:
        self._folder = (Path(profile) if profile is not None else default_folder()).absolute()
        self._rooms = rooms
        self._mention = mention
        self._downloads = Path(downloads) if downloads is not None else None
        self._passphrase = passphrase or (lambda: os.environ.get("CHATSECURE_PASSPHRASE") or None)
        self._messages: list[_Handling] = []
        self._files: list[_Handling] = []
        self._events: list[_Handling] = []
        self._starting: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: Client | None = None
        self._ended: asyncio.Event | None = None

    # --- what handlers are given to do --------------------------------------------------------

    @property
    def client(self) -> Client:
        """The running client, for all that has no shorter way here.

        Raises:
            RuntimeError: the bot does not run.
        """
        if self._client is None:
            raise RuntimeError("the bot does not run yet")
        return self._client

    @property
    def name(self) -> str:
        """The bot's user name."""
        return self.client.name

    async def send(self, target: str, text: str) -> str:
        """Write to `@user` or `#room`. Gives the message's id.

        Raises:
            ChatSecureError: there is no such target, or the text is no text.
        """
        return await self.client.send(target, text)

    async def send_file(self, target: str, path: Path | str) -> str:
        """Send a file; returns when the server has it. Gives its id.

        Raises:
            ChatSecureError: there is no such target or file, or a quota is used up.
        """
        return await self.client.send_file(target, Path(path))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the handlers (wait for a time, say); its error is logged. It is
        cancelled when the bot ends."""
        task = asyncio.ensure_future(self._told(work, "a task"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End the bot after the handler that runs now."""
        if self._ended is not None:
            self._ended.set()

    # --- handlers -----------------------------------------------------------------------------

    def on_message(
        self,
        handler: H | None = None,
        *,
        mention: bool | None = None,
        rooms: Collection[str] | None = None,
    ) -> Any:
        """Register a handler for messages; plain, or with what it wants.

        Args:
            mention: only messages that mention the bot or come in private.
            rooms: only those of these conversations (`#room`, `@user`).
        """

        def wants(message: Message) -> bool:
            meant = self._mention if mention is None else mention
            return self._here(message, rooms) and (not meant or message.mentioned)

        return _registered(self._messages, wants, handler)

    def on_file(self, handler: H | None = None, *, rooms: Collection[str] | None = None) -> Any:
        """Register a handler for files that have come whole; plain, or for some conversations."""
        return _registered(self._files, lambda file: self._here(file, rooms), handler)

    def on_event(self, *kinds: Any) -> Any:
        """Register a handler for typed events (`chatsecure.client.events`); of these types, or
        of all. Those that only tell of the moment (presence, typing, the connection) come too."""
        handler = kinds[0] if len(kinds) == 1 and not isinstance(kinds[0], type) else None
        wanted = cast("tuple[type[Event], ...]", kinds) if handler is None and kinds else (Event,)
        return _registered(self._events, lambda event: isinstance(event, wanted), handler)

    def on_start(self, handler: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Register what is to be done once, when the bot is online and has caught up."""
        self._starting.append(handler)
        return handler

    def _here(self, what: Message | File, rooms: Collection[str] | None) -> bool:
        return all(
            wanted is None or fold_name(what.conversation) in map(fold_name, wanted)
            for wanted in (self._rooms, rooms)
        )

    # --- running ------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until SIGTERM, SIGINT or `stop`.

        Raises:
            SystemExit: the profile cannot be used or the server refuses us; with the exit code
                that the commands have. Why is logged in one line.
        """
        try:
            asyncio.run(self.main())
        except KeyboardInterrupt:
            # Where a loop cannot take signals (Windows), Ctrl-C comes this way.
            return
        except ChatSecureError as error:
            log.error("%s", f"{error}; {error.hint}" if error.hint else error)
            raise SystemExit(error.exit_code) from None

    async def main(self) -> None:
        """`run` for who has an event loop already.

        Raises:
            ChatSecureError: the profile cannot be used, or the server refuses us for good.
        """
        self._ended = asyncio.Event()
        profile = open_profile(self._folder, self._passphrase)
        try:
            async with Client(profile, downloads=self._downloads) as client:
                self._client = client
                with _signals(self._ended.set):
                    await self._work(client, self._ended)
        finally:
            self._client = None
            profile.close()

    async def _work(self, client: Client, ended: asyncio.Event) -> None:
        ending = asyncio.ensure_future(ended.wait())
        starting = asyncio.ensure_future(self._start(client))
        events = client.events()
        getting: asyncio.Future[Event] | None = None
        try:
            while True:
                # Asking for the next event says that the last one was handled.
                getting = asyncio.ensure_future(anext(events))
                await asyncio.wait({getting, ending}, return_when=asyncio.FIRST_COMPLETED)
                if ending.done():
                    return
                handling = asyncio.ensure_future(self._handle(await getting))
                await asyncio.wait({handling, ending}, return_when=asyncio.FIRST_COMPLETED)
                if not handling.done():
                    await asyncio.wait({handling}, timeout=GRACE_S)
                if not handling.done():
                    handling.cancel()
                    await asyncio.wait({handling})
                    return
                await handling
        finally:
            others = [task for task in (ending, starting, getting) if task is not None]
            for task in (*others, *self._tasks):
                task.cancel()
            await asyncio.gather(*others, *self._tasks, return_exceptions=True)
            await events.aclose()

    async def _start(self, client: Client) -> None:
        with contextlib.suppress(ChatSecureError):
            # Why there is no connection for good ends the events too, and is told there.
            await client.ready(patient=True)
            for handler in self._starting:
                await self._told(handler(), handler)

    async def _handle(self, event: Event) -> None:
        for handling in self._events:
            await self._called(handling, event)
        if event.sender == self.name or is_momentary(event):
            return
        if isinstance(event, MessageEvent):
            for handling in self._messages:
                await self._called(handling, Message(self, event))
        elif isinstance(event, FileEvent) and event.state == "received":
            for handling in self._files:
                await self._called(handling, File(self, event))

    async def _called(self, handling: _Handling, what: Any) -> None:
        if handling.wants(what):
            await self._told(handling.handler(what), handling.handler)

    async def _told(self, work: Awaitable[None], what: object) -> None:
        try:
            await work
        except ChatSecureError as error:
            log.error("%s: %s", getattr(what, "__name__", what), error)
        except Exception:
            log.exception("error in %s; the bot goes on", getattr(what, "__name__", what))


def _registered(
    handlings: list[_Handling], wants: Callable[[Any], bool], handler: Handler | None
) -> Any:
    """Register at once, or give the decorator that does."""

    def register(handler: Handler) -> Handler:
        handlings.append(_Handling(handler, wants))
        return handler

    return register if handler is None else register(handler)


@contextlib.contextmanager
def _signals(end: Callable[[], None]) -> Any:
    """SIGTERM, SIGINT and the end of its terminal end the bot in order; where a loop cannot have
    that, the default stays."""
    loop, taken = asyncio.get_running_loop(), []
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            number = getattr(signal, name)
            # `nohup` wants to be left alone.
            if name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, partial(end))
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
