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
            if market is None or not data.time:
                return frame, now
            at = time_ns(data.time)
        except UNREADABLE:
            return frame, now
        if not at:
            return frame, now
        name = market.instrument
        if kind is Match:
            ids, trade_id = market.ids, data.trade_id
            if ids.high != trade_id - 1 or ids.gaps or market.trades_on != connection:
                return frame, now
            ids.high = trade_id
            if at > market.last_trade_at:
                market.last_trade_at = at
            side: Side = "sell" if data.side == "buy" else "buy"
            add(Trade(PROVIDER, name, at, now, data.price, data.size, side, str(trade_id)))
        elif kind is L2Update:
            if market.book_on != connection or not market.book_ready:
                return frame, now
            bids: list[Level] = []
            asks: list[Level] = []
            for maker, price, size in data.changes:
                if not price:
                    return frame, now
                (bids if maker == "buy" else asks).append((price, size))
            add(BookDelta(PROVIDER, name, at, now, tuple(bids), tuple(asks)))
        else:
            last, bid, ask, volume = data.price, data.best_bid, data.best_ask, data.volume_24h
            if not last or not bid or not ask or not volume or market.quotes_on != connection:
                return frame, now
            bid_size, ask_size = data.best_bid_size or None, data.best_ask_size or None
            add(Quote(PROVIDER, name, at, now, bid, bid_size, ask, ask_size))
            first, high, low = data.open_24h or None, data.high_24h or None, data.low_24h or None
            add(Ticker(PROVIDER, name, at, now, last, first, high, low, volume))
    return None
