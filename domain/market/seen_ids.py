"""Which trades have been seen already, by the venue's own numbers.

A high-water mark plus the missing ranges below it: a repeat is recognised, a backfilled trade is let
in. Only dense numbers can tell; a series that turns out not to be dense is no longer judged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

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


_NEW, _FILLS, _REPEAT = Verdict.NEW, Verdict.FILLS, Verdict.REPEAT


class SeenIdsState(Struct, frozen=True, array_like=True):
    next_id: int | None
    known_from: int
    dense: bool
    missing: tuple[tuple[int, int], ...]


class SeenIds:
    """Ids of one provider's trades of one instrument.

    Everything before the first id counts as missing. Past MAX_RANGES the lowest range is forgotten:
    ids below `_known_from` are let in, because a trade lost is worse than one counted twice.
    """

    __slots__ = ("_dense", "_known_from", "_missing", "_next")

    def __init__(self) -> None:
        self._next: int | None = None
        self._known_from = 0
        self._dense = True
        self._missing: list[tuple[int, int]] = []

    def admit(self, trade_id: str) -> Verdict:
        """Judge and remember. A REPEAT changes nothing; an id that is no number is always NEW."""
        try:
            number = int(trade_id)
        except ValueError:
            return _NEW
        if number == self._next:
            self._next = number + 1
            return _NEW
        return self._admit_apart(number)

    @property
    def missing(self) -> tuple[tuple[int, int], ...]:
        """Ranges (first, last) not seen, lowest first; one before the first id ever seen included."""
        return tuple(self._missing)

    def _admit_apart(self, number: int) -> Verdict:
        if not self._dense or not 0 <= number <= MAX_ID:
            return _NEW
        if self._next is None:
            self._next = 0
        if number >= self._next:
            self._jump(self._next, number)
            return _NEW
        if number < self._known_from:
            return _FILLS
        return self._fill(number)

    def _jump(self, expected: int, number: int) -> None:
        if number > expected:
            self._missing.append((expected, number - 1))
        self._next = number + 1
        self._bound()

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
        return SeenIdsState(self._next, self._known_from, self._dense, tuple(self._missing))

    @classmethod
    def restored(cls, state: SeenIdsState) -> SeenIds:
        seen = cls()
        seen._next = state.next_id
        seen._known_from = state.known_from
        seen._dense = state.dense
        seen._missing = list(state.missing)
        return seen


class SeenSeries:
    """Ids of one instrument's trades, by provider: each counts for itself."""

    __slots__ = ("_series",)

    def __init__(self) -> None:
        self._series: dict[str, SeenIds] = {}

    def admit(self, provider: str, trade_id: str) -> Verdict:
        """As `SeenIds.admit`."""
        seen = self._series.get(provider)
        return (self._begun(provider) if seen is None else seen).admit(trade_id)

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
