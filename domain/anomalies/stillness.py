"""A feed that speaks but always says the same, and a feed that has stopped speaking.

Both are measured by the stream's own habit: three times the longest still run (in time, or in updates),
five times the longest silence in living memory; each fades by a thousandth per observation, so that a
quiet night is forgotten within hours. No clock: `ts` are event times, ns UTC.
"""

from __future__ import annotations

from msgspec import Struct

from domain.clock import NS_PER_MIN, NS_PER_S

FADING = 0.999
READY = 60
LEAST_STILL_NS = 5 * NS_PER_S
STILL_TIMES = 3.0
STILL_UPDATES = 10
STILL_MANY_UPDATES = 50.0
"""A run may also be too long in updates: a rest of a minute means little before the open, much after it."""
LEAST_SILENT_NS = 10 * NS_PER_S
SILENT_TIMES = 5.0
LONGEST_LEARNT_NS = 30 * NS_PER_MIN
"""A longer silence is a closed session, and no habit."""


class Stillness(Struct, array_like=True):
    """`since`: when the run began, 0 while prices move. `told`: the run has been named.

    `updates_before`: updates ever seen when it began, `run_updates` those since.
    """

    seen: int = 0
    longest_ns: float = 0.0
    longest_updates: float = 0.0
    since: int = 0
    updates_before: int = 0
    run_updates: int = 0
    told: bool = False

    def observe(self, start: int, ts: int, updates: int, *, moved: bool) -> bool:
        """A bucket [start, ts), and how many updates have ever been seen.

        True where the run has become too long; the caller that makes it known sets `told`.
        """
        self.seen += 1
        if moved:
            self._end(start)
            return False
        if self.since == 0:
            self.since, self.updates_before = start, updates
        self.run_updates = updates - self.updates_before
        if self.told or self.seen < READY or self.run_updates < STILL_UPDATES:
            return False
        lasted = ts - self.since
        if lasted >= self.needed_ns:
            return True
        often = max(STILL_MANY_UPDATES, STILL_TIMES * self.longest_updates)
        return lasted >= LEAST_STILL_NS and self.run_updates >= often

    @property
    def needed_ns(self) -> float:
        return max(LEAST_STILL_NS, STILL_TIMES * self.longest_ns)

    def rest(self) -> None:
        """The market is closed: nothing has to move, and nothing is learnt."""
        self.since = self.run_updates = 0
        self.told = False

    def _end(self, ts: int) -> None:
        self.longest_ns *= FADING
        self.longest_updates *= FADING
        if self.since and not self.told:
            self.longest_ns = max(self.longest_ns, float(ts - self.since))
            self.longest_updates = max(self.longest_updates, float(self.run_updates))
        self.rest()


class Pulse(Struct, array_like=True):
    """When the stream last spoke, within a second, and the time before (`before`).

    `told`: the silence since has been named.
    """

    seen: int = 0
    longest_ns: float = 0.0
    last: int = 0
    before: int = 0
    told: bool = False

    def beat(self, ts: int, *, usual: bool = True) -> None:
        """`usual` False: what was silent before was no habit of the stream."""
        gap = ts - self.last
        if usual and self.last and not self.told and gap <= LONGEST_LEARNT_NS:
            self.longest_ns = max(FADING * self.longest_ns, float(gap))
        self.seen += 1
        self.before, self.last = self.last, max(self.last, ts)
        self.told = False

    @property
    def patience_ns(self) -> int:
        return max(LEAST_SILENT_NS, int(SILENT_TIMES * self.longest_ns))

    @property
    def deadline(self) -> int | None:
        """When silence becomes worth a question; None before the habit is known, or once it was named."""
        if self.told or self.seen < READY:
            return None
        return self.last + self.patience_ns
