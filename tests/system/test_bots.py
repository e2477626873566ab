"""Bots: the three examples as they stand, what handlers are promised, and run-bot."""

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

import chatsecure
from chatsecure import Bot
from chatsecure.client.client import Client
from chatsecure.client.events import MembershipEvent, MessageEvent, ReactionEvent
from chatsecure.wire.errors import NotFound

from .conftest import PATIENCE_S, Server, command, environment, start_server
from .in_process import opened, until

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


class World:
    """alice, who talks; bob's profile, which is the bot's; a folder to work in."""

    def __init__(self, server: Server, alice: Client, folder: Path) -> None:
        self.server = server
        self.alice = alice
        self.folder = folder
        self.profile = folder / "person-bob"

    @asynccontextmanager
    async def program(self, *words: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
        """A program of bob's that goes on until SIGTERM, which it obeys."""
        process = await asyncio.create_subprocess_exec(
            *map(str, words),
            cwd=self.folder,
            env=environment(CHATSECURE_HOME=str(self.profile), PYTHONUNBUFFERED="1"),
            stderr=subprocess.PIPE,
        )
        try:
            yield process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
        finally:
            with suppress(ProcessLookupError):
                process.kill()

    def texts(self, target: str) -> list[str]:
        """What bob has said to alice there."""
        if target not in [room.name for room in self.alice.rooms()]:
            return []
        return [line.text for line in self.alice.history(target) if line.sender == "bob"]

    async def answer(self, target: str, text: str) -> None:
        """Wait for what bob says."""
        await until(lambda: text in self.texts(target), f"no answer {text!r}")


@pytest_asyncio.fixture
async def world(
    met: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setenv("CHATSECURE_KEYRING", "off")
    shutil.copytree(met.data.parent, tmp_path, dirs_exist_ok=True)
    server = start_server(tmp_path / "server", "events", met.address, owner=False)
    async with AsyncExitStack() as stack:
        yield World(server, await opened(stack, tmp_path / "person-alice"), tmp_path)
    assert server.stop() == 0


# --- the examples ----------------------------------------------------------------------------


async def test_the_echo_says_back_what_is_said_to_it(world: World) -> None:
    async with world.program(sys.executable, EXAMPLES / "echo.py"):
        await world.alice.send("#lobby", "nobody is meant")
        await world.alice.send("#lobby", "@bob  hello there")
        await world.answer("#lobby", "hello there")
        await world.alice.send("@bob", "psst")
        await world.answer("@bob", "psst")
        assert world.texts("#lobby") == ["hello there"]
        last = world.alice.history("@bob")[-1]
        assert last.reply_to == world.alice.history("@bob")[-2].id


async def test_the_reminder_keeps_its_promises_through_a_restart(world: World) -> None:
    async with world.program(sys.executable, EXAMPLES / "reminder.py"):
        id_ = await world.alice.send("@bob", "in 1 s tea is ready")
        await until(lambda: world.alice.delivery(id_).reactions == {"👍": ["bob"]})
        await world.answer("@bob", "@alice tea is ready")
        await world.alice.send("@bob", "make tea")
        await world.answer("@bob", "Tell me like this: in 20m tea is ready")
        id_ = await world.alice.send("#lobby", "@bob in 2s class begins")
        await until(lambda: world.alice.delivery(id_).reactions)
    async with world.program(sys.executable, EXAMPLES / "reminder.py"):
        await world.answer("#lobby", "@alice class begins")
    assert world.texts("@bob").count("@alice tea is ready") == 1


async def test_the_file_drop_stores_what_it_is_sent(world: World) -> None:
    path = world.folder / "essay.txt"
    async with world.program(sys.executable, EXAMPLES / "file_drop.py"):
        for text in ("one", "two"):
            path.write_text(text)
            await world.alice.send_file("@bob", path)
            await until(lambda: (world.folder / "drop" / "list.txt").exists())
        shelf = world.folder / "drop" / "alice"
        await until(lambda: len(list(shelf.iterdir())) == 2)
        await until(lambda: len(world.texts("@bob")) == 2)
        await world.alice.send("#lobby", "@bob how many?")
        await world.answer("#lobby", "2 files are here; send me one to store it")
    assert sorted(path.read_text() for path in shelf.iterdir()) == ["one", "two"]
    assert "stored essay.txt, 3 bytes" in world.texts("@bob")[0]


# --- what handlers are promised --------------------------------------------------------------


@asynccontextmanager
async def running(bot: Bot) -> AsyncIterator[None]:
    """The bot, until the block ends."""
    task = asyncio.create_task(bot.main())
    try:
        yield
        bot.stop()
        await asyncio.wait_for(task, PATIENCE_S)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_bot_is_confined_to_its_rooms_and_to_being_meant(world: World) -> None:
    bot = Bot(world.profile, rooms=["#lobby"])
    everything: list[str] = []
    meant: list[str] = []
    elsewhere: list[str] = []

    @bot.on_message
    async def all_(m: chatsecure.bot.Message) -> None:
        everything.append(m.text)

    @bot.on_message(mention=True)
    async def to_it(m: chatsecure.bot.Message) -> None:
        meant.append(m.words)

    @bot.on_message(rooms=["@alice"])
    async def other(m: chatsecure.bot.Message) -> None:
        elsewhere.append(m.text)

    await world.alice.send("@bob", "private")
    await world.alice.send("#lobby", "hello")
    await world.alice.send("#lobby", "@bob: hi")
    async with running(bot):
        await until(lambda: meant == ["hi"])
    assert (everything, elsewhere) == (["hello", "@bob: hi"], [])


async def test_an_error_in_a_handler_is_told_and_does_not_end_the_bot(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot(world.profile)

    @bot.on_message
    async def divide(m: chatsecure.bot.Message) -> None:
        await m.reply(str(12 // int(m.text)))

    @bot.on_message
    async def refuse(m: chatsecure.bot.Message) -> None:
        raise NotFound("nothing here")

    async with running(bot):
        await world.alice.send("@bob", "0")
        await world.alice.send("@bob", "4")
        await world.answer("@bob", "3")
    told = [record.getMessage() for record in caplog.records if record.name == "chatsecure.bot"]
    assert "error in divide; the bot goes on" in told
    assert "refuse: nothing here" in told
    assert "ZeroDivisionError" in caplog.text


async def test_a_message_is_handed_over_until_its_handler_has_returned(world: World) -> None:
    seen: list[tuple[str, str]] = []

    def bot(*, stuck: bool) -> Bot:
        bot = Bot(world.profile)

        @bot.on_message
        async def handle(m: chatsecure.bot.Message) -> None:
            seen.append((m.text, m.id))
            if m.text == "two" and stuck:
                await asyncio.Event().wait()

        return bot

    for text in ("one", "two", "three"):
        await world.alice.send("#lobby", text)
    task = asyncio.create_task(bot(stuck=True).main())
    await until(lambda: len(seen) == 2)
    # As if the process died.
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    async with running(bot(stuck=False)):
        await until(lambda: len(seen) == 4)
    assert [text for text, _ in seen] == ["one", "two", "two", "three"]
    assert seen[1] == seen[2]
    async with running(bot(stuck=False)):
        await world.alice.send("#lobby", "four")
        await until(lambda: len(seen) == 5)
    assert seen[-1][0] == "four"


async def test_a_bot_goes_on_when_the_server_is_back(world: World) -> None:
    bot = Bot(world.profile)

    @bot.on_message
    async def echo(m: chatsecure.bot.Message) -> None:
        await m.reply(f"again: {m.text}")

    async with running(bot):
        await world.alice.send("@bob", "one")
        await world.answer("@bob", "again: one")
        world.server.stop()
        await until(lambda: not world.alice.online)
        await world.alice.send("@bob", "two")
        world.server.restart()
        await world.answer("@bob", "again: two")
    assert world.texts("@bob") == ["again: one", "again: two"]


async def test_handlers_of_events_get_typed_events(world: World) -> None:
    bot = Bot(world.profile)
    events: list[object] = []
    kinds: list[type] = []

    @bot.on_event(ReactionEvent, MembershipEvent)
    async def some(event: object) -> None:
        events.append(event)

    @bot.on_event
    async def every(event: object) -> None:
        kinds.append(type(event))

    started: list[str] = []

    @bot.on_start
    async def start() -> None:
        started.append(bot.name)
        await bot.send("#lobby", "here I am")

    async with running(bot):
        await world.answer("#lobby", "here I am")
        id_ = world.alice.history("#lobby")[-1].id
        world.alice.react(id_, "👋")
        await until(lambda: events)
        await world.alice.send("#lobby", "x")
        await until(lambda: MessageEvent in kinds)
    assert started == ["bob"]
    assert isinstance(events[-1], ReactionEvent)
    assert events[-1].of == id_


def test_a_bot_without_a_profile_ends_with_a_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        Bot(tmp_path / "nowhere").run()
    assert ended.value.code == 1
    assert "no profile" in caplog.records[-1].getMessage()
    assert caplog.records[-1].levelno == logging.ERROR


# --- run-bot ---------------------------------------------------------------------------------

SCRIPT = r"""#!/bin/sh
read -r message
case "$message" in
  *'"text":"@bob fail"'*) echo partial; echo "out of order" >&2; exit 3 ;;
  *'"text":"@bob sleep"'*) sleep 600 ;;
  *'"text":"@bob flood"'*) yes ;;
  *'"text":"@bob env"'*) echo "secret: $CHATSECURE_PASSPHRASE" ;;
  *'"text":"@bob home"'*) echo "$CHATSECURE_HOME" ;;
  *'"text":"@bob quiet"'*) ;;
  *) printf '%s\n' "$message" | sed 's/.*"text":"\([^"]*\)".*/you said: \1/' ;;
esac
"""


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
async def test_a_program_answers_and_what_goes_wrong_with_it_sends_nothing(world: World) -> None:
    script = world.folder / "answer.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    words = command("run-bot", "--on", "#lobby", "--mention", "--timeout", "1", "--", script)
    async with world.program(*words) as process:
        for text in ("not you", "@bob fail", "@bob sleep", "@bob flood", "@bob quiet", "@bob hi"):
            await world.alice.send("#lobby", text)
        await world.alice.send("@bob", "not here")
        await world.answer("#lobby", "you said: @bob hi")
        await world.alice.send("#lobby", "@bob home")
        await world.answer("#lobby", str(world.profile))
        assert process.stderr is not None
        process.send_signal(signal.SIGTERM)
        said = (await process.stderr.read()).decode()
        await process.wait()
    assert world.texts("#lobby") == ["you said: @bob hi", str(world.profile)]
    assert world.texts("@bob") == []
    assert "exit code 3" in said
    assert "out of order" in said
    assert "longer than 1 s" in said
    assert "longer than 64 KiB" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run-bot"], 2, "which program"),
        (["run-bot", "--on", "lobby", "--", "cat"], 2, "no target"),
        (["run-bot", "--", "./no-such-program"], 5, "no program"),
    ],
)
def test_what_cannot_run_is_told_at_once(
    words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        command("--profile", tmp_path, *words), capture_output=True, text=True,
        env=environment(), timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_the_bot_is_loaded_only_when_it_is_asked_for() -> None:
    code = "import sys, chatsecure; print('asyncio' in sys.modules, chatsecure.Bot.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "Bot"]
    assert not hasattr(chatsecure, "Robot")
