"""The common frames the short way: a match, a ticker or a book change of a product in order.

A run of frames is folded in one flat loop; what is needed of the product is at hand by the venue's
letters. Whatever is not that simple is left untouched to the long way (`parse.py`, `market.py`), which
decides, repairs and explains: both give the same observations for the same frames. The loop is written
out, since calls are most of what a frame costs (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from actors.feeds.base import Received
from actors.feeds.coinbase.market import Market
from actors.feeds.coinbase.parse import UNREADABLE
from actors.feeds.coinbase.wire import PROVIDER, L2Update, Match, TickerFrame, frames
from actors.feeds.scan import rfc3339_ns
from domain.market.observations import BookDelta, Level, Observation, Quote, Side, Ticker, Trade

_decode = frames.decode


def take_run(
    run: Iterator[Received], connection: int, markets: Mapping[str, Market], observations: list[Observation]
) -> Received | None:
    """Takes frames that simply continue, up to the first that does not: that one, or None at the end.

    Nothing has changed by the frame that is given back.
    """
    decode, time_ns, add = _decode, rfc3339_ns, observations.append
    for frame, now in run:
        if type(frame) is not str:
            return frame, now
        try:
            data = decode(frame)
            kind = type(data)
            if kind is not Match and kind is not TickerFrame and kind is not L2Update:
                return frame, now
            market = markets.get(data.product_id)
            if market is None or market.connection != connection or market.waits:
                return frame, now
            if data.time is None:
                return frame, now
            at = time_ns(data.time)
        except UNREADABLE:
            return frame, now
        name = market.instrument
        if kind is Match:
            ids, trade_id = market.ids, data.trade_id
            if ids.high != trade_id - 1 or ids.gaps:
                return frame, now
            ids.high = trade_id
            side: Side = "sell" if data.side == "buy" else "buy"
            add(Trade(PROVIDER, name, at, now, data.price, data.size, side, str(trade_id)))
        elif kind is L2Update:
            if not market.book_ready:
                return frame, now
            bids: list[Level] = []
            asks: list[Level] = []
            for maker, price, size in data.changes:
                (bids if maker == "buy" else asks).append((price, size))
            add(BookDelta(PROVIDER, name, at, now, tuple(bids), tuple(asks)))
        else:
            bid, ask = data.best_bid, data.best_ask
            if not bid or not ask:
                return frame, now
            add(Quote(PROVIDER, name, at, now, bid, data.best_bid_size, ask, data.best_ask_size))
            first, high, low, volume = data.open_24h, data.high_24h, data.low_24h, data.volume_24h
            add(Ticker(PROVIDER, name, at, now, data.price, first, high, low, volume))
    return None
