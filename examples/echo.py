"""A bot that says back what is said to it: in private, or where it is named with @.

chatsecure --profile bots/echo join          # once; asks for an invitation
CHATSECURE_HOME=bots/echo python examples/echo.py
"""

from chatsecure import Bot

bot = Bot(mention=True)


@bot.on_message
async def echo(message):
    await message.reply(message.words)


bot.run()
