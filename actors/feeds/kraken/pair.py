"""What a Kraken session knows about one pair beyond the common rules of a line: its proven book."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from actors.backoff import Backoff
from actors.feeds.base import Effects
from actors.feeds.kraken.checksum import TextBook
from actors.feeds.kraken.facts import BookText
from actors.feeds.line import Line
from actors.feeds.trade_ids import Range
from domain.clock import NS_PER_S
from domain.market.observations import BookSnapshot, Trade

DEPTHS = (10, 25, 100, 500, 1000)
"""The depths that Kraken offers."""
STABLE_NS = 60 * NS_PER_S
"""A book that held so long makes the next resynchronisation immediate again."""
RESYNC_BASE_S, RESYNC_CAP_S = 1.0, 60.0


def offered_depth(levels: int) -> int:
    """The smallest depth on offer with at least so many levels."""
    return next((depth for depth in DEPTHS if depth >= levels), DEPTHS[-1])


@dataclass(slots=True, kw_only=True)
class Pair(Line):
    """One pair. `depth`: levels a side, as acknowledged or asked for; None while unknown.

    `decimals`: of price and size, once the venue has told; `resync_at`: when to subscribe the book
    again.
    """

    backoff: Backoff
    depth: int | None = None
    decimals: tuple[int | None, int | None] = (None, None)
    book: TextBook | None = None
    synced_at: int = 0
    resync_at: int | None = None
    protocol: int = 2

    def take_book(self, message: BookText, now: int, effects: Effects) -> bool:
        """Apply a snapshot or a change; False where the venue's checksum disproves our book."""
        if message.snapshot:
            return self._take_whole(message, now, effects)
        if self.book is None:
            return True  # a change of a book that has no snapshot yet says nothing
        self.book.apply(message.bids, message.asks)
        if message.checksum is not None and not self.book.proves(message.checksum):
            return False
        effects.observations.append(message.observation())
        return True

    def _take_whole(self, message: BookText, now: int, effects: Effects) -> bool:
        depth = message.depth or self.depth or _depth_shown(message)
        decimals = self.decimals if message.protocol == 2 else (None, None)
        self.book = TextBook(depth, decimals)
        self.book.apply(message.bids, message.asks)
        if message.checksum is not None and not self.book.proves(message.checksum):
            return False
        self.synced_at, self.resync_at = now, None
        snapshot = msgspec.structs.replace(message, depth=depth).observation()
        if isinstance(snapshot, BookSnapshot):
            self.take_snapshot(snapshot, now, effects)
        return True

    def learn_decimals(self, price: int | None, size: int | None) -> None:
        self.decimals = price, size
        if self.book is not None and self.protocol == 2 and price is not None:
            self.book.learn_precision(price, size)

    def break_book(self, reason: str, now: int, effects: Effects) -> None:
        """Unusable from here on; a new snapshot is due at once, later the sooner it broke again."""
        self.book = None
        self.lose_book(reason, now, effects)
        if self.synced_at and now - self.synced_at > STABLE_NS:
            self.backoff.reset()
        self.synced_at = 0
        first = self.backoff.attempts == 0
        wait_s = self.backoff.next_s()
        self.resync_at = now if first else now + int(wait_s * NS_PER_S)

    def take_print(self, trade: Trade, now: int, effects: Effects) -> tuple[Range | None, int]:
        """Admit a live trade once; returns what it shows to be missing, and the time before the hole."""
        since = self.last_trade_at
        return self.take_trade(trade, now, effects), since


def _depth_shown(message: BookText) -> int | None:
    """A snapshot with exactly an offered number of levels is cut there; a thinner one says nothing."""
    levels = max(len(message.bids), len(message.asks))
    return levels if levels in DEPTHS else None
