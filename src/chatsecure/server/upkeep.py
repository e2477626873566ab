"""What the server does by itself as time passes: writing down acknowledgements, deleting what
everyone has and what nobody fetched in time."""

from typing import TYPE_CHECKING

from .store.base import Ack, DeviceKey, LogKey, Tx

if TYPE_CHECKING:
    from .core import Core

FLUSH_ACKS_S = 2.0
SWEEP_S = 60.0
SWEEP_OLD_S = 600.0
MAX_ACKS_WAITING = 20_000
LOGS_A_SWEEP = 500
WEEK_MS = 7 * 86_400_000


class Upkeep:
    """One server's clockwork, wound by `Core.tick`.

    Args:
        core: the server.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._acks: dict[tuple[DeviceKey, bytes], int] = {}
        self._acked_logs: set[bytes] = set()
        self._sweep_at = LogKey(0)
        self._flush_due = self._sweep_due = self._old_due = core.clock()

    def ack(self, device: DeviceKey, log_id: bytes, seq: int) -> None:
        """A device has something safely. Written down a little later, with others: should it be
        lost, entries are kept a little longer, no more."""
        key = (device, log_id)
        if seq > self._acks.get(key, 0):
            self._acks[key] = seq
            if len(self._acks) > MAX_ACKS_WAITING:
                self.flush_acks()

    def tick(self) -> None:
        """Do what is due."""
        clock = self._core.clock()
        if clock >= self._flush_due:
            self._flush_due = clock + FLUSH_ACKS_S
            self.flush_acks()
        if clock >= self._sweep_due:
            self._sweep_due = clock + SWEEP_S
            self.sweep_acked()
            self._core.transfers.sweep()
        if clock >= self._old_due:
            self._old_due = clock + SWEEP_OLD_S
            self.sweep_old()

    def flush_acks(self) -> None:
        """Write down what devices have acknowledged."""
        if not self._acks:
            return
        acks = [Ack(log_id, device, seq) for (device, log_id), seq in self._acks.items()]
        self._acked_logs.update(ack.log_id for ack in acks)
        self._acks.clear()
        self._core.quietly(lambda tx: tx.ack(acks))

    def sweep_acked(self) -> None:
        """Delete what every reader has."""
        logs = [self._acked_logs.pop() for _ in range(min(len(self._acked_logs), LOGS_A_SWEEP))]
        if logs:
            self._core.quietly(lambda tx: tx.sweep_acked(logs))

    def sweep_old(self) -> None:
        """Delete what nobody fetched in time; some logs at a time."""
        core = self._core
        now, retention = core.now(), core.limits.retention_s * 1000
        before, start = now - retention, self._sweep_at

        def sweep(tx: Tx) -> LogKey | None:
            following, _ = tx.sweep_old(before, start, LOGS_A_SWEEP)
            if following is None:
                tx.sweep_leftovers(min(before, now - WEEK_MS), now - 12 * retention)
            return following

        def done(outcome: LogKey | Exception | None) -> None:
            if isinstance(outcome, Exception):
                core.failed("old entries could not be deleted", outcome)
            else:
                self._sweep_at = outcome or LogKey(0)
                if outcome is not None:
                    self._old_due = core.clock() + 1

        if not core.stopping:
            core.store.write(sweep, done)
