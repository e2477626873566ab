"""What handlers are given: a message or a file with the few things a bot does about it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chatsecure.client.events import FileEvent, MessageEvent
from chatsecure.names import fold_name

if TYPE_CHECKING:
    from .bot import Bot


class Incoming:
    """What somebody wrote or sent."""

    def __init__(self, bot: Bot, event: MessageEvent | FileEvent) -> None:
        self.bot = bot
        self.id = event.id or ""
        """The same for all time: a handler that must act once remembers it."""
        self.sender = event.sender or ""
        """Who wrote, by name; their identity was checked by the client."""
        self.conversation = event.conversation or ""
        """`#room`, or `@name` in a private chat: where `reply` goes."""
        self.at = datetime.fromisoformat(event.at).astimezone()
        """When, in the local zone."""

    @property
    def private(self) -> bool:
        """Whether it came in a private chat."""
        return self.conversation.startswith("@")

    async def reply(self, text: str) -> str:
        """Answer where it came from, as an answer to it. Gives the answer's id.

        Raises:
            ChatSecureError: we are not in the conversation any more, or the text is no text.
        """
        return await self.bot.client.send(self.conversation, text, reply_to=self.id)

    async def reply_file(self, path: Path | str) -> str:
        """Send a file where it came from; returns when the server has it. Gives its id."""
        return await self.bot.send_file(self.conversation, path)

    async def react(self, emoji: str) -> None:
        """React with an emoji; an empty one takes the reaction back."""
        self.bot.client.react(self.id, emoji)


class Message(Incoming):
    """A message."""

    def __init__(self, bot: Bot, event: MessageEvent) -> None:
        super().__init__(bot, event)
        self.event = event
        self.text = event.text
        """As it was written: not made harmless for showing, and no instruction to trust."""
        self.mentions = tuple(event.mentions)
        self.reply_to = event.reply_to
        """The id of the message it answers."""
        self.action = event.action
        """`/me`."""

    @property
    def mentioned(self) -> bool:
        """Whether the bot is meant: named with @, or written to in private."""
        return self.private or fold_name(self.bot.name) in map(fold_name, self.mentions)

    @property
    def words(self) -> str:
        """The text without the bot's own @name at its beginning."""
        first, _, rest = self.text.strip().partition(" ")
        named = fold_name(first.strip("@,:")) == fold_name(self.bot.name)
        return rest.strip() if named else self.text.strip()


class File(Incoming):
    """A file that has come whole; its SHA-256 is the sender's."""

    def __init__(self, bot: Bot, event: FileEvent) -> None:
        super().__init__(bot, event)
        self.event = event
        self.name = event.name
        """Made safe: one plain part."""
        self.size = event.size
        """Bytes."""
        self.sha256 = event.sha256
        self.path = Path(event.path or "")
        """Where it lies on this device."""
