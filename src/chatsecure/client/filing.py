"""The facade's part for files: sending them, and what the person says to those that come.

How they move is in `files/`; here ids and targets of the faces become the core's.
"""

from pathlib import Path

from chatsecure.wire.errors import NotFound

from .events import message_id
from .facade import Facade, raw_id
from .files import Progress, check


class Filing(Facade):
    """What a face does with files."""

    async def send_file(self, target: str, path: Path, *, progress: Progress | None = None) -> str:
        """Post a file and upload it; returns when the server has all of it. Goes on where an
        earlier try broke off. Gives its id.

        A `FileEvent` of state `sending` tells its id while it is under way.

        Args:
            progress: called with bytes done and bytes in all.

        Raises:
            NotFound: no such target or file.
            Usage: no plain readable file.
            Refused: a quota.
            FileProblem: it was changed meanwhile, or cannot be read.
        """
        check(path)
        log_id = await self._log(target)
        return (await self.run(self._core.files.send(log_id, path, progress))).hex()

    def find_file(self, beginning: str) -> str:
        """The id of the newest file whose id begins so.

        Raises:
            NotFound: there is none.
        """
        found = self._core.files.find(beginning)
        if found is None:
            raise NotFound(f"there is no file {beginning} here")
        return message_id(found)

    def accept_file(self, id_: str) -> None:
        """Fetch a file that waits for our word, that failed, or that we had turned down.

        Raises:
            NotFound: there is no such file.
            Usage: it is our own, or its sender has taken it back.
        """
        self._core.files.accept(raw_id(id_))
        self._driver.turn()

    def decline_file(self, id_: str) -> None:
        """Turn an offered file down; its sender is told. What has come of it is deleted.

        Raises:
            NotFound: there is no such file.
            Usage: it is our own, or here already.
        """
        self._core.files.decline(raw_id(id_))
        self._driver.turn()

    def cancel_file(self, id_: str) -> None:
        """Stop a file on its way, in either direction; the other side is told. One of ours is
        taken back from the server: those who have it keep it, nobody else gets it.

        Raises:
            NotFound: there is no such file.
            Usage: one of others' that is here already.
        """
        self._core.files.cancel(raw_id(id_))
        self._driver.turn()
