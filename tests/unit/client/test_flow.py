"""Operations of several steps: answers, errors, deadlines, cancelling, flows within flows."""

from collections.abc import Iterator
from typing import Any

import pytest

from chatsecure.client.flow import Flow, Operation, Scheduler, Ticket, Until
from chatsecure.wire.errors import ErrorCode, NotFound, NotInTime, Refused
from chatsecure.wire.messages import GetUser, Ok, Ping, Pong


class Clock:
    """Time that passes when told to."""

    ms = 1_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduler(clock: Clock) -> Scheduler:
    return Scheduler(clock)


def asking(ticket: Ticket) -> Flow[Any]:
    return (yield ticket)


def test_a_flow_that_waits_for_nothing_ends_at_once(scheduler: Scheduler) -> None:
    def flow() -> Flow[int]:
        return 7
        yield

    operation = scheduler.start(flow())
    assert (operation.done, operation.result, operation.error) == (True, 7, None)
    assert scheduler.next_deadline() is None


def test_a_flow_gets_the_answer_it_asked_for(scheduler: Scheduler) -> None:
    ticket = Ticket(Ping())
    operation = scheduler.start(asking(ticket))
    scheduler.settle()
    assert not operation.done
    assert operation.waiting is ticket
    ticket.resolve(Pong(), None)
    assert not operation.done, "answers are handed on when it is settled, not in between"
    scheduler.settle()
    assert operation.result == Pong()


def test_an_answer_that_is_there_already_is_taken_at_once(scheduler: Scheduler) -> None:
    ticket = Ticket(Ping())
    ticket.resolve(Pong(), None)
    assert scheduler.start(asking(ticket)).result == Pong()


def test_a_refusal_is_raised_in_the_flow(scheduler: Scheduler) -> None:
    ticket = Ticket(GetUser("ada"))
    operation = scheduler.start(asking(ticket))
    refusal = Refused(ErrorCode.NOT_FOUND, "no such user")
    ticket.resolve(None, refusal)
    scheduler.settle()
    assert operation.done
    assert operation.error is refusal
    assert operation.result is None


def test_a_flow_may_catch_a_refusal_and_go_on(scheduler: Scheduler) -> None:
    first, second = Ticket(GetUser("ada")), Ticket(Ping())

    def flow() -> Flow[str]:
        try:
            yield first
        except Refused:
            yield second
            return "went on"
        return "was not refused"

    operation = scheduler.start(flow())
    first.resolve(None, Refused(ErrorCode.NOT_FOUND, "no"))
    scheduler.settle()
    assert operation.waiting is second
    second.resolve(Pong(), None)
    scheduler.settle()
    assert operation.result == "went on"


def test_whoever_asked_is_called_back_with_the_ticket() -> None:
    ticket, called = Ticket(Ping()), []
    ticket.on_done = called.append
    ticket.resolve(Ok(), None)
    assert called == [ticket]
    assert (ticket.done, ticket.reply, ticket.error) == (True, Ok(), None)


def test_a_condition_is_looked_at_after_every_input(scheduler: Scheduler) -> None:
    here: list[int] = []

    def flow() -> Flow[str]:
        yield Until(lambda: len(here) == 2)
        return "both"

    operation = scheduler.start(flow())
    for number in (1, 2):
        assert not operation.done
        here.append(number)
        scheduler.settle()
    assert operation.result == "both"


def test_a_deadline_that_runs_out_is_raised_with_what_was_waited_for(
    scheduler: Scheduler, clock: Clock
) -> None:
    def flow() -> Flow[None]:
        yield Until(lambda: False, deadline=1_500, what="nobody came")

    operation = scheduler.start(flow())
    assert scheduler.next_deadline() == 1_500
    clock.ms = 1_499
    scheduler.settle()
    assert not operation.done
    clock.ms = 1_500
    scheduler.settle()
    assert isinstance(operation.error, NotInTime)
    assert str(operation.error) == "nobody came"
    assert scheduler.next_deadline() is None


def test_a_condition_met_at_the_deadline_counts(scheduler: Scheduler, clock: Clock) -> None:
    def flow() -> Flow[str]:
        yield Until(lambda: clock.ms >= 1_500, deadline=1_500)
        return "in time"

    operation = scheduler.start(flow())
    clock.ms = 1_500
    scheduler.settle()
    assert operation.result == "in time"


def test_the_earliest_deadline_is_told(scheduler: Scheduler) -> None:
    def flow(deadline: int | None) -> Flow[None]:
        yield Until(lambda: False, deadline=deadline)

    for deadline in (3_000, None, 2_000, 4_000):
        scheduler.start(flow(deadline))
    assert scheduler.next_deadline() == 2_000


def test_a_cancelled_flow_cleans_up_and_ends_not_in_time(scheduler: Scheduler) -> None:
    cleaned = []

    def flow() -> Flow[None]:
        try:
            yield Until(lambda: False)
        finally:
            cleaned.append(True)

    operation = scheduler.start(flow())
    operation.cancel()
    assert cleaned == [True]
    assert isinstance(operation.error, NotInTime)
    operation.cancel()
    scheduler.settle()
    assert cleaned == [True]


def test_a_cancelled_flow_is_not_resumed_by_a_late_answer(scheduler: Scheduler) -> None:
    ticket = Ticket(Ping())
    operation = scheduler.start(asking(ticket))
    operation.cancel()
    ticket.resolve(Pong(), None)
    scheduler.settle()
    assert operation.result is None
    assert isinstance(operation.error, NotInTime)


def test_a_cancelled_flow_holds_no_deadline(scheduler: Scheduler) -> None:
    def flow() -> Flow[None]:
        yield Until(lambda: False, deadline=1_500)

    scheduler.start(flow()).cancel()
    assert scheduler.next_deadline() is None


def test_a_flow_may_be_made_of_flows(scheduler: Scheduler) -> None:
    tickets = [Ticket(Ping()), Ticket(Ping())]

    def inner(ticket: Ticket) -> Flow[int]:
        yield ticket
        return 1

    def outer() -> Flow[int]:
        return (yield from inner(tickets[0])) + (yield from inner(tickets[1]))

    operation = scheduler.start(outer())
    for ticket in tickets:
        assert operation.waiting is ticket
        ticket.resolve(Pong(), None)
        scheduler.settle()
    assert operation.result == 2


def test_an_error_of_an_inner_flow_may_be_caught_by_the_outer(scheduler: Scheduler) -> None:
    def inner() -> Flow[None]:
        yield Until(lambda: True)
        raise NotFound("nothing here")

    def outer() -> Flow[str]:
        try:
            yield from inner()
        except NotFound:
            return "caught"
        return "not raised"

    assert scheduler.start(outer()).result == "caught"


def test_a_flow_may_start_another_one(scheduler: Scheduler) -> None:
    ticket = Ticket(Ping())
    started: list[Operation[Any]] = []

    def outer() -> Flow[str]:
        started.append(scheduler.start(asking(ticket)))
        yield Until(lambda: started[0].done)
        return "both done"

    operation = scheduler.start(outer())
    assert not operation.done
    ticket.resolve(Pong(), None)
    scheduler.settle()
    assert operation.result == "both done"


def test_one_flow_unblocks_another_within_one_settling(scheduler: Scheduler) -> None:
    """Whatever the order they were started in."""
    done: list[str] = []

    def waits_for(other: str, name: str) -> Flow[None]:
        yield Until(lambda: not other or other in done)
        done.append(name)

    gate = Ticket(Ping())

    def first() -> Iterator[Any]:
        yield gate
        done.append("a")

    scheduler.start(waits_for("b", "c"))
    scheduler.start(waits_for("a", "b"))
    scheduler.start(first())  # type: ignore[arg-type]
    assert done == []
    gate.resolve(Pong(), None)
    scheduler.settle()
    assert done == ["a", "b", "c"]


def test_settling_within_a_settling_does_no_harm(scheduler: Scheduler) -> None:
    def flow() -> Flow[str]:
        yield Until(lambda: True)
        scheduler.settle()
        yield Until(lambda: True)
        return "done"

    assert scheduler.start(flow()).result == "done"


def test_the_end_is_told_once(scheduler: Scheduler) -> None:
    ended: list[Operation[Any]] = []
    ticket = Ticket(Ping())
    operation = scheduler.start(asking(ticket), ended.append)
    assert ended == []
    ticket.resolve(Pong(), None)
    for _ in range(3):
        scheduler.settle()
    assert ended == [operation]


def test_a_mistake_in_one_flow_is_told_to_its_starter_and_stops_no_other(
    scheduler: Scheduler,
) -> None:
    def broken() -> Flow[None]:
        yield Until(lambda: True)
        raise ZeroDivisionError

    ticket = Ticket(Ping())
    other = scheduler.start(asking(ticket))
    operation = scheduler.start(broken())
    assert isinstance(operation.error, ZeroDivisionError)
    ticket.resolve(Pong(), None)
    scheduler.settle()
    assert other.result == Pong()
