"""Whoever has no part in a file finds none, whatever is asked: on both engines, over real TLS."""

import pytest

from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .conftest import Running
from .people import Peer, create, new_id, person
from .test_fileline import SEGMENT, announce, download, open_line, upload

DATA = bytes(range(256)) * (SEGMENT // 256)
Everybody = tuple[Peer, Peer, Peer, bytes]


@pytest.fixture
def everybody(server: Running) -> Everybody:
    """ann, who has a file in a conversation with ben; eve, who is in none; and the file."""
    ann, ben, eve = (server.comes(name) for name in ("ann", "ben", "eve"))
    room = new_id()
    ann.ok(create(room, person("ann"), person("ben")))
    blob = announce(ann, room, SEGMENT)
    upload(open_line(server, ann), blob, DATA)
    return ann, ben, eve, blob


def test_a_foreign_blob_is_refused_like_one_that_is_not_there(
    server: Running, everybody: Everybody
) -> None:
    ann, ben, eve, blob = everybody
    refused, missing = eve.ask(m.BlobStat(blob)), eve.ask(m.BlobStat(new_id()))
    assert refused.code == ErrorCode.NOT_FOUND
    assert refused == missing
    assert eve.ask(m.BlobDelete(blob)).code == ErrorCode.NOT_FOUND
    said = []
    for wanted in (blob, new_id()):
        line = open_line(server, eve)
        for job in (
            lambda wanted=wanted, line=line: download(line, wanted, SEGMENT),  # type: ignore[misc]
            lambda wanted=wanted, line=line: upload(line, wanted, DATA),  # type: ignore[misc]
        ):
            with pytest.raises(Refused) as no:
                job()
            assert no.value.code is ErrorCode.NOT_FOUND
            said.append(str(no.value))
    assert said[:2] == said[2:]
    assert eve.is_open
    # It is all there for those whose it is.
    assert download(open_line(server, ben), blob, SEGMENT) == DATA
    assert ann.ok(m.BlobStat(blob)).complete


def test_who_may_read_a_blob_may_not_write_delete_or_announce_it(
    server: Running, everybody: Everybody
) -> None:
    _, ben, _, blob = everybody
    room = new_id()
    ben.ok(create(room, person("ben")))
    for message in (m.BlobDelete(blob), m.BlobCreate(blob, room, SEGMENT, SEGMENT)):
        assert ben.ask(message).code == ErrorCode.NOT_FOUND, message
    line = open_line(server, ben)
    with pytest.raises(Refused) as no:
        upload(line, blob, bytes(SEGMENT))
    assert no.value.code is ErrorCode.NOT_FOUND
    assert download(open_line(server, ben), blob, SEGMENT) == DATA


def test_a_blob_is_announced_only_where_one_is_a_member(everybody: Everybody) -> None:
    ann, _, eve, _ = everybody
    room = new_id()
    ann.ok(create(room, person("ann")))
    refused = eve.ask(m.BlobCreate(new_id(), room, SEGMENT, SEGMENT))
    assert refused.code == ErrorCode.NOT_ALLOWED
