"""A bot that reminds: "@reminder in 20m tea is ready", with s, m, h or d for the time.

What it has promised is in a file, so a restart forgets nothing. A message may be handed over twice
(when the bot died while at it); its id makes sure that it is taken once.
"""

import asyncio
import json
import re
import time
from pathlib import Path

from chatsecure import Bot

PROMISES = Path("reminders.json")
WISH = re.compile(r"in (\d{1,5})\s*([smhd])\s+(.+)", re.IGNORECASE | re.DOTALL)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

bot = Bot(mention=True)
promises = json.loads(PROMISES.read_text()) if PROMISES.exists() else {}


def keep():
    """Write down what is promised, whole or not at all."""
    new = PROMISES.with_suffix(".new")
    new.write_text(json.dumps(promises))
    new.replace(PROMISES)


async def remind(id_):
    promise = promises[id_]
    await asyncio.sleep(max(0, promise["at"] - time.time()))
    await bot.send(promise["where"], promise["text"])
    del promises[id_]
    keep()


@bot.on_start
async def go_on():
    for id_ in promises:
        bot.spawn(remind(id_))


@bot.on_message
async def promise(message):
    wish = WISH.fullmatch(message.words)
    if wish is None:
        await message.reply("Tell me like this: in 20m tea is ready")
    elif message.id not in promises:
        amount, unit, text = wish.groups()
        promises[message.id] = {
            "at": time.time() + int(amount) * SECONDS[unit.lower()],
            "where": message.conversation,
            "text": f"@{message.sender} {text}",
        }
        keep()
        bot.spawn(remind(message.id))
        await message.react("👍")


bot.run()
