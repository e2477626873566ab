"""The bus of a server that is alone."""

from collections.abc import Callable

from chatsecure.server.rules.logs import Published


class LocalBus:
    """Hands entries straight to this server's hub.

    Args:
        deliver: takes a committed batch.
    """

    def __init__(self, deliver: Callable[[list[Published]], None]) -> None:
        self._deliver = deliver

    def publish(self, batch: list[Published]) -> None:
        """See `base.Bus`."""
        self._deliver(batch)
