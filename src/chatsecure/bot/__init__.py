"""Bots in a few lines: handlers for what arrives, on asyncio, on the same client as every face.

    from chatsecure import Bot

    bot = Bot(profile="bots/answer")

    @bot.on_message(mention=True)
    async def answer(m):
        await m.reply(f"{m.sender}, it is {m.at:%H:%M}")

    bot.run()

Holds no chat logic; see `bot.py` for what is promised to handlers.
"""

from .bot import Bot
from .incoming import File, Message

__all__ = ["Bot", "File", "Message"]
