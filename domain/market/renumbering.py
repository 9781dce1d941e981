"""When a venue's numbers begin again from a smaller one.

A number below the highest one seen is a repeat only if it was seen with that content. A venue that restarts
its counter (a test net's reset, an engine restored from a backup) sends small numbers for new events, and
whoever took them for repeats would drop them until the old mark is reached, which may be never.

    evidence   the number lies at or below the mark, its event later than all that were seen
    proof      the next number of the same kind continues it: the two are a run of their own
"""

from __future__ import annotations

from typing import NamedTuple

from domain.clock import NS_PER_MS, NS_PER_S

PRECISION_NS = 2 * NS_PER_MS
"""The same event may be stamped in milliseconds over one way and in microseconds over another."""
OVERTAKEN_NS = 10 * NS_PER_S
"""An event that fills a hole was overtaken by those above it; one made so long after them was not."""
MAX_STEP = 100
"""Numbers that may be left out inside a run: frames that were lost in the same moment."""


class Suspect(NamedTuple):
    """A numbered event that may be the first of a new numbering; `ts` ns UTC, the venue's."""

    number: int
    ts: int

    def is_continued_by(self, number: int, ts: int) -> bool:
        """Whether an event continues this one."""
        return 0 < number - self.number <= MAX_STEP and ts >= self.ts


def is_later(ts: int, newest: int) -> bool:
    """Whether an event is later than the newest one seen by more than two precisions differ."""
    return ts > newest + PRECISION_NS


def is_after_all(ts: int, newest: int, *, fills: bool) -> bool:
    """Whether an event at or below the mark is so late that it may be of a new numbering; `fills`: its number
    is known to be missing."""
    return ts > newest + OVERTAKEN_NS if fills else is_later(ts, newest)
