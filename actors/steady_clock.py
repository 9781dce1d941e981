"""A live feed's clock: wall time that never goes back, and that knows when the machine's clock was set.

A feed's clock closes bars and judges event times, so it must not follow whatever is done to the machine's
clock (NTP, an operator, a virtual machine that was stopped, a laptop that slept):

    behind by up to STEP_NS             held until wall time has caught up
    set by more, ahead or back          held for good, and `require` raises: the feed ends

The next incarnation begins with the clock as it is then. Its gap comes before its timers, so what nobody
watched counts neither as whole bars nor as silence of a market.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from domain.clock import NS_PER_S, Clock
from domain.errors import Unavailable

STEP_NS = 5 * NS_PER_S
"""What a keeper tolerates of event times beyond the clock (`PartitionSettings.skew_tolerance_ns`)."""
LOOK_NS = NS_PER_S
"""So far wall time may run before it is compared with the monotonic clock again."""


class ClockSet(Unavailable):
    """The machine's clock was set while a feed ran by it."""


class SteadyClock:
    """Of one incarnation. `monotonic_ns` runs whatever is done to wall time, and stops with the machine."""

    __slots__ = ("_clock", "_look_at", "_monotonic_ns", "_now", "_offset", "_step")

    def __init__(self, clock: Clock, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._now = clock.now_ns()
        self._offset = self._now - monotonic_ns()
        self._look_at = self._now + LOOK_NS
        self._step = 0

    def now_ns(self) -> int:
        """ns UTC; never decreases, and stands still once the clock was set."""
        wall = self._clock.now_ns()
        if self._now <= wall < self._look_at:
            self._now = wall
        else:
            self._look(wall)
        return self._now

    def require(self) -> None:
        """Raises ClockSet once the machine's clock was set."""
        if self._step:
            way = "ahead" if self._step > 0 else "back"
            raise ClockSet(f"the machine's clock was set {abs(self._step) / NS_PER_S:.1f} s {way}")

    def _look(self, wall: int) -> None:
        """Wall time has run for a while, or went back. Many small steps back make a large one."""
        offset = wall - self._monotonic_ns()
        step = offset - self._offset if abs(offset - self._offset) > STEP_NS else min(0, wall - self._now)
        if self._step or abs(step) > STEP_NS:
            self._step = self._step or step
            return
        self._offset = offset
        self._now = max(self._now, wall)
        self._look_at = self._now + LOOK_NS
