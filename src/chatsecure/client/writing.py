"""The facade's part for what we say: texts, edits, reactions, being away, and how far each
has come.
"""

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused, Usage

from . import about, conversations, history, settings
from .content import Text1, Typing
from .facade import Facade, raw_id
from .history import HistoryLine, Reach
from .inbound import TEXT


class Writing(Facade):
    """What a face says."""

    async def send(
        self, target: str, text: str, *, reply_to: str | None = None, action: bool = False
    ) -> str:
        """Queue a text, durably. Gives its id.

        Args:
            target: `@user` or `#room`.
            text: at most 64 KiB of UTF-8.
            reply_to: the id of the message this answers.
            action: `/me`.

        Raises:
            NotFound: no such user or room; the hint names the nearest.
            WrongIdentity: somebody's identity there changed and is not accepted.
            Usage: the text is empty or too long.
        """
        text = text.encode("utf-8", "replace").decode()
        if not text.strip():
            raise Usage("there is nothing to send: the text is empty")
        if len(text.encode()) > m.MAX_TEXT_BYTES:
            raise Usage(
                f"the text is longer than {m.MAX_TEXT_BYTES // 1024} KiB", hint="send it as a file"
            )
        log_id = await self._log(target)
        content = Text1(
            text=text,
            reply_to=raw_id(reply_to) if reply_to else None,
            mentions=about.mentions_in(text, conversations.people(self._db, log_id)),
            action=action,
        )
        with self._db.transaction():
            row = conversations.get(self._db, log_id)
            if row is None:
                raise conversations.not_there(row)
            id_ = self._core.outbox.queue_message(row, TEXT, content, text)
        self._core.pump()
        self._driver.turn()
        return id_.hex()

    async def wait(self, id_: str, state: str, timeout: float | None = None) -> None:
        """Wait until a message of ours is `stored`, `delivered`, `read` or, a file, `received` by
        everybody it was for.

        Raises:
            NotInTime: `timeout` seconds ran out; what was queued stays queued.
            Refused: the server does not take it.
        """

        def reached() -> bool:
            line = self.delivery(id_)
            if line.state == "failed":
                raise Refused(ErrorCode.NOT_ALLOWED, "the server did not take the message")
            if line.seq is None:
                return False
            done = {
                "stored": line.people,
                "delivered": line.delivered,
                "read": line.read,
                "received": history.received_by(self._db, bytes.fromhex(id_)),
            }
            return done[state] >= line.people

        await self._driver.until(reached, timeout, what=f"not {state} in time")

    def edit(self, id_: str, text: str) -> None:
        """Give a message of ours another text (see `about.edit`)."""
        about.edit(self._core, id_, text)
        self._driver.turn()

    def delete(self, id_: str) -> None:
        """Take a message of ours back (see `about.delete`)."""
        about.delete(self._core, id_)
        self._driver.turn()

    def react(self, id_: str, emoji: str) -> None:
        """React to a message (see `about.react`)."""
        about.react(self._core, id_, emoji)
        self._driver.turn()

    def set_away(self, text: str | None) -> None:
        """Say that we are away, and why; None: back again."""
        about.set_away(self._core, text)
        self._driver.turn()

    def reach(self, id_: str) -> list[Reach]:
        """Who has a message of ours, person by person."""
        return history.reach(self._db, id_, self._core.me.folded)

    def delivery(self, id_: str) -> HistoryLine:
        """One message with who has it.

        Raises:
            NotFound: there is none with this id.
        """
        return self._far(history.one(self._db, id_, self._core.me.folded))

    async def typing(self, target: str, *, active: bool = True) -> None:
        """Tell those who are there that we are writing, or have stopped, unless the person does
        not want that; nothing is stored."""
        if not settings.is_on(self._db, "typing"):
            return
        row = self._known(target)
        if row is not None and self._core.ready(row.log_id):
            self._core.outbox.whisper(row.log_id, Typing(active=active))
            self._driver.turn()
