"""ChatSecure: self-hosted, end-to-end encrypted chat over raw TCP sockets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bot import Bot as Bot

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`chatsecure.Bot`, loaded when it is asked for: commands must stay quick."""
    if name == "Bot":
        from .bot import Bot

        return Bot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
