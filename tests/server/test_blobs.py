"""Files: segments, who may write and read, quotas, expiry."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsecure.bulk import FREE_BYTES
from chatsecure.server.blobs.disk import MAX_HANDLES, DiskBlobs
from chatsecure.server.limits import ServerLimits
from chatsecure.server.transfers import WAIT_S
from chatsecure.wire import messages as m
from chatsecure.wire.errors import ErrorCode, Refused

from .people import append
from .world import Client, FakeLine, World, log

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


def put(client: Client, data: bytes, blob: bytes = BLOB) -> None:
    FakeLine(client).put_all(blob, data, SEGMENT)


def write(blobs: DiskBlobs, blob_id: bytes, offset: int, data: bytes) -> None:
    with blobs.open(blob_id, create=True) as blob:
        blob.write(offset, data)


def read(blobs: DiskBlobs, blob_id: bytes, length: int) -> bytes:
    view = memoryview(bytearray(length))
    with blobs.open(blob_id) as blob:
        blob.read_into(0, view)
    return bytes(view)


def refusal(job: Callable[[], object]) -> ErrorCode:
    with pytest.raises(Refused) as refused:
        job()
    return refused.value.code


def test_a_file_goes_up_and_down_whole(ann: Client, ben: Client) -> None:
    data = random.Random(1).randbytes(3 * SEGMENT + 100)
    assert ann.ask(announce(len(data))) == m.BlobState(BLOB, len(data), SEGMENT, 0, False)
    put(ann, data)
    assert ben.ask(m.BlobStat(BLOB)) == m.BlobState(BLOB, len(data), SEGMENT, 4, True)
    assert b"".join(FakeLine(ben).get(BLOB, number) for number in range(4)) == data


def test_one_reads_while_another_still_writes_but_only_whole_segments(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    reader, writer = FakeLine(ben), FakeLine(ann)
    assert refusal(lambda: reader.get(BLOB, 0)) is ErrorCode.NOT_YET
    assert writer.put(BLOB, 0, bytes(SEGMENT)) is None
    assert reader.get(BLOB, 0) == bytes(SEGMENT)
    assert writer.begin(BLOB, 1, SEGMENT)
    assert refusal(lambda: reader.get(BLOB, 1)) is ErrorCode.NOT_YET
    assert refusal(lambda: reader.get(BLOB, 3)) is ErrorCode.NOT_ALLOWED


def test_who_waits_for_more_of_a_file_is_told_when_it_comes(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobStat(BLOB, 0))
    assert ben.take_all() == []
    put(ann, bytes(SEGMENT))
    assert ben.take_all() == [m.BlobState(BLOB, 3 * SEGMENT, SEGMENT, 1, False)]
    assert ben.ask(m.BlobStat(BLOB, 0)).segments == 1


def test_who_waits_too_long_for_more_is_told_how_it_stands(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobStat(BLOB, 0))
    world.settle()
    world.time_ms += int(WAIT_S * 1000)
    world.core.transfers.tick()
    assert ben.take_all() == [m.BlobState(BLOB, 3 * SEGMENT, SEGMENT, 0, False)]


def test_who_waits_for_more_of_a_blob_that_goes_is_told(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    ben.send(m.BlobStat(BLOB, 0))
    world.settle()
    ann.ask(m.BlobDelete(BLOB))
    assert [code(message) for message in ben.take_all()] == [ErrorCode.NOT_FOUND]


def test_segments_may_come_in_any_order(ann: Client, ben: Client) -> None:
    ann.ask(announce(4 * SEGMENT))
    writer = FakeLine(ann)
    for segment in (3, 1, 2):
        assert writer.put(BLOB, segment, bytes([segment]) * SEGMENT) is None
    assert ann.ask(m.BlobStat(BLOB)).segments == 0
    assert writer.put(BLOB, 0, bytes(SEGMENT)) is None
    assert ben.ask(m.BlobStat(BLOB)).complete
    assert [FakeLine(ben).get(BLOB, segment)[0] for segment in range(4)] == [0, 1, 2, 3]


def test_of_two_connections_that_send_one_file_the_older_is_cut(ann: Client, ben: Client) -> None:
    ann.ask(announce(2 * SEGMENT))
    old, new = FakeLine(ann), FakeLine(ann)
    assert old.begin(BLOB, 0, SEGMENT)
    refused = new.put(BLOB, 0, b"n" * SEGMENT)
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.NOT_YET
    assert old.was_cut
    ann.world.core.transfers.broke_off(BLOB, old)
    assert new.put(BLOB, 0, b"n" * SEGMENT) is None
    assert FakeLine(ben).get(BLOB, 0) == b"n" * SEGMENT


def test_a_segment_that_is_being_synced_is_not_written_again(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(SEGMENT))
    first = FakeLine(ann).write(BLOB, 0, b"a" * SEGMENT)
    second = FakeLine(ann).write(BLOB, 0, b"b" * SEGMENT)
    assert (first, second) == ([], [])
    world.settle()
    assert (first, second) == ([None], [None])
    assert FakeLine(ben).get(BLOB, 0) == b"a" * SEGMENT


def test_after_a_restart_an_upload_goes_on_at_the_last_whole_segment(
    world: World, ann: Client, ben: Client
) -> None:
    ann.ask(announce(3 * SEGMENT))
    writer = FakeLine(ann)
    writer.put(BLOB, 0, b"a" * SEGMENT)
    assert writer.begin(BLOB, 1, SEGMENT)
    write(world.blobs, BLOB, SEGMENT, b"b" * 100)
    for client in (ann, ben):
        client.leave()
    world.settle()
    world.store.close()
    world.open()
    ann = world.client("ann")
    assert ann.ask(announce(3 * SEGMENT)).segments == 1
    line = FakeLine(ann)
    assert line.put(BLOB, 1, b"b" * SEGMENT) is None
    assert line.put(BLOB, 2, b"c" * SEGMENT) is None
    assert b"".join(line.get(BLOB, number) for number in range(3)) == (
        b"a" * SEGMENT + b"b" * SEGMENT + b"c" * SEGMENT
    )


def test_a_whole_segment_is_never_written_again(ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, b"a" * SEGMENT)
    assert FakeLine(ann).put(BLOB, 0, b"b" * SEGMENT) is None
    assert FakeLine(ben).get(BLOB, 0) == b"a" * SEGMENT


def test_a_segment_is_sent_whole_and_within_its_file(ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT + 10))
    line = FakeLine(ann)
    for segment, length in ((0, SEGMENT - 1), (0, SEGMENT + 1), (1, 11), (2, 1), (2**62, 1)):
        assert refusal(lambda s=segment, n=length: line.begin(BLOB, s, n)) is (  # type: ignore[misc]
            ErrorCode.NOT_ALLOWED
        )


def test_a_blob_unknown_or_foreign_is_not_found(world: World, ann: Client, ben: Client) -> None:
    eve = world.client("eve")
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    for message in (
        m.BlobStat(BLOB), m.BlobDelete(BLOB), announce(SEGMENT), m.BlobStat(log("none")),
    ):  # fmt: skip
        assert code(eve.ask(message)) is ErrorCode.NOT_FOUND, message
    for message in (m.BlobDelete(BLOB), announce(SEGMENT)):
        assert code(ben.ask(message)) is ErrorCode.NOT_FOUND, message
    for client in (eve, ben):
        assert refusal(lambda c=client: FakeLine(c).begin(BLOB, 0, SEGMENT)) is (  # type: ignore[misc]
            ErrorCode.NOT_FOUND
        )
    assert refusal(lambda: FakeLine(eve).get(BLOB, 0)) is ErrorCode.NOT_FOUND
    assert refusal(lambda: FakeLine(ann).begin(log("none"), 0, 1)) is ErrorCode.NOT_FOUND
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
    assert refusal(lambda: FakeLine(ben).get(BLOB, 0)) is ErrorCode.NOT_FOUND


def test_old_files_and_idle_uploads_go(world: World, ann: Client, ben: Client) -> None:
    ann.ask(announce(SEGMENT))
    put(ann, bytes(SEGMENT))
    ann.ask(announce(2 * SEGMENT, log("idle")))
    FakeLine(ann).put(log("idle"), 0, bytes(SEGMENT))
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
    write(world.blobs, log("orphan"), 0, b"x")
    world.core.transfers.drop_orphans()
    world.settle()
    assert list(world.blobs.ids()) == [BLOB]


def deleted_while_it_is_sent(client: Client) -> FakeLine:
    client.ask(announce(SEGMENT))
    line = FakeLine(client)
    assert line.begin(BLOB, 0, SEGMENT)
    assert client.ask(m.BlobDelete(BLOB)) == m.Ok()
    return line


def test_a_file_deleted_while_it_is_sent_leaves_no_bytes(
    world: World, ann: Client, ben: Client
) -> None:
    deleted_while_it_is_sent(ann)
    write(world.blobs, BLOB, 0, bytes(SEGMENT))
    answers: list[Exception | None] = []
    world.core.transfers.wrote(BLOB, 0, answers.append)
    world.settle()
    assert [type(answer) for answer in answers] == [Refused]
    assert list(world.blobs.ids()) == []


def test_a_file_deleted_while_it_is_sent_leaves_no_bytes_when_its_line_breaks(
    world: World, ann: Client, ben: Client
) -> None:
    line = deleted_while_it_is_sent(ann)
    write(world.blobs, BLOB, 0, bytes(SEGMENT // 2))
    world.core.transfers.broke_off(BLOB, line)
    world.settle()
    assert list(world.blobs.ids()) == []


def test_what_is_not_there_is_not_said_to_be_on_disk(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "blobs")
    with pytest.raises(Refused):
        blobs.sync(BLOB)
    assert list(blobs.ids()) == []


def test_an_empty_file_is_whole_at_once(ann: Client, ben: Client) -> None:
    assert ann.ask(announce(0)).complete
    assert ben.ask(m.BlobStat(BLOB)).complete


def test_a_deleted_blob_stays_whole_for_who_reads_it(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "blobs")
    write(blobs, BLOB, 0, b"x" * (FREE_BYTES + 1))
    with blobs.kept(BLOB) as path, path.open("rb") as file:
        blobs.delete(BLOB)
        assert len(file.read()) == FREE_BYTES + 1
        with pytest.raises(Refused):
            read(blobs, BLOB, 1)
        # The same id may come again while the old bytes are still there.
        write(blobs, BLOB, 0, b"new")
        assert os.fstat(file.fileno()).st_size == FREE_BYTES + 1
        last = os.dup(file.fileno())
    assert os.fstat(last).st_size == 1, "given back when the last reader is gone"
    os.close(last)
    assert read(blobs, BLOB, 3) == b"new"


def test_many_files_need_few_handles(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "blobs")
    for number in range(MAX_HANDLES * 3):
        write(blobs, log(f"{number}"), 0, b"%d" % number)
    assert len(blobs._handles) <= MAX_HANDLES
    for number in range(MAX_HANDLES * 3):
        assert read(blobs, log(f"{number}"), len(str(number))) == b"%d" % number
    with pytest.raises(Refused):
        read(blobs, log("0"), 100)
    with pytest.raises(Refused):
        read(blobs, log("none"), 1)
    blobs.close()


@settings(deadline=None, max_examples=50)
@given(st.randoms(), st.integers(1, 9 * 1024))
def test_a_file_whose_segments_come_anyhow_and_again_arrives(
    tmp_path_factory: pytest.TempPathFactory, order: random.Random, size: int
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    ann = world.client("ann")
    ann.ask(m.CreateLog(ROOM, m.LogKind.ROOM, [ann.who.device_id], []))
    data = order.randbytes(size)
    ann.ask(announce(size, segment=1024))
    numbers = list(range(-(-size // 1024)))
    numbers += order.choices(numbers, k=4)
    order.shuffle(numbers)
    line, answers = FakeLine(ann), []
    for number in numbers:
        answers.append(line.write(BLOB, number, data[number * 1024 : (number + 1) * 1024]))
        for _ in range(order.randint(0, 3)):
            world.step(order.randint(0, 5))
    world.settle()
    assert answers == [[None]] * len(numbers)
    assert ann.ask(m.BlobStat(BLOB)).complete
    assert b"".join(line.get(BLOB, number) for number in sorted(set(numbers))) == data
    world.store.close()
    world.blobs.close()
