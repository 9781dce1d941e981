"""One source of record per instrument and kind: whose trades, book, quotes and tickers count.

The provider that told first is the source. What another tells of the same is let go (trades, books) or
kept as a fact without effect (quotes, tickers), or volume would be counted twice. A source that has told
nothing for its patience gives way to the first other one that speaks: a SourceChanged event.

    patience    SOURCE_SILENCE_NS; twice as long after each change, up to MOST_PATIENCE_NS;
                SOURCE_SILENCE_NS again once the connection of the source is lost

So two healthy providers of an instrument that says little do not take the record in turns, which would
taint its bars and break its book each time, while one that is known to be lost is not waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from domain.clock import NS_PER_S

SOURCE_SILENCE_NS = 60 * NS_PER_S
"""Feeds that lose a socket are back within seconds, their trades backfilled; a longer loss is for good."""
MOST_PATIENCE_NS = 64 * SOURCE_SILENCE_NS
"""About an hour. What is silent for longer has a source that does not matter."""

Kind = Literal["trade", "book", "quote", "ticker"]


class Patience:
    """Of one instrument with its sources, by kind; those not named have SOURCE_SILENCE_NS."""

    __slots__ = ("_ns",)

    def __init__(self, ns: Iterable[tuple[str, int]] = ()) -> None:
        self._ns = dict(ns)

    def is_over(self, kind: Kind, ts: int, heard_at: int) -> bool:
        """Whether an event of another provider makes it the source. `heard_at`: the source's newest time."""
        return ts >= heard_at + self._ns.get(kind, SOURCE_SILENCE_NS)

    def changed(self, kind: Kind) -> None:
        """Another provider is the source now: the old one may have been quiet only."""
        self._ns[kind] = min(2 * self._ns.get(kind, SOURCE_SILENCE_NS), MOST_PATIENCE_NS)

    def lost(self, *kinds: Kind) -> None:
        """Their source has lost its connection, or its book."""
        for kind in kinds:
            self._ns.pop(kind, None)

    def snapshot(self) -> tuple[tuple[str, int], ...]:
        return tuple(sorted(self._ns.items()))
