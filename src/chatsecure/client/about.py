"""What is said about messages and people: edits, deletions, reactions, mentions, who is away.

Both ways pass here: what arrives is applied in the entry's transaction, what we say is applied at
once and queued in one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chatsecure.crypto.credentials import MemberIdentity
from chatsecure.names import fold_name
from chatsecure.wire.errors import NotFound, Usage
from chatsecure.wire.messages import MAX_TEXT_BYTES

from .content import BadContent, Delete, Edit, Reaction, Status
from .conversations import Conversation
from .events import DeletedEvent, EditedEvent, ReactionEvent, StatusEvent, message_id
from .profile.database import Database

if TYPE_CHECKING:
    from .core import Core

MAX_REACTION_CHARACTERS = 16
TEXT = 1
_MENTION = re.compile(r"(?<!\w)@([^\s@#:,;!?()\[\]{}<>\"']+)")


def mentions_in(text: str, people: Iterable[str]) -> list[str]:
    """The members that a text mentions by `@name`, in order, each once."""
    by_fold = {fold_name(name): name for name in people}
    found = []
    for match in _MENTION.finditer(text):
        word = match.group(1)
        # A full stop may end the sentence or belong to the name.
        for candidate in (word, word.rstrip(".-_")):
            name = by_fold.get(fold_name(candidate))
            if name is not None:
                found.append(name)
                break
    return list(dict.fromkeys(found))[:64]


def check_emoji(text: str) -> str:
    """A reaction: one emoji or a short word; empty takes it back.

    Raises:
        Usage: it is too long or holds what cannot be shown.
    """
    text = text.strip()
    plain = all(unicodedata.category(sign)[0] not in "CZ" or sign == "\u200d" for sign in text)
    if len(text) > MAX_REACTION_CHARACTERS or not plain:
        raise Usage("a reaction is one emoji or a short word")
    return text


def arrived(
    core: Core,
    row: Conversation,
    sender: MemberIdentity,
    content: Edit | Delete | Reaction,
    common: dict[str, Any],
) -> None:
    """Apply what a member said about a message; in the entry's transaction.

    Raises:
        BadContent: it is about somebody else's message.
    """
    about = core.db.row(
        "SELECT sender, kind, state FROM messages WHERE log_id = ? AND id = ?",
        row.log_id, content.of,
    )  # fmt: skip
    of = message_id(content.of)
    if isinstance(content, Reaction):
        if about is not None:
            _set_reaction(core.db, row, content, sender.name)
        core.emit(ReactionEvent(**common, of=of, emoji=content.emoji))
        return
    if about is None or fold_name(about[0]) != fold_name(sender.name):
        raise BadContent(f"{sender.name} tried to change a message that is not theirs")
    if isinstance(content, Edit):
        if about[2] == "deleted" or about[1] != TEXT:
            raise BadContent(f"{sender.name} tried to change what has no text")
        _set_text(core.db, row, content)
        core.emit(EditedEvent(**common, of=of, text=content.text))
    else:
        _set_deleted(core.db, row, content)
        core.files.deleted(row.log_id, content.of)
        core.emit(DeletedEvent(**common, of=of))


def _set_text(db: Database, row: Conversation, edit: Edit) -> None:
    db.run(
        "UPDATE messages SET text = ?, edited = 1 WHERE log_id = ? AND id = ?",
        edit.text, row.log_id, edit.of,
    )  # fmt: skip


def _set_deleted(db: Database, row: Conversation, deletion: Delete) -> None:
    db.run(
        "UPDATE messages SET text = '', body = x'', state = 'deleted' WHERE log_id = ? AND id = ?",
        row.log_id, deletion.of,
    )  # fmt: skip
    db.run("DELETE FROM reactions WHERE log_id = ? AND id = ?", row.log_id, deletion.of)


def _set_reaction(db: Database, row: Conversation, reaction: Reaction, name: str) -> None:
    db.run(
        "DELETE FROM reactions WHERE log_id = ? AND id = ? AND folded = ?",
        row.log_id, reaction.of, fold_name(name),
    )  # fmt: skip
    if reaction.emoji:
        db.run(
            "INSERT INTO reactions(log_id, id, folded, name, emoji) VALUES(?, ?, ?, ?, ?)",
            row.log_id, reaction.of, fold_name(name), name, reaction.emoji,
        )  # fmt: skip


def _mine(core: Core, id_: str, *, own: bool) -> tuple[Conversation, bytes]:
    """The message to say something about, and its conversation.

    Raises:
        NotFound: there is none; Usage: it is not ours, though it must be.
    """
    from . import conversations

    try:
        raw = bytes.fromhex(id_)
    except ValueError:
        raw = b""
    found = core.db.row("SELECT log_id, mine, seq, state FROM messages WHERE id = ?", raw)
    if found is None or found[3] == "deleted":
        raise NotFound("there is no such message here")
    row = conversations.get(core.db, found[0])
    if row is None or row.state != conversations.ACTIVE:
        raise conversations.not_there(row)
    if own and not found[1]:
        raise Usage("that message is not yours")
    return row, raw


def edit(core: Core, id_: str, text: str) -> None:
    """Give a message of ours another text.

    Raises:
        NotFound: there is no such message. Usage: it is not ours or the text is no text.
    """
    text = text.encode("utf-8", "replace").decode()
    if not text.strip() or len(text.encode()) > MAX_TEXT_BYTES:
        raise Usage("the new text is empty or too long")
    with core.db.transaction():
        row, raw = _mine(core, id_, own=True)
        if core.db.value("SELECT kind FROM messages WHERE id = ?", raw) != TEXT:
            raise Usage("only texts can be edited")
        content = Edit(of=raw, text=text)
        core.outbox.queue(row.log_id, content)
        _set_text(core.db, row, content)
    core.pump()


def delete(core: Core, id_: str) -> None:
    """Take a message of ours back. Who has read it has read it.

    Raises:
        NotFound: there is no such message. Usage: it is not ours.
    """
    with core.db.transaction():
        row, raw = _mine(core, id_, own=True)
        content = Delete(of=raw)
        core.outbox.queue(row.log_id, content)
        _set_deleted(core.db, row, content)
        core.files.deleted(row.log_id, content.of)
    core.pump()


def react(core: Core, id_: str, emoji: str) -> None:
    """React to a message; an empty emoji takes our reaction back.

    Raises:
        NotFound: there is no such message. Usage: that is no reaction.
    """
    with core.db.transaction():
        row, raw = _mine(core, id_, own=False)
        content = Reaction(of=raw, emoji=check_emoji(emoji))
        core.outbox.queue(row.log_id, content)
        _set_reaction(core.db, row, content, core.me.name)
    core.pump()


def reactions(db: Database, log_id: bytes, id_: bytes) -> dict[str, list[str]]:
    """Who reacted how: names by emoji."""
    by_emoji: dict[str, list[str]] = {}
    for emoji, name in db.rows(
        "SELECT emoji, name FROM reactions WHERE log_id = ? AND id = ? ORDER BY rowid", log_id, id_
    ):
        by_emoji.setdefault(emoji, []).append(name)
    return by_emoji


# --- away ------------------------------------------------------------------------------------


def status_arrived(
    core: Core, sender: MemberIdentity, content: Status, common: dict[str, Any]
) -> None:
    """Somebody says that they are away, or back; in the entry's transaction."""
    core.db.run(
        "UPDATE users SET away = ? WHERE folded = ?",
        content.text or "away" if content.away else "", fold_name(sender.name),
    )  # fmt: skip
    core.emit(StatusEvent(**common, user=sender.name, away=content.away, text=content.text))


def set_away(core: Core, text: str | None) -> None:
    """Tell `#lobby` that we are away and why, or with None that we are back.

    Raises:
        NotFound: we are not in `#lobby`. Usage: the text is too long.
    """
    from . import conversations

    if text is not None and len(text) > 200:
        raise Usage("say in at most 200 characters why you are away")
    with core.db.transaction():
        row = conversations.named(core.db, "#lobby")
        core.outbox.queue(row.log_id, Status(away=text is not None, text=text or ""))
        core.db.put("away", text or "")
        core.db.put("is_away", int(text is not None))
    core.pump()
