"""The wall clock of the serving side."""

from __future__ import annotations

import time


class WallClock:
    """`domain.clock.Clock` over the operating system."""

    def now_ns(self) -> int:
        return time.time_ns()
