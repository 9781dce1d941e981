"""How fast clients may talk: a user's sockets together, and by what a message asks for."""

from __future__ import annotations

import time
from collections.abc import Callable

from deployments.ws.channels import is_pattern
from deployments.ws.protocol import ClientFrame, Subscribe, Unsubscribe

NAMES_PER_MESSAGE = 100
"""Instruments by name that cost as much as a message: looking one up costs a hundredth of reading one."""
MAX_USERS = 10_000
REFUSALS = 200
REFUSALS_S = 10.0
"""A socket may be refused so often in so long; then it is closed with 4429."""
REFUSALS_PER_ALLOWED = 4
"""Each allowed message makes up for so many: other sockets of the user may have caused the refusals."""


class MessageRate:
    """A token bucket; `now_s` is any monotonic time in seconds."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left = float(burst)
        self._at: float | None = None

    def allows(self, now_s: float, cost: float = 1.0) -> bool:
        """What costs more than a burst is let through by a full bucket, which then owes up to a burst."""
        self._refill(now_s)
        if self._left < min(cost, self._burst):
            return False
        self._left = max(-self._burst, self._left - cost)
        return True

    def give_back(self, amount: float) -> None:
        self._left = min(self._burst, self._left + amount)

    def is_full(self, now_s: float) -> bool:
        self._refill(now_s)
        return self._left >= self._burst

    def _refill(self, now_s: float) -> None:
        if self._at is not None:
            self._left = min(self._burst, self._left + (now_s - self._at) * self._per_s)
        self._at = now_s


class Rate:
    """One bucket per user, for all of the user's sockets in this gateway process."""

    def __init__(self, per_s: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: dict[str, MessageRate] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, user: str, cost: float = 1.0) -> bool:
        """Whether the user may do something of that cost now; `cost_of` a frame, 1 is a plain message."""
        bucket = self._buckets.get(user)
        if bucket is None:
            self._make_room()
            bucket = self._buckets[user] = MessageRate(self._per_s, self._burst)
        return bucket.allows(self._monotonic(), cost)

    def _make_room(self) -> None:
        """A full bucket says no more than none; of others the oldest goes."""
        if len(self._buckets) < MAX_USERS:
            return
        now_s = self._monotonic()
        self._buckets = {user: each for user, each in self._buckets.items() if not each.is_full(now_s)}
        if len(self._buckets) >= MAX_USERS:
            del self._buckets[next(iter(self._buckets))]


class Refusals:
    """Of one socket: some are answered, a flood ends it. `now_s` is any monotonic time in seconds."""

    def __init__(self) -> None:
        self._left = MessageRate(REFUSALS / REFUSALS_S, REFUSALS)

    def allowed(self) -> None:
        """A message was allowed: the socket is no flood."""
        self._left.give_back(REFUSALS_PER_ALLOWED)

    def refused(self, now_s: float) -> bool:
        """A message was refused -> whether there were too many."""
        return not self._left.allows(now_s)


def cost_of(frame: ClientFrame) -> float:
    """In messages: every pattern counts as one, for each is asked about every instrument."""
    if not isinstance(frame, Subscribe | Unsubscribe):
        return 1.0
    patterns = sum(map(is_pattern, frame.instruments))
    return max(1.0, patterns + (len(frame.instruments) - patterns) // NAMES_PER_MESSAGE)
