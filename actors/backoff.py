"""Delays between attempts: capped, fully jittered, resettable, seeded.

Full jitter: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. A delay is uniform
in [0, min(cap, base * 2^attempt)], so that many callers who failed together do not return together.
"""

from __future__ import annotations

import random

MAX_DOUBLINGS = 32


class Backoff:
    """The delays of one caller. Seconds."""

    def __init__(self, base_s: float, cap_s: float, seed: int | str) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random.Random(seed)
        self.attempts = 0

    def ceiling_s(self) -> float:
        """The largest delay that `next_s` may return now."""
        return min(self._cap_s, self._base_s * float(2 ** min(self.attempts, MAX_DOUBLINGS)))

    def next_s(self) -> float:
        """The delay before the next attempt, counting it."""
        delay_s = self._random.uniform(0.0, self.ceiling_s())
        self.attempts += 1
        return delay_s

    def reset(self) -> None:
        """After a success: the next failure starts at `base_s` again."""
        self.attempts = 0
