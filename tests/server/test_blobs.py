"""Files: parts, segments, who may read, quotas, expiry."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.server.blobs.disk import MAX_HANDLES, DiskBlobs
from chatsecure.server.limits import ServerLimits
from chatsecure.server.transfers import WAIT_S
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .people import append
from .world import Client, World, log

ROOM, BLOB = log("r"), log("blob")
SEGMENT = 4096


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def ann(world: World) -> Client:
    return world.client("ann")


@pytest.fixture
def ben(world: World, ann: Client) -> Client:
    ben = world.client("ben")
    members = [ann.who.device_id, ben.who.device_id]
    ann.ask(m.CreateLog(ROOM, m.LogKind.ROOM, members, []))
    return ben


def code(message: m.Message) -> ErrorCode | None:
    return ErrorCode(message.code) if isinstance(message, m.Error) else None


def announce(size: int, blob: bytes = BLOB, segment: int = SEGMENT) -> m.BlobCreate:
    return m.BlobCreate(blob, ROOM, size, segment)


def put(client: Client, data: bytes, blob: bytes = BLOB, segment: int = SEGMENT) -> None:
    for offset in range(0, len(data), segment):
        assert client.ask(m.BlobPut(blob, offset, data[offset : offset + segment])) == m.Ok()


def test_a_file_goes_up_and_down_whole(ann: Client, ben: Client) -> None:
    data = random.Random(1).randbytes(3 * SEGMENT + 100)
    assert ann.ask(announce(len(data))) == m.BlobState(BLOB, len(data), SEGMENT, 0, False)
    put(ann, data)
    assert ben.ask(m.BlobStat(BLOB)) == m.BlobState(BLOB, len(data), SEGMENT, 4, True)
    got = b"".join(
        ben.ask(m.BlobGet(BLOB, offset, 1000)).data for offset in range(0, len(data), 1000)
    )
    assert got == data


def test_one_reads_while_another_still_writes_but_only_whole_segments(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobGet(BLOB, 0, SEGMENT))
    ben.send(m.BlobGet(BLOB, SEGMENT - 1, 2))
    world.settle()
    assert ben.take_all() == []
    ann.ask(m.BlobPut(BLOB, 0, bytes(SEGMENT)))
    ann.ask(m.BlobPut(BLOB, SEGMENT, bytes(100)))
    assert ben.take_all() == [m.BlobData(BLOB, 0, bytes(SEGMENT))]
    assert code(ben.ask(m.BlobGet(BLOB, 3 * SEGMENT, 1))) is ErrorCode.NOT_ALLOWED


def test_who_waits_too_long_for_a_part_is_told(world: World, ann: Client, ben: Client) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobGet(BLOB, 0, 10))
    world.settle()
    world.time_ms += int(WAIT_S * 1000)
    world.core.transfers.tick()
    assert [code(message) for message in ben.take_all()] == [ErrorCode.NOT_YET]


def test_who_waits_for_a_part_of_a_blob_that_goes_is_told(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobGet(BLOB, 0, 10))
    world.settle()
    ann.ask(m.BlobDelete(BLOB))
    assert [code(message) for message in ben.take_all()] == [ErrorCode.NOT_FOUND]


def test_parts_may_come_in_any_order(ann: Client, ben: Client) -> None:
    ann.ask(announce(2 * SEGMENT))
    half = SEGMENT // 2
    for offset in (3 * half, half, 2 * half):
        assert ann.ask(m.BlobPut(BLOB, offset, bytes([offset // half]) * half)) == m.Ok()
    assert ann.ask(m.BlobStat(BLOB)).segments == 0
    assert ann.ask(m.BlobPut(BLOB, 0, bytes(half))) == m.Ok()
    assert ben.ask(m.BlobStat(BLOB)).complete
    expected = b"".join(bytes([number]) * half for number in range(4))
    assert ben.ask(m.BlobGet(BLOB, 0, 2 * SEGMENT)).data == expected


def test_after_a_restart_an_upload_goes_on_at_the_last_whole_segment(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ann.ask(m.BlobPut(BLOB, 0, b"a" * SEGMENT))
    ann.ask(m.BlobPut(BLOB, SEGMENT, b"b" * 100))
    for client in (ann, ben):
        client.leave()
    world.settle()
    world.store.close()
    world.open()
    ann = world.client("ann")
    assert ann.ask(announce(3 * SEGMENT)).segments == 1
    put_rest = b"b" * SEGMENT + b"c" * SEGMENT
    for number in range(2):
        part = put_rest[number * SEGMENT : (number + 1) * SEGMENT]
        ann.ask(m.BlobPut(BLOB, (number + 1) * SEGMENT, part))
    assert ann.ask(m.BlobGet(BLOB, 0, 3 * SEGMENT)).data == b"a" * SEGMENT + put_rest


def test_a_whole_segment_is_never_written_again(ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, b"a" * SEGMENT)
    assert ann.ask(m.BlobPut(BLOB, 0, b"b" * SEGMENT)) == m.Ok()
    assert ben.ask(m.BlobGet(BLOB, 0, SEGMENT)).data == b"a" * SEGMENT


def test_a_part_stays_within_its_segment_and_file(ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT + 10))
    assert code(ann.ask(m.BlobPut(BLOB, SEGMENT - 1, bytes(2)))) is ErrorCode.NOT_ALLOWED
    assert code(ann.ask(m.BlobPut(BLOB, SEGMENT, bytes(11)))) is ErrorCode.NOT_ALLOWED
    assert code(ann.ask(m.BlobPut(BLOB, 2**62, bytes(1)))) is ErrorCode.NOT_ALLOWED


def test_a_blob_unknown_or_foreign_is_not_found(world: World, ann: Client, ben: Client) -> None:
    eve = world.client("eve")
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    for message in (
        m.BlobStat(BLOB), m.BlobGet(BLOB, 0, 1), m.BlobPut(BLOB, 0, b"x"), m.BlobDelete(BLOB),
        announce(SEGMENT), m.BlobStat(log("none")), m.BlobPut(log("none"), 0, b"x"),
    ):  # fmt: skip
        assert code(eve.ask(message)) is ErrorCode.NOT_FOUND, message
    for message in (m.BlobPut(BLOB, 0, b"x"), m.BlobDelete(BLOB), announce(SEGMENT)):
        assert code(ben.ask(message)) is ErrorCode.NOT_FOUND, message
    room = m.BlobCreate(log("new"), ROOM, 1, SEGMENT)
    assert code(eve.ask(room)) is ErrorCode.NOT_ALLOWED


def test_who_was_in_it_when_the_file_was_made_may_read_it_and_who_left_before_may_not(
    world: World, ann: Client, ben: Client
) -> None:
    cem = world.client("cem")
    commit = m.EntryKind.COMMIT
    ann.ask(append(ROOM, kind=commit, add=[cem.who.device_id]))
    ann.ask(append(ROOM, epoch=1, kind=commit, remove=[cem.who.device_id]))
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    ann.ask(append(ROOM, epoch=2, kind=commit, remove=[ben.who.device_id]))
    assert ben.ask(m.BlobStat(BLOB)).complete
    assert code(cem.ask(m.BlobStat(BLOB))) is ErrorCode.NOT_FOUND
    ann.ask(append(ROOM, epoch=3, kind=commit, add=[cem.who.device_id]))
    assert cem.ask(m.BlobStat(BLOB)).complete


def test_the_same_blob_with_another_size_is_refused(ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    assert code(ann.ask(announce(SEGMENT + 1))) is ErrorCode.EXISTS


def test_quotas(tmp_path: Path) -> None:
    world = World(tmp_path, ServerLimits(blob_bytes=100, user_blob_bytes=150))
    ann = world.client("ann")
    ann.ask(m.CreateLog(ROOM, m.LogKind.ROOM, [ann.who.device_id], []))
    assert code(ann.ask(announce(101))) is ErrorCode.QUOTA
    assert code(ann.ask(announce(100))) is None
    assert code(ann.ask(announce(60, log("two")))) is ErrorCode.QUOTA
    assert ann.ask(m.BlobDelete(BLOB)) == m.Ok()
    assert code(ann.ask(announce(60, log("two")))) is None
    world.core.transfers.total_bytes = 100
    assert code(ann.ask(announce(60, log("three")))) is ErrorCode.QUOTA


def test_a_deleted_blob_leaves_no_bytes(world: World, ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    assert list(world.blobs.ids()) == [BLOB]
    assert ann.ask(m.BlobDelete(BLOB)) == m.Ok()
    assert ann.ask(m.BlobDelete(BLOB)) == m.Ok()
    world.settle()
    assert list(world.blobs.ids()) == []
    assert code(ben.ask(m.BlobGet(BLOB, 0, 1))) is ErrorCode.NOT_FOUND


def test_old_files_and_idle_uploads_go(world: World, ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    ann.ask(announce(2 * SEGMENT, log("idle")))
    ann.ask(m.BlobPut(log("idle"), 0, bytes(10)))
    world.time_ms += world.limits.upload_idle_s * 1000 + 1000
    world.core.transfers.sweep()
    world.settle()
    assert list(world.blobs.ids()) == [BLOB]
    world.time_ms += world.limits.retention_s * 1000
    world.core.transfers.sweep()
    world.settle()
    assert list(world.blobs.ids()) == []


def test_bytes_that_belong_to_no_blob_go_at_the_start(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    world.blobs.write(log("orphan"), 0, b"x")
    world.core.transfers.drop_orphans()
    world.settle()
    assert list(world.blobs.ids()) == [BLOB]


def test_an_upload_that_is_announced_again_begins_its_segment_anew(
    ann: Client, ben: Client
) -> None:
    ann.ask(announce(SEGMENT))
    ann.ask(m.BlobPut(BLOB, 0, b"a" * 4000))
    ann.ask(announce(SEGMENT))
    ann.ask(m.BlobPut(BLOB, 4000, b"b" * 96))
    assert not ann.ask(m.BlobStat(BLOB)).complete


def test_an_empty_file_is_whole_at_once(ann: Client, ben: Client) -> None:
    assert ann.ask(announce(0)).complete
    assert ben.ask(m.BlobStat(BLOB)).complete


def test_many_files_need_few_handles(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "blobs")
    for number in range(MAX_HANDLES * 3):
        blobs.write(log(f"{number}"), 0, b"%d" % number)
    assert len(blobs._handles) <= MAX_HANDLES
    for number in range(MAX_HANDLES * 3):
        assert blobs.read(log(f"{number}"), 0, len(str(number))) == b"%d" % number
    with pytest.raises(Refused):
        blobs.read(log("0"), 0, 100)
    with pytest.raises(Refused):
        blobs.read(log("none"), 0, 1)
    blobs.close()


@settings(deadline=None, max_examples=50)
@given(st.randoms(), st.integers(1, 5 * 1024), st.integers(1, 700))
def test_a_file_cut_and_shuffled_anyhow_arrives(
    tmp_path_factory: pytest.TempPathFactory, order: random.Random, size: int, part: int
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    ann = world.client("ann")
    ann.ask(m.CreateLog(ROOM, m.LogKind.ROOM, [ann.who.device_id], []))
    data = order.randbytes(size)
    ann.ask(announce(size, segment=1024))
    parts = []
    for start in range(0, size, 1024):
        end = min(start + 1024, size)
        parts += [(low, min(low + part, end)) for low in range(start, end, part)]
    order.shuffle(parts)
    for low, high in parts:
        ann.send(m.BlobPut(BLOB, low, data[low:high]))
    ann.take_all()
    assert ann.ask(m.BlobStat(BLOB)).complete
    got = b"".join(
        ann.ask(m.BlobGet(BLOB, low, min(1000, size - low))).data for low in range(0, size, 1000)
    )
    assert got == data
    world.store.close()
    world.blobs.close()
