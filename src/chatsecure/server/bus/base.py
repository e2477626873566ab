"""The bus's interface: what one server commits, every server of the installation pushes."""

from typing import Protocol

from chatsecure.server.rules.logs import Published


class Bus(Protocol):
    """Carries committed entries, in the order of each log."""

    def publish(self, batch: list[Published]) -> None:
        """These entries are on disk."""
