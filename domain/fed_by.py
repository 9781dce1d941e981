"""Which feeds bring one instrument's events, and which of them what is of record.

    a feed's event is recorded        the feed is one of the instrument's from then on
    it is of the source of record     the feed brings that kind, as does every other that did so since the
                                      source last changed

So whatever is asked of one feed (a gap where it begins again, a new snapshot of the book) is asked of the
right one, whoever spoke last. Two feeds may bring one provider (a recording beside the live feed).

Time is told by the feeds that bring the trades (where there are none the quotes, else by all): by their
clocks bars close and silence is noticed. Any other feed's clock counts `WITNESS_WAIT_NS` later: until then
the instrument's own feed may be behind, after that it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.clock import NS_PER_S
from domain.market.sources import Kind

MAX_FEEDS = 16
"""Feeds remembered of an instrument. One more, and the first of those that would be missed least goes."""
WITNESS_WAIT_NS = 10 * NS_PER_S
"""Beyond the clocks of two machines that are set right (5 s), and a feed's backlog in passing."""

KINDS: tuple[Kind, ...] = ("trade", "book", "quote", "ticker")
BITS: Mapping[Kind, int] = {"trade": 1, "book": 2, "quote": 4, "ticker": 8}
FedByState = tuple[tuple[str, int], ...]
"""(feed, bits of the kinds that it brings of record), in the order of their coming."""


class Timekeepers(NamedTuple):
    """Feeds by whose clocks timers run: `own` at once, `others` after WITNESS_WAIT_NS."""

    own: tuple[str, ...]
    others: tuple[str, ...]


class FedBy:
    """`names`: the feeds in the order of their coming. `trades`, `books`, `quotes`, `tickers`: those that
    bring what is of record of a kind, with its source. All are for reading."""

    __slots__ = ("_brings", "books", "names", "quotes", "tickers", "trades")

    def __init__(self, state: FedByState = (), sources: Mapping[Kind, str] | None = None) -> None:
        """`sources`: the provider of record of each kind that a feed brings."""
        self.names: dict[str, None] = dict.fromkeys(name for name, _ in state)
        self._brings: dict[Kind, dict[str, str]] = {
            kind: {name: (sources or {})[kind] for name, bits in state if bits & BITS[kind]} for kind in KINDS
        }
        self.trades: Mapping[str, str] = self._brings["trade"]
        self.books: Mapping[str, str] = self._brings["book"]
        self.quotes: Mapping[str, str] = self._brings["quote"]
        self.tickers: Mapping[str, str] = self._brings["ticker"]

    def join(self, feed: str) -> bool:
        """An event of the feed is recorded. Whether it is new here."""
        if feed in self.names:
            return False
        if len(self.names) >= MAX_FEEDS:
            self._forget(min(self.names, key=self._worth))
        self.names[feed] = None
        return True

    def brought(self, kind: Kind, feed: str, source: str) -> bool:
        """An event of the source of record of its kind. Whether anything has changed by it."""
        known = self._brings[kind]
        if known.get(feed) == source:
            return False
        for name in [name for name, of in known.items() if of != source]:
            del known[name]
        self.join(feed)
        known[feed] = source
        return True

    def brings(self, kind: Kind, feed: str) -> bool:
        """Whether the feed has brought what is of record, from its present source."""
        return feed in self._brings[kind]

    def bringing(self, kind: Kind) -> Iterable[str]:
        """The feeds that bring a kind, in the order in which they began to."""
        return self._brings[kind]

    def timekeepers(self) -> Timekeepers:
        own = self._own()
        return Timekeepers(tuple(own), tuple(name for name in self.names if name not in own))

    def wait_ns(self, feed: str) -> int:
        """By how much later than the instrument's own feeds this one's clock counts."""
        return 0 if feed in self._own() else WITNESS_WAIT_NS

    def snapshot(self) -> FedByState:
        return tuple((name, self._bits(name)) for name in self.names)

    def _own(self) -> Mapping[str, str | None]:
        return self.trades or self.quotes or self.names

    def _bits(self, feed: str) -> int:
        return sum(BITS[kind] for kind in KINDS if feed in self._brings[kind])

    def _worth(self, feed: str) -> int:
        """What would be missed without it: bars and books, then last values, then nothing of record."""
        bits = self._bits(feed)
        return 2 if bits & (BITS["trade"] | BITS["book"]) else int(bits > 0)

    def _forget(self, feed: str) -> None:
        del self.names[feed]
        for known in self._brings.values():
            known.pop(feed, None)
