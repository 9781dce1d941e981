"""Waiting as long as something moves: a deadline for standing still, and none for a long way."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """Runs out once what is watched has stayed the same for `still_s` seconds."""

    def __init__(self, still_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.still_s = still_s
        self._monotonic = monotonic
        self._seen: object = None
        self._moved_s = monotonic()

    def lasts(self, seen: object) -> bool:
        """Whether to go on waiting, given what is seen now."""
        now_s = self._monotonic()
        if seen != self._seen:
            self._seen, self._moved_s = seen, now_s
        return now_s - self._moved_s <= self.still_s
