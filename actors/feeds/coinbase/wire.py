"""Coinbase Exchange's frames and REST bodies as they are documented.

Source: docs.cdp.coinbase.com/exchange/websocket-feed/channels and .../api-reference/exchange-api.
Decode with `strict=False`: numbers arrive as text, and as numbers in some bodies. Fields
that nobody reads are left out; unknown ones are ignored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from actors.feeds.scan import Amount, Price
from domain.ids import make_instrument_id

PROVIDER = "coinbase"
VENUE = "COINBASE"
TradeId = Annotated[int, Meta(ge=0)]
MakerSide = Literal["buy", "sell"]
"""The side of the resting order: a `buy` was hit by a seller."""


@lru_cache(maxsize=8192)
def instrument_of(product_id: str) -> str:
    """`BTC-USD` -> `BTC-USD.COINBASE`. Raises Malformed."""
    return make_instrument_id(product_id, VENUE)


class Match(Struct, tag_field="type", tag="match", gc=False):
    product_id: str
    trade_id: TradeId
    side: MakerSide
    price: Price
    size: Amount
    time: str


class LastMatch(Match, tag="last_match"):
    """The newest trade before the subscription; sent once, first."""


class L2Snapshot(Struct, tag_field="type", tag="snapshot"):
    """The whole book. `time` is documented for newer servers only."""

    product_id: str
    bids: list[tuple[Price, Amount]]
    asks: list[tuple[Price, Amount]]
    time: str | None = None


class L2Update(Struct, tag_field="type", tag="l2update", gc=False):
    """`changes`: (side, price, new size); size 0 deletes."""

    product_id: str
    changes: tuple[tuple[MakerSide, Price, Amount], ...]
    time: str


class TickerFrame(Struct, tag_field="type", tag="ticker", gc=False):
    """Sent with every match; on subscription once without `trade_id`."""

    product_id: str
    price: Amount
    time: str | None = None
    open_24h: Amount | None = None
    high_24h: Amount | None = None
    low_24h: Amount | None = None
    volume_24h: Amount | None = None
    best_bid: Amount | None = None
    best_bid_size: Amount | None = None
    best_ask: Amount | None = None
    best_ask_size: Amount | None = None


class Heartbeat(Struct, tag_field="type", tag="heartbeat", gc=False):
    """Once a second per product."""

    product_id: str
    last_trade_id: TradeId
    time: str


class Channel(Struct):
    name: str
    product_ids: list[str] = []


class Subscriptions(Struct, tag_field="type", tag="subscriptions"):
    """The state after a (un)subscribe: everything that is subscribed now."""

    channels: list[Channel | str] = []


class ErrorFrame(Struct, tag_field="type", tag="error"):
    message: str = ""
    reason: str = ""


class Product(Struct):
    id: str
    base_currency: str
    quote_currency: str
    quote_increment: str | float
    base_increment: str | float | None = None
    status: str = "online"
    trading_disabled: bool = False
    cancel_only: bool = False


class StatusFrame(Struct, tag_field="type", tag="status"):
    """All products, on a timer."""

    products: list[Product] = []


Frame = (
    Match
    | LastMatch
    | L2Snapshot
    | L2Update
    | TickerFrame
    | Heartbeat
    | Subscriptions
    | ErrorFrame
    | StatusFrame
)
FRAME_TYPES = frozenset(
    {
        "match",
        "last_match",
        "snapshot",
        "l2update",
        "ticker",
        "heartbeat",
        "subscriptions",
        "error",
        "status",
    }
)
frames = msgspec.json.Decoder(Frame, strict=False)


class TradeRow(Struct):
    """A row of GET /products/{id}/trades, newest first."""

    trade_id: TradeId
    side: MakerSide
    price: Price
    size: Amount
    time: str


class BookBody(Struct):
    """GET /products/{id}/book?level=2: rows are (price, size, number of orders)."""

    bids: list[tuple[Price, Amount, int]]
    asks: list[tuple[Price, Amount, int]]
    sequence: int | None = None
    time: str | None = None


class TickerBody(Struct):
    """GET /products/{id}/ticker: `price` and `size` of the last trade."""

    price: Amount
    time: str
    bid: Amount | None = None
    ask: Amount | None = None
    volume: Amount | None = None


class StatsBody(Struct):
    """GET /products/{id}/stats, over 24 hours."""

    last: Amount
    open: Amount
    high: Amount
    low: Amount
    volume: Amount


CandleRow = tuple[int, Price, Price, Price, Price, Amount]
"""A row of GET /products/{id}/candles, newest first: start in s, low, high, open, close, volume."""
