"""What the simulated venue says about one instrument at one moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from actors.feeds.sim.line import Line
from actors.feeds.sim.orders import OrderChange
from domain.clock import NS_PER_MS
from domain.market.observations import (
    BookDelta,
    BookOrder,
    BookSnapshot,
    Gap,
    Level,
    Observation,
    Quote,
    Side,
    Ticker,
    Trade,
)

FEED_DELAY_NS = 2 * NS_PER_MS
WHALE_CHANCE = 0.002


class Speaker:
    """Says as a provider what a line does at a moment; `scale` multiplies every price (a split)."""

    def __init__(self, line: Line, provider: str, now: int, scale: float) -> None:
        self._line = line
        self._scale = scale
        self._provider = provider
        self._instrument = line.about.instrument
        self._ts_event = now
        self._ts_recv = now + FEED_DELAY_NS

    def quote(self) -> Quote:
        (bid, bid_size), (ask, ask_size) = self._line.ladder.best()
        return Quote(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._scaled(bid, math.floor), bid_size, self._scaled(ask, math.ceil), ask_size,
        )  # fmt: skip

    def book(self) -> list[Observation]:
        """The whole book: its levels, or none and then every order."""
        line = self._line
        bids, asks = line.ladder.levels() if line.orders is None else ((), ())
        sequence = line.ladder.sequence
        snapshot = BookSnapshot(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._levels(bids, math.floor), self._levels(asks, math.ceil), (sequence, sequence),
        )  # fmt: skip
        return [snapshot, *map(self._order, line.orders.all() if line.orders is not None else ())]

    def change(
        self, bids: Sequence[Level], asks: Sequence[Level], *, executed: bool = False
    ) -> list[Observation]:
        """Changed levels, or what happened to their orders. To be asked for even if nobody is told."""
        line = self._line
        if line.orders is not None:
            return [self._order(each) for each in line.orders.follow(bids, asks, executed=executed)]
        if not bids and not asks:
            return []
        sequence = line.ladder.sequence
        delta = BookDelta(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._levels(bids, math.floor), self._levels(asks, math.ceil), (sequence, sequence), sequence - 1,
        )  # fmt: skip
        return [delta]

    def _order(self, change: OrderChange) -> BookOrder:
        price = self._scaled(change.price, math.floor if change.side == "buy" else math.ceil)
        return BookOrder(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            change.action, change.order_id, change.side, price, change.size, self._line.ladder.sequence,
        )  # fmt: skip

    def trade(self, *, sells: bool) -> tuple[Trade, list[Observation]]:
        """An aggressor at the best price, and what it changed in the book."""
        line = self._line
        side: Side = line.last_side if line.rng.random() < 0.65 else line.rng.choice(("buy", "sell"))
        if sells and line.rng.random() < 0.8:
            side = "sell"
        line.last_side = side
        price, changed = line.ladder.take(buy=side == "buy", size=(size := self._size()))
        bids, asks = ([], changed) if side == "buy" else (changed, [])
        return self.print_at(price, size, side), self.change(bids, asks, executed=True)

    def print_at(self, price: float, size: float, side: Side) -> Trade:
        line = self._line
        line.trade_id += 1
        line.day_volume += size
        line.day_high, line.day_low = max(line.day_high, price), min(line.day_low, price)
        return Trade(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            self._price(price), size, side, str(line.trade_id),
        )  # fmt: skip

    def slipped(self, trade: Trade, factor: float, *, size_factor: float = 1.0) -> Trade:
        return Trade(
            trade.provider, trade.instrument, trade.ts_event, trade.ts_recv,
            round(trade.price * factor, self._line.about.price_precision),
            round(trade.size * size_factor, self._line.about.size_precision),
            trade.side, trade.trade_id,
        )  # fmt: skip

    def ticker(self) -> Ticker:
        line = self._line
        last = self._price(line.mid)
        opened = self._price(line.day_open)
        return Ticker(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            last=last, open=opened, high=self._price(line.day_high), low=self._price(line.day_low),
            volume=round(line.day_volume, line.about.size_precision),
            change_pct=round((last / opened - 1) * 100, 4),
        )  # fmt: skip

    def gap(
        self, reason: str, first: int | None = None, last: int | None = None, *, opened: bool = True
    ) -> Gap:
        """Of the book."""
        self._line.gap_open = opened
        return Gap(
            self._provider, self._instrument, self._ts_event, self._ts_recv,
            "book", reason, first, last, opened,
        )  # fmt: skip

    def _size(self) -> float:
        about, rng = self._line.about, self._line.rng
        size = about.typical_size * rng.lognormvariate(-0.6, 1.0)
        if rng.random() < WHALE_CHANCE:
            size *= 25
        return round(max(1, round(size / about.lot)) * about.lot, about.size_precision)

    def _price(self, price: float) -> float:
        return round(price * self._scale, self._line.about.price_precision)

    def _levels(self, levels: Sequence[Level], towards: Callable[[float], int]) -> tuple[Level, ...]:
        if self._scale == 1.0:
            return tuple(levels)
        return tuple((self._scaled(price, towards), size) for price, size in levels)

    def _scaled(self, price: float, towards: Callable[[float], int]) -> float:
        """Bids down and asks up to the next tick: a scaled book must not lock itself."""
        if self._scale == 1.0:
            return price
        about = self._line.about
        return round(towards(price * self._scale / about.tick) * about.tick, about.price_precision)
