"""The common frames the short way: a match, a ticker or a book change of a product in order.

The frame is decoded already; what is needed of the product is at hand by the venue's letters. Whatever is
not that simple is left untouched to the long way (`parse.py`, `market.py`), which decides, repairs and
explains: both give the same observations for the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from actors.feeds.base import Effects
from actors.feeds.coinbase.market import Market
from actors.feeds.coinbase.wire import PROVIDER, L2Update, Match, TickerFrame
from actors.feeds.scan import rfc3339_ns
from domain.errors import Malformed
from domain.market.observations import BookDelta, Level, Quote, Side, Ticker, Trade


def take_hot(frame: Any, market: Market, now: int) -> Effects | None:
    """What a frame that simply continues leads to; None, and nothing changed, where it does not."""
    try:
        return _TAKERS[type(frame)](frame, market, now)
    except Malformed:
        return None


def _match(frame: Match, market: Market, now: int) -> Effects | None:
    ts_event = rfc3339_ns(frame.time)
    if not market.ids.follow(frame.trade_id):
        return None
    side: Side = "sell" if frame.side == "buy" else "buy"
    trade = Trade(
        PROVIDER,
        market.instrument,
        ts_event,
        now,
        frame.price,
        frame.size,
        side,
        str(frame.trade_id),
    )
    return Effects([trade])


def _update(frame: L2Update, market: Market, now: int) -> Effects | None:
    if not market.book_ready:
        return None
    bids: list[Level] = []
    asks: list[Level] = []
    for side, price, size in frame.changes:
        (bids if side == "buy" else asks).append((price, size))
    ts_event = rfc3339_ns(frame.time)
    delta = BookDelta(PROVIDER, market.instrument, ts_event, now, tuple(bids), tuple(asks))
    return Effects([delta])


def _ticker(frame: TickerFrame, market: Market, now: int) -> Effects | None:
    bid, ask = frame.best_bid, frame.best_ask
    if not bid or not ask or frame.time is None:
        return None
    instrument, ts_event = market.instrument, rfc3339_ns(frame.time)
    quote = Quote(PROVIDER, instrument, ts_event, now, bid, frame.best_bid_size, ask, frame.best_ask_size)
    ticker = Ticker(
        PROVIDER,
        instrument,
        ts_event,
        now,
        frame.price,
        frame.open_24h,
        frame.high_24h,
        frame.low_24h,
        frame.volume_24h,
    )
    return Effects([quote, ticker])


_TAKERS: Mapping[type, Callable[[Any, Market, int], Effects | None]] = MappingProxyType(
    {Match: _match, L2Update: _update, TickerFrame: _ticker}
)
HOT_FRAMES = frozenset(_TAKERS)
