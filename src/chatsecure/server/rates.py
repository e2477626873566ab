"""Token buckets: how often something may happen. Time is a parameter."""

from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
MAX_BUCKETS = 50_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates(Generic[K]):
    """A bucket for each key: `burst` tokens at most, `rate` new ones a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: dict[K, _Bucket] = {}

    def take(self, key: K, now_s: float, count: int = 1) -> bool:
        """Whether it may happen now; if so, it counts."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                self.prune(now_s)
            bucket = self._buckets[key] = _Bucket(self._burst, now_s)
        passed = max(0.0, now_s - bucket.at)
        bucket.tokens = min(self._burst, bucket.tokens + passed * self._rate)
        bucket.at = now_s
        if bucket.tokens < count:
            return False
        bucket.tokens -= count
        return True

    def has(self, key: K, now_s: float) -> bool:
        """Whether it may happen now; nothing is counted."""
        if not self.take(key, now_s):
            return False
        self._buckets[key].tokens += 1
        return True

    def prune(self, now_s: float) -> None:
        """Forget buckets that are full again."""
        full_after = self._burst / self._rate
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items() if bucket.at + full_after > now_s
        }
