"""Which trades have been seen already, by the venue's own numbers.

A high-water mark plus the missing ranges below it: a repeat is recognised, a backfilled trade is let
in. Only dense numbers can tell; a series that turns out not to be dense is no longer judged.

A number below the mark whose trade is later than all that were seen is no repeat. It is let in, and where
the next one continues it the venue's numbering has begun anew (`renumbering.py`): so have the marks here.
Every change of state is that of a trade which was let in, so that a replay makes the same ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from domain.market.renumbering import Suspect, is_after_all, is_later

MAX_RANGES = 64
"""Missing ranges remembered per series; each is an outage that nobody has backfilled."""

MIN_DENSITY = 0.1
"""Below this share of ids seen, once the ranges overflow, the numbers are not a count of trades."""

MAX_ID = 2**62

MAX_SERIES = 8
"""Providers whose trade ids are remembered per instrument; further ones are not checked for repeats."""


class Verdict(Enum):
    NEW = "new"
    FILLS = "fills"
    """An id missing so far, or one so old that nobody remembers."""
    REPEAT = "repeat"
    RENUMBERED = "renumbered"
    """New, by numbers that begin anew: what came between the old and the new ones is not known."""


_NEW, _FILLS, _REPEAT = Verdict.NEW, Verdict.FILLS, Verdict.REPEAT


class SeenIdsState(Struct, frozen=True, array_like=True):
    next_id: int | None
    known_from: int
    dense: bool
    missing: tuple[tuple[int, int], ...]
    newest: int = 0
    old_until: int = 0
    suspect: tuple[int, int] | None = None


class SeenIds:
    """Ids of one provider's trades of one instrument.

    Everything before the first id counts as missing. Past MAX_RANGES the lowest range is forgotten:
    ids below `_known_from` are let in, because a trade lost is worse than one counted twice.

    `_newest`: the latest trade's time. `_old_until`: the same of the numbering before this one; what is not
    later belongs to that one and moves no mark.
    """

    __slots__ = ("_dense", "_known_from", "_missing", "_newest", "_next", "_old_until", "_suspect")

    def __init__(self) -> None:
        self._next: int | None = None
        self._known_from = 0
        self._dense = True
        self._missing: list[tuple[int, int]] = []
        self._newest = 0
        self._old_until = 0
        self._suspect: Suspect | None = None

    def admit(self, trade_id: str, ts: int = 0) -> Verdict:
        """Judge and remember. A REPEAT changes nothing; an id that is no number is always NEW.

        `ts`: the venue's time of the trade, ns UTC, as it was told; 0 proves nothing.
        """
        try:
            number = int(trade_id)
        except ValueError:
            return _NEW
        if number == self._next:
            self._next = number + 1
            if ts > self._newest:
                self._newest = ts
            return _NEW
        return self._admit_apart(number, ts)

    def begin_anew(self) -> None:
        """The feed knows that the numbering begins anew: whatever comes next is its first."""
        if self._next is not None:
            self._restart()
            self._next = None

    @property
    def missing(self) -> tuple[tuple[int, int], ...]:
        """Ranges (first, last) not seen, lowest first; one before the first id ever seen included."""
        return tuple(self._missing)

    def _admit_apart(self, number: int, ts: int) -> Verdict:
        if not self._dense or not 0 <= number <= MAX_ID:
            return _NEW
        if 0 < ts <= self._old_until:
            return _FILLS
        if self._next is None:
            self._next = 0
        if number >= self._next:
            self._jump(self._next, number)
            self._newest = max(self._newest, ts)
            return _NEW
        if is_after_all(ts, self._newest, fills=self._is_hole(number)):
            return self._suspected(number, ts)
        if number < self._known_from:
            return _FILLS
        return self._fill(number)

    def _suspected(self, number: int, ts: int) -> Verdict:
        """A number below the mark, of a trade after all others. A suspect that is no longer the latest of all
        was none: its numbering was not gone on with."""
        suspect = self._suspect
        if suspect is not None and is_later(suspect.ts, self._newest):
            if suspect == (number, ts):
                return _REPEAT
            if suspect.is_continued_by(number, ts):
                self._restart()
                self._jump(0, suspect.number)
                self._jump(suspect.number + 1, number)
                self._newest = ts
                return Verdict.RENUMBERED
        self._suspect = Suspect(number, ts)
        return _FILLS

    def _restart(self) -> None:
        self._old_until = self._newest
        self._suspect = None
        self._known_from = 0
        self._missing.clear()

    def _jump(self, expected: int, number: int) -> None:
        if number > expected:
            self._missing.append((expected, number - 1))
        self._next = number + 1
        self._bound()

    def _is_hole(self, number: int) -> bool:
        """Whether a number is missing between others; what lies before the first one ever seen is no hole."""
        index = bisect_left(self._missing, (number + 1,)) - 1
        return index >= 0 and self._missing[index][0] > 0 and number <= self._missing[index][1]

    def _fill(self, number: int) -> Verdict:
        missing = self._missing
        index = bisect_left(missing, (number + 1,)) - 1
        if index < 0 or number > missing[index][1]:
            return _REPEAT
        first, last = missing[index]
        rest = [(first, number - 1), (number + 1, last)]
        missing[index : index + 1] = [(low, high) for low, high in rest if low <= high]
        self._bound()
        return _FILLS

    def _bound(self) -> None:
        missing = self._missing
        if len(missing) <= MAX_RANGES:
            return
        if self._density() < MIN_DENSITY:
            self._dense = False
            self._next = None
            missing.clear()
            return
        self._known_from = missing.pop(0)[1] + 1

    def _density(self) -> float:
        """Share of ids seen above the lowest missing range (what came before the first id)."""
        lowest = self._missing[0][1] + 1
        span = (self._next or 0) - lowest
        lost = sum(last - first + 1 for first, last in self._missing[1:])
        return 1.0 - lost / span if span > 0 else 0.0

    def snapshot(self) -> SeenIdsState:
        return SeenIdsState(
            self._next,
            self._known_from,
            self._dense,
            tuple(self._missing),
            self._newest,
            self._old_until,
            self._suspect,
        )

    @classmethod
    def restored(cls, state: SeenIdsState) -> SeenIds:
        seen = cls()
        seen._next = state.next_id
        seen._known_from = state.known_from
        seen._dense = state.dense
        seen._missing = list(state.missing)
        seen._newest = state.newest
        seen._old_until = state.old_until
        seen._suspect = None if state.suspect is None else Suspect(*state.suspect)
        return seen


class SeenSeries:
    """Ids of one instrument's trades, by provider: each counts for itself."""

    __slots__ = ("_series",)

    def __init__(self) -> None:
        self._series: dict[str, SeenIds] = {}

    def admit(self, provider: str, trade_id: str, ts: int = 0) -> Verdict:
        """As `SeenIds.admit`."""
        seen = self._series.get(provider)
        return (self._begun(provider) if seen is None else seen).admit(trade_id, ts)

    def begin_anew(self, provider: str) -> None:
        """As `SeenIds.begin_anew`."""
        seen = self._series.get(provider)
        if seen is not None:
            seen.begin_anew()

    def _begun(self, provider: str) -> SeenIds:
        seen = SeenIds()
        if len(self._series) < MAX_SERIES:
            self._series[provider] = seen
        return seen

    def snapshot(self) -> tuple[tuple[str, SeenIdsState], ...]:
        """By provider."""
        return tuple((provider, seen.snapshot()) for provider, seen in sorted(self._series.items()))

    @classmethod
    def restored(cls, state: Iterable[tuple[str, SeenIdsState]]) -> SeenSeries:
        series = cls()
        series._series = {provider: SeenIds.restored(seen) for provider, seen in state}
        return series
