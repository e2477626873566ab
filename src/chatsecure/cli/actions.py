"""What a typed line does: the /commands carried out on a client, for every face that has them.

A face gives it lines and gets texts to show; which conversation is typed in is kept here. What
each command does is the method `do_NAME` in `doing_*.py`.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from chatsecure.wire.errors import ChatSecureError

from .chatting import LOBBY, Show
from .doing_more import WHY, More
from .slash import COMMANDS, Nothing, Run, Say, Wrong, parse

__all__ = ["LOBBY", "WHY", "Chat", "Show"]


class Chat(More):
    """A person at a client: the conversation they type in, and what they say."""

    async def enter(self, line: str) -> bool:
        """Do what a line says; False when it says to leave the program."""
        try:
            match parse(line):
                case Nothing():
                    pass
                case Wrong(message, hint):
                    self._show(f"{message}; {hint}" if hint else message)
                case Say(text, target):
                    await self._say(target or self.current, text)
                case Run(command, arguments):
                    if command.name == "quit":
                        return False
                    await self._commands[command.name](self, arguments)
        except ChatSecureError as error:
            self.tell(error)
        return True

    _commands: ClassVar[dict[str, Callable[["Chat", tuple[str, ...]], Awaitable[None]]]] = {
        command.name: getattr(More, f"do_{command.name}")
        for command in COMMANDS
        if command.name != "quit"
    }
