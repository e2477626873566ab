"""A bot that stores what it is sent: each file in a folder of its sender, with a list of them all.

CHATSECURE_HOME=bots/drop python examples/file_drop.py
"""

import shutil
from pathlib import Path

from chatsecure import Bot

SHELF = Path("drop")

bot = Bot()


@bot.on_file
async def store(file):
    # The client has made the name safe; the id makes it one of its own.
    folder = SHELF / file.sender
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{file.id[:8]} {file.name}"
    shutil.move(file.path, place)
    with (SHELF / "list.txt").open("a") as catalogue:
        catalogue.write(f"{file.at:%Y-%m-%d %H:%M}  {file.sha256}  {place}\n")
    await file.reply(f"stored {file.name}, {file.size} bytes, SHA-256 {file.sha256[:16]}…")


@bot.on_message(mention=True)
async def tell(message):
    stored = sum(1 for path in SHELF.rglob("*") if path.is_file() and path.name != "list.txt")
    await message.reply(f"{stored} files are here; send me one to store it")


bot.run()
