"""What all parts of the facade share: the core, its driver, the database, and how a target that
a face names (`@user`, `#room`) becomes a conversation. Knows nothing of what is done there.
"""

from dataclasses import replace
from pathlib import Path

from chatsecure.names import fold_name, nearest
from chatsecure.wire import messages as m
from chatsecure.wire.errors import NotFound, Usage

from . import contacts, conversations, flows_enter, settings
from .conversations import Conversation
from .core import Core, Options
from .driver import Driver, clock_ms, now_ms
from .events import Event, is_momentary
from .flow import Flow, T
from .history import UNDER_WAY, HistoryLine
from .profile.folder import Profile
from .profile.lock import FileLock, FileLocks
from .whereabouts import Whereabouts


class Facade:
    """One running client of one profile; see `Client`."""

    def __init__(
        self,
        profile: Profile,
        *,
        present: bool = True,
        receive_files: bool = True,
        downloads: Path | None = None,
    ) -> None:
        self._profile = profile
        self._db = profile.db
        self._core = Core(
            profile.db,
            now=now_ms,
            clock=clock_ms,
            options=Options(present=present, receive_files=receive_files),
        )
        # One process of a profile fetches files; where it dies, the next takes over.
        self._lock = FileLock(profile.folder / "lock")
        # Paths are told to scripts that may stand elsewhere.
        self._given_downloads = None if downloads is None else downloads.absolute()
        self._core.files.downloads = self._downloads()
        self._core.files.may_receive = self._lock.acquire
        # A file of ours is sent by one process at a time.
        self._sending = FileLocks(profile.folder / "sending")
        self._core.files.claim = lambda id_: self._sending.acquire(id_.hex())
        self._core.files.unclaim = lambda id_: self._sending.release(id_.hex())
        self._driver = Driver(self._core, Whereabouts(self._db))
        self._momentary: list[Event] = []
        self._taken = False
        """Events were taken that are to be confirmed as read."""
        self._core.listeners.append(self._heard)

    def _downloads(self) -> Path:
        """Where received files go: as this run was told, as the person set it, or the profile's."""
        chosen = settings.value(self._db, "downloads")
        if self._given_downloads is not None:
            return self._given_downloads
        return Path(chosen) if chosen and Path(chosen).is_dir() else self._profile.downloads

    def _heard(self, event: Event) -> None:
        if is_momentary(event):
            self._momentary.append(event)

    @property
    def name(self) -> str:
        """Our user name."""
        return self._core.me.name

    @property
    def away(self) -> str | None:
        """Why we are away, as we said; None: we are here."""
        text, said = self._db.get("away"), self._db.get("is_away")
        return str(text or "") if said else None

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of the core to its end; for the core's own modules."""
        return await self._driver.run(flow)

    def _far(self, line: HistoryLine) -> HistoryLine:
        """A line with how far its file is."""
        if line.file_state not in UNDER_WAY:
            return line
        return replace(line, done=self._core.files.done(raw_id(line.id)))

    def _known(self, target: str) -> Conversation | None:
        """The live conversation of this target, if we have it.

        Raises:
            Usage: it is neither `@user` nor `#room`.
            NotFound: we know of no such room.
        """
        if target[:1] not in ("@", "#") or len(target) < 2:
            raise Usage(f"{target!r} is no target; write @user or #room")
        found = conversations.find(self._db, target[0] + fold_name(target[1:]))
        if found is not None and found.state in conversations.LIVE:
            return found
        if target[0] == "#":
            rooms = [row.name for row in conversations.everything(self._db, conversations.ACTIVE)]
            close = nearest(target, [room for room in rooms if room[0] == "#"])
            gone = found is not None and found.state != conversations.JOINING
            raise NotFound(
                f"you are not in {target} any more" if gone else f"you are in no room {target}",
                hint=f"did you mean {close}?" if close else "chatsecure rooms lists them",
            )
        return None

    def _room(self, target: str) -> Conversation:
        """A room we are in.

        Raises:
            NotFound, Usage
        """
        if not target.startswith("#"):
            raise Usage(f"{target!r} is no room; a room's name begins with #")
        row = self._known(target)
        assert row is not None
        return row

    async def _log(self, target: str) -> bytes:
        """The log of a target; a private chat is opened if it must be."""
        row = self._known(target)
        # A private chat that is still being made may give way to the other side's.
        if row is not None and not (row.private and row.state == conversations.JOINING):
            return row.log_id
        return await self.run(flows_enter.open_private(self._core, target[1:]))

    def _row(self, target: str) -> Conversation:
        """A conversation that is or was.

        Raises:
            NotFound: there is no such conversation here.
        """
        row = conversations.find(self._db, fold_target(target))
        if row is None:
            self._known(target)
            raise contacts.unknown_user(target.removeprefix("@"), contacts.names(self._db))
        return row


def raw_id(id_: str) -> bytes:
    """The bytes of a message's id.

    Raises:
        NotFound: no message can have it.
    """
    try:
        raw = bytes.fromhex(id_)
    except ValueError:
        raw = b""
    if len(raw) != m.ID_BYTES:
        raise NotFound(f"there is no message {id_} here")
    return raw


def fold_target(target: str) -> str:
    """A target as conversations are found by it."""
    return target[:1] + fold_name(target[1:])
