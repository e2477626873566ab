"""Operations of several steps, without I/O: generators that wait for answers.

A flow yields what it waits for and is resumed when that has come:

    reply = yield core.ask(GetUser(name))            # a Ticket: the answer, or the error raised
    digest = yield core.work(job)                    # a Work: done in a thread beside
    yield Until(lambda: core.online)                 # a condition, looked at after every input
    yield Until(condition, deadline=core.clock() + 30_000)   # NotInTime when it runs out

The scheduler is part of the core and knows nothing of sockets or asyncio, so the same flows run
in the real client and in the simulation.
"""

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from chatsecure.wire.errors import ChatSecureError, NotInTime
from chatsecure.wire.messages import Message

T = TypeVar("T")


class Ticket:
    """One request that was asked and its answer, when it is there."""

    __slots__ = ("done", "error", "message", "on_done", "once", "reply")

    def __init__(self, message: Message, *, once: bool = False) -> None:
        self.message = message
        self.once = once
        """It is not asked again on another connection."""
        self.reply: Message | None = None
        self.error: ChatSecureError | None = None
        self.done = False
        self.on_done: Callable[[Ticket], None] | None = None

    def resolve(self, reply: Message | None, error: ChatSecureError | None) -> None:
        """The answer or the refusal has come."""
        self.reply, self.error, self.done = reply, error, True
        if self.on_done is not None:
            self.on_done(self)


class Work:
    """Something slow (a disk, a cipher) that is done beside, and what came of it."""

    __slots__ = ("done", "error", "result")

    def __init__(self) -> None:
        self.done = False
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, job: Callable[[], Any]) -> None:
        """Do it, in whatever thread; `end` follows in the core's."""
        try:
            self.result = job()
        except Exception as error:  # noqa: BLE001 - raised where the flow waits
            self.error = error

    def end(self) -> None:
        """What came of it may be taken."""
        self.done = True


class Until:
    """A condition to wait for, with an optional deadline in milliseconds."""

    __slots__ = ("condition", "deadline", "what")

    def __init__(
        self, condition: Callable[[], bool], *, deadline: int | None = None, what: str = ""
    ) -> None:
        self.condition = condition
        self.deadline = deadline
        self.what = what or "it took too long"


Waiting = Ticket | Work | Until
Flow = Generator[Waiting, Any, T]


class Operation(Generic[T]):
    """A running flow.

    Args:
        flow: the generator.
        on_done: called once with the operation when it ends.
    """

    def __init__(self, flow: Flow[T], on_done: "Callable[[Operation[T]], None] | None") -> None:
        self._flow = flow
        self._on_done = on_done
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None
        self.waiting: Waiting | None = None
        """What it waits for now."""

    def step(self, value: Any = None, error: Exception | None = None) -> None:
        """Resume with a value or an error, until it waits again or ends."""
        self.waiting = None
        try:
            self.waiting = self._flow.throw(error) if error is not None else self._flow.send(value)
        except StopIteration as stop:
            self._end(stop.value, None)
        except Exception as failure:  # noqa: BLE001 - handed on to whoever started the flow
            self._end(None, failure)

    def cancel(self) -> None:
        """Give up: the flow sees GeneratorExit, its requests may still be carried out."""
        if not self.done:
            self._flow.close()
            self._end(None, NotInTime("given up"))

    def fail(self, error: Exception) -> None:
        """What it has just done could not be kept: it sees why, or failed at its end."""
        if self.done:
            self.result, self.error = None, self.error or error
        else:
            self.step(error=error)

    def _end(self, result: T | None, error: BaseException | None) -> None:
        self.done, self.result, self.error = True, result, error
        self.waiting = None
        if self._on_done is not None:
            self._on_done(self)


class Scheduler:
    """Runs flows: resumes each when what it waits for is there."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._running: list[Operation[Any]] = []
        self._settling = False
        self.stepped: set[Operation[Any]] = set()
        """Those that went on in this turn; cleared by whoever begins one."""

    def start(
        self, flow: Flow[T], on_done: Callable[[Operation[T]], None] | None = None
    ) -> Operation[T]:
        """Start a flow and run it until it first waits."""
        operation = Operation(flow, on_done)
        self._running.append(operation)
        self.stepped.add(operation)
        operation.step()
        self.settle()
        return operation

    def settle(self) -> None:
        """Resume every flow whose answer or condition has come."""
        if self._settling:
            return
        self._settling = True
        try:
            progress = True
            while progress:
                progress = False
                for operation in list(self._running):
                    if operation.done:
                        self._running.remove(operation)
                    elif self._resume(operation):
                        progress = True
        finally:
            self._settling = False

    def _resume(self, operation: Operation[Any]) -> bool:
        match operation.waiting:
            case Ticket(done=True) as ticket:
                operation.step(ticket.reply, ticket.error)
            case Work(done=True) as work:
                operation.step(work.result, work.error)
            case Until() as until if until.condition():
                operation.step()
            case Until(deadline=int(deadline)) as until if self._clock() >= deadline:
                operation.step(error=NotInTime(until.what))
            case _:
                return False
        self.stepped.add(operation)
        return True

    def next_deadline(self) -> int | None:
        """When a waiting flow's time runs out, at the earliest."""
        deadlines = [
            operation.waiting.deadline
            for operation in self._running
            if isinstance(operation.waiting, Until) and operation.waiting.deadline is not None
        ]
        return min(deadlines, default=None)
