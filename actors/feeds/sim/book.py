"""The simulator's ladder of one instrument: integer ticks inside, levels and orders outside."""

from __future__ import annotations

import random

from actors.feeds.sim.catalog import SimInstrument
from domain.market.observations import Level

DEPTH = 25


class Ladder:
    """Resting size per tick on both sides around a mid; always DEPTH levels a side, never crossed.

    `move(mid)` re-centres and returns the changed levels; a call that changed any raises `sequence` by one.
    """

    def __init__(self, about: SimInstrument, mid: float, rng: random.Random) -> None:
        self._about = about
        self._rng = rng
        self._bids: dict[int, float] = {}
        self._asks: dict[int, float] = {}
        self._price_digits = about.price_precision
        self._size_digits = about.size_precision
        self.sequence = 0
        self.move(mid, 1)

    def move(self, mid: float, widen: int) -> tuple[list[Level], list[Level]]:
        """Centre on `mid` with the usual spread times `widen`; changed (bids, asks), size 0 deletes."""
        half = max(1, self._about.spread_ticks * widen // 2 + (self._rng.random() < 0.3))
        centre = round(mid / self._about.tick)
        best_bid = max(1, centre - half)
        bids = self._shift(self._bids, range(best_bid, max(0, best_bid - DEPTH), -1))
        asks = self._shift(self._asks, range(centre + half, centre + half + DEPTH))
        self.sequence += bool(bids or asks)
        return bids, asks

    def _shift(self, side: dict[int, float], wanted: range) -> list[Level]:
        gone = [tick for tick in side if tick not in wanted]
        for tick in gone:
            del side[tick]
        changed = [(self._price(tick), 0.0) for tick in gone]
        for tick in wanted:
            if tick not in side or self._rng.random() < 0.04:
                side[tick] = self._resting_size()
                changed.append((self._price(tick), side[tick]))
        return changed

    def take(self, *, buy: bool, size: float) -> tuple[float, list[Level]]:
        """An aggressor takes up to the best level's size: (price, changed levels of that side)."""
        side = self._asks if buy else self._bids
        tick = min(side) if buy else max(side)
        left = round(side[tick] - size, self._size_digits)
        if left <= 0:
            left = self._resting_size()
        side[tick] = left
        self.sequence += 1
        return self._price(tick), [(self._price(tick), left)]

    def best(self) -> tuple[Level, Level]:
        """((bid, size), (ask, size))"""
        bid, ask = max(self._bids), min(self._asks)
        return (self._price(bid), self._bids[bid]), (self._price(ask), self._asks[ask])

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Best first on both sides."""
        bids = tuple((self._price(tick), self._bids[tick]) for tick in sorted(self._bids, reverse=True))
        asks = tuple((self._price(tick), self._asks[tick]) for tick in sorted(self._asks))
        return bids, asks

    def _price(self, tick: int) -> float:
        return round(tick * self._about.tick, self._price_digits)

    def _resting_size(self) -> float:
        lots = max(1, round(self._about.typical_size * self._rng.lognormvariate(0.8, 0.9) / self._about.lot))
        return round(lots * self._about.lot, self._size_digits)
