"""The client as faces use it: one object, asyncio, everything a chat does.

    async with Client(open_profile(folder)) as client:
        await client.ready()
        id_ = await client.send("@bob", "hello")
        await client.wait(id_, "stored", timeout=10)
        async for event in client.events():
            ...

A face holds no chat logic: it calls these methods and shows these events. All errors are
`ChatSecureError`s whose text is for people and which carry their exit code.
"""

from typing import Self

from chatsecure import links
from chatsecure.crypto import fingerprint

from .core import Core
from .filing import Filing
from .people import People
from .reading import Reading
from .rooms import Rooms
from .writing import Writing


class Client(Writing, Filing, Reading, People, Rooms):
    """One running client of one profile.

    Args:
        profile: an open profile; closed by whoever opened it.
        present: others see us come and go; False for a short errand (`send`).
        receive_files: fetch files as they are offered.
        downloads: where received files go; the profile's `downloads/` by default.
    """

    async def __aenter__(self) -> Self:
        self._driver.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._driver.stop()
        self._core.close()
        self._lock.release()
        self._sending.close()

    @property
    def core(self) -> Core:
        """The core, for the client's own modules."""
        return self._core

    @property
    def fingerprint(self) -> str:
        """Our own fingerprint, for people."""
        return fingerprint.format_fingerprint(self._core.me.fingerprint)

    @property
    def online(self) -> bool:
        """Logged in and subscribed."""
        return self._core.online

    @property
    def server(self) -> str:
        """The server's address."""
        return links.format_address(self._db.get("server_host"), int(self._db.get("server_port")))

    async def ready(self, timeout: float | None = None, *, patient: bool = False) -> None:
        """Wait until we are online and have caught up.

        Args:
            patient: go on trying; otherwise the first failure to connect is raised.

        Raises:
            Unreachable, WrongIdentity, Refused: why there is no connection.
            NotInTime: `timeout` seconds ran out.
        """
        driver = self._driver

        def settled() -> bool:
            failed = not patient and driver.attempts > 0 and not self._core.online
            return self._core.caught_up() or failed

        await driver.until(settled, timeout, what="the server did not answer in time")
        if not self._core.online and driver.failure is not None:
            raise driver.failure
