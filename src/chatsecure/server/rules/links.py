"""Links: who holds one may fetch the sealed GroupInfo and come in by one JOIN.

A link is of use only while the GroupInfo is that of the log's epoch: a commit that does not
refresh it closes all links until one does.
"""

from collections.abc import Sequence

from chatsecure.server.store.base import LinkRow, LogRow, Tx
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused
from chatsecure.wire.frames import MAX_FRAME_BYTES


def is_open(link: LinkRow, now: int) -> bool:
    """Whether a link can be used at this time."""
    unused = link.uses_left is None or link.uses_left > 0
    return unused and (link.expires_at == 0 or link.expires_at > now)


def use_link(tx: Tx, log: LogRow, link_id: bytes | None, now: int) -> None:
    """Use a link up by one.

    Raises:
        Refused: it is not open, or leads elsewhere.
    """
    link = None if link_id is None else tx.link(link_id)
    if link is None or link.log != log.key or not is_open(link, now):
        raise Refused(
            ErrorCode.NOT_ALLOWED, "this link is used up, expired or withdrawn; ask for a new one"
        )
    tx.use_link(link.link_id)


def check_new_links(tx: Tx, upload: m.GroupInfoUpload, now: int) -> None:
    """Links that someone wants to open.

    Raises:
        Refused: one has expired, or its id is in use.
    """
    for link in upload.new_links:
        if 0 < link.expires_at <= now:
            raise Refused(ErrorCode.NOT_ALLOWED, "a new link would have expired already")
        if tx.link(link.link_id) is not None:
            raise Refused(ErrorCode.EXISTS, "there is a link with this id already")


def lookup_links(tx: Tx, ids: Sequence[bytes], now: int) -> m.Links:
    """Those of the links that are open, with what their holder needs."""
    found: list[m.LinkInfo] = []
    size = 0
    for id_ in dict.fromkeys(ids):
        link = tx.link(id_)
        log = None if link is None else tx.log_by_key(link.log)
        if link is None or log is None or not is_open(link, now):
            continue
        info = tx.group_info(log.key)
        if info is None or info[0] != log.epoch:
            continue
        size += len(info[1]) + 1024
        if size > MAX_FRAME_BYTES - 65536:
            raise Refused(ErrorCode.TOO_LARGE, "ask for fewer links at once")
        found.append(
            m.LinkInfo(
                link.link_id,
                log.log_id,
                m.LogKind(log.kind),
                log.epoch,
                log.head,
                link.sealed_key,
                info[1],
            )
        )
    return m.Links(found)
