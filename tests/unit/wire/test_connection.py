"""What may come when: every state with every message, on both sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsecure.wire import messages as m
from chatsecure.wire.connection import (
    CLIENT_ACCEPTS,
    FILE_MESSAGES,
    REQUESTS,
    SERVER_ACCEPTS,
    Connection,
    Received,
    State,
    encode_message,
)
from chatsecure.wire.errors import FrameTooLarge, MalformedMessage, ProtocolError
from chatsecure.wire.frames import HEADER, MAX_FRAME_BYTES
from unit.strategies import bounded, example_of

SERVER, CLIENT = "server", "client"
ACCEPTS = {SERVER: SERVER_ACCEPTS, CLIENT: CLIENT_ACCEPTS}
MAY_COME = {
    (SERVER, State.HELLO): "ClientHello",
    (SERVER, State.LOGIN): "Register Login Ping Pong",
    (SERVER, State.OPEN): (
        "GetUser ListUsers PutKeyPackages ClaimKeyPackages CreateLog Append Subscribe Ack PutToken"
        " TakeOver LookupLinks Whisper BlobCreate BlobStat BlobDelete GetFileTicket Ping Pong"
    ),
    (SERVER, State.CLOSED): "",
    (CLIENT, State.HELLO): "ServerHello Error Goodbye",
    (CLIENT, State.LOGIN): "LoggedIn Error Goodbye Ping Pong",
    (CLIENT, State.OPEN): (
        "User Users KeyPackages LogState Appended Subscribed Entries Links Whispered Presence"
        " BlobState FileTicket Ping Pong Ok Error Goodbye"
    ),
    (CLIENT, State.CLOSED): "",
}
PAIRS = [
    pytest.param(side, state, kind, id=f"{side}-{state.value}-{kind.__name__}")
    for side in ACCEPTS
    for state in State
    for kind in m.NUMBERS
]


def connection(side: str, state: State) -> Connection:
    made = Connection(ACCEPTS[side])
    if state in (State.LOGIN, State.OPEN):
        made.greeted()
    if state is State.OPEN:
        made.open()
    if state is State.CLOSED:
        made.close()
    assert made.state is state
    return made


@pytest.mark.parametrize(("side", "state", "kind"), PAIRS)
def test_each_message_is_accepted_or_breaks_the_protocol(
    side: str, state: State, kind: type[m.Message]
) -> None:
    message = example_of(kind)
    receiving = connection(side, state).receive(encode_message(message, 7))
    if kind.__name__ in MAY_COME[side, state].split():
        assert list(receiving) == [Received(7, message)]
    elif state is State.CLOSED:
        assert list(receiving) == []
    else:
        with pytest.raises(ProtocolError, match=kind.__name__):
            list(receiving)


def test_only_a_server_or_a_client_sends_a_message_not_both() -> None:
    both = {"Ping", "Pong"}
    server = set(" ".join(MAY_COME[SERVER, state] for state in State).split())
    client = set(" ".join(MAY_COME[CLIENT, state] for state in State).split())
    assert server & client == both
    on_the_line = set(m.NUMBERS) - FILE_MESSAGES
    assert server | client == {kind.__name__ for kind in on_the_line}


@pytest.mark.parametrize("kind", sorted(REQUESTS, key=lambda kind: kind.__name__))
def test_a_request_needs_an_id(kind: type[m.Message]) -> None:
    with pytest.raises(MalformedMessage, match="request id"):
        list(connection(SERVER, State.OPEN).receive(encode_message(example_of(kind), 0)))


@pytest.mark.parametrize("kind", [m.Ack, m.Whisper, m.Ping, m.Pong])
def test_what_has_no_answer_needs_no_id(kind: type[m.Message]) -> None:
    got = list(connection(SERVER, State.OPEN).receive(encode_message(example_of(kind))))
    assert [received.request for received in got] == [0]


def test_request_ids_count_from_one_and_go_round_without_zero() -> None:
    made = connection(CLIENT, State.OPEN)
    assert [made.next_request() for _ in range(3)] == [1, 2, 3]
    made._last_request = 2**32 - 2
    assert [made.next_request() for _ in range(3)] == [2**32 - 1, 1, 2]


def test_large_frames_are_allowed_only_after_log_in() -> None:
    head = HEADER.pack(64 * 1024 + 1, 22, 1)
    with pytest.raises(FrameTooLarge):
        list(connection(SERVER, State.LOGIN).receive(head))
    assert list(connection(SERVER, State.OPEN).receive(head)) == []
    with pytest.raises(FrameTooLarge):
        list(connection(SERVER, State.OPEN).receive(HEADER.pack(MAX_FRAME_BYTES + 1, 22, 1)))


def test_handling_a_message_changes_what_may_come_in_the_same_bytes() -> None:
    made = connection(SERVER, State.LOGIN)
    stream = encode_message(example_of(m.Login), 1) + encode_message(example_of(m.GetUser), 2)
    receiving = made.receive(stream)
    assert isinstance(next(receiving).message, m.Login)
    made.open()
    assert isinstance(next(receiving).message, m.GetUser)


def test_nothing_is_taken_after_the_end() -> None:
    made = connection(SERVER, State.OPEN)
    receiving = made.receive(encode_message(m.Ping()) * 3)
    next(receiving)
    made.close()
    assert list(receiving) == []


def test_an_unfinished_message_is_held() -> None:
    made = connection(SERVER, State.OPEN)
    data = encode_message(m.GetUser("ada"), 3)
    assert list(made.receive(data[:-1])) == []
    assert made.pending_bytes == len(data) - 1
    assert list(made.receive(data[-1:])) == [Received(3, m.GetUser("ada"))]


@bounded
@given(st.binary(max_size=300), st.sampled_from(list(State)), st.sampled_from([SERVER, CLIENT]))
def test_any_bytes_are_messages_or_break_the_protocol(data: bytes, state: State, side: str) -> None:
    try:
        for received in connection(side, state).receive(data):
            assert type(received.message).__name__ in MAY_COME[side, state].split()
    except ProtocolError:
        pass


def test_what_one_side_sends_the_other_receives() -> None:
    client, server = connection(CLIENT, State.OPEN), connection(SERVER, State.OPEN)
    request = client.next_request()
    (asked,) = server.receive(client.send(m.GetUser("ada"), request))
    assert asked == Received(request, m.GetUser("ada"))
    (told,) = client.receive(server.send(m.Ok(), asked.request))
    assert told == Received(request, m.Ok())
