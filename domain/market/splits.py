"""The splits of one instrument, as its providers have announced them.

    fold       one announcement: new, the same again, corrected or withdrawn (1:1)
    pass_bar   a closed bar: time has come as far as its end
    in_force   those of which a closed bar has shown prices, oldest first; what prices before are adjusted by

A split is known by its day: what is announced within `SAME_NS` of an earlier one is the same. Of one
provider the later word counts, of several the first provider's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.market.bars import NEVER
from domain.market.observations import SplitAnnounced

LARGEST_RATIO = 1e6
SAME_NS = 24 * 3600 * NS_PER_S
"""Providers name a day, and mean its midnight here or at the exchange, or the session's opening."""
MAX_ANNOUNCED = 64
"""Announcements kept of one instrument; beyond it the one of the earliest split goes."""


class Split(Struct, frozen=True, order=True):
    """`effective`: the first moment traded in new shares, ns UTC. `ratio`: new shares for one old, 4.0 for
    4:1, 0.1 for a reverse split of 1:10. Raises Malformed for no ratio at all."""

    effective: int
    ratio: float

    def __post_init__(self) -> None:
        if not is_ratio(self.ratio):
            raise Malformed(
                f"split ratio {self.ratio!r} is not from {1 / LARGEST_RATIO:g} to {LARGEST_RATIO:g}"
            )


def is_ratio(ratio: float) -> bool:
    return math.isfinite(ratio) and 1.0 / LARGEST_RATIO <= ratio <= LARGEST_RATIO


class SplitsState(Struct, frozen=True, array_like=True):
    """`announced`: (provider, effective, ratio) in the order in which they were first told."""

    announced: tuple[tuple[str, int, float], ...] = ()
    passed: int = 0


class KnownSplits:
    """`passed`: end of the newest closed bar, ns UTC. `in_force` changes only in `fold`, `pass_bar` and
    `set_back`, which say so."""

    __slots__ = ("_announced", "_next", "in_force", "passed")

    def __init__(self, state: SplitsState | None = None) -> None:
        state = state or SplitsState()
        self._announced = list(state.announced)
        self.passed = state.passed
        self.in_force: tuple[Split, ...] = ()
        self._next = NEVER
        self._settle()

    def __len__(self) -> int:
        return len(self._announced)

    def known(self) -> tuple[Split, ...]:
        """All that stand, those to come as well, oldest first."""
        if not self._announced:
            return ()
        standing: list[Split] = []
        for _, effective, ratio in self._announced:
            if all(abs(each.effective - effective) >= SAME_NS for each in standing):
                standing.append(Split(effective, ratio))
        return tuple(sorted(standing))

    def fold(self, told: SplitAnnounced) -> bool:
        """Whether `in_force` has changed. What is no ratio at all is passed over."""
        if not told.split_from > 0.0 or not is_ratio(told.split_to / told.split_from):
            return False
        new = (told.provider, told.effective, told.split_to / told.split_from)
        place = self._place(told)
        if new[2] == 1.0:
            del self._announced[place : place + 1]
        elif place < len(self._announced):
            self._announced[place] = new
        else:
            self._announced.append(new)
        if len(self._announced) > MAX_ANNOUNCED:
            self._announced.remove(min(self._announced, key=lambda each: each[1]))
        return self._settle()

    def pass_bar(self, end: int) -> bool:
        """A bar that ends then has closed. Whether `in_force` has changed."""
        self.passed = max(self.passed, end)
        return self._next < self.passed and self._settle()

    def set_back(self, now: int) -> bool:
        """The clock was ahead, and so was what had passed by it. Whether `in_force` has changed."""
        if self.passed <= now:
            return False
        self.passed = now
        return self._settle()

    def precedes(self, end: int) -> bool:
        """Whether a bar that ends then is in old shares."""
        return any(end <= each.effective for each in self.in_force)

    def snapshot(self) -> SplitsState:
        return SplitsState(tuple(self._announced), self.passed)

    def _place(self, told: SplitAnnounced) -> int:
        """Of the provider's earlier word on the same split; the end where there is none."""
        for place, (provider, effective, _) in enumerate(self._announced):
            if provider == told.provider and abs(effective - told.effective) < SAME_NS:
                return place
        return len(self._announced)

    def _settle(self) -> bool:
        known, before = self.known(), self.in_force
        self.in_force = in_force(known, self.passed)
        self._next = min((each.effective for each in known if each.effective >= self.passed), default=NEVER)
        return self.in_force != before


def in_force(known: Iterable[Split], end: int) -> tuple[Split, ...]:
    """Those that a bar which ends then has seen: it is in new shares once it reaches past `effective`."""
    return tuple(each for each in known if each.effective < end)


def factor(moment: int, splits: Iterable[Split]) -> float:
    """What a price in the shares of that moment is divided by and a volume multiplied by."""
    found = 1.0
    for split in sorted(splits, reverse=True):
        if split.effective > moment:
            found *= split.ratio
    return found


def shares_of(start: int, length: int, received: int, *, adjusted: bool) -> int:
    """The moment in whose shares a bar is, ns UTC: its last one. One that its provider has adjusted is in
    those of the time when it was received."""
    last = start + length - 1
    return max(last, received) if adjusted else last
