"""Coinbase Exchange's frames and REST bodies as they are documented.

Source: docs.cdp.coinbase.com/exchange/websocket-feed/channels and .../api-reference/exchange-api.
Decode with `strict=False`: numbers arrive as text, and as numbers in some bodies. Fields
that nobody reads are left out; unknown ones are ignored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from actors.feeds.absent import Maybe, MaybeId
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
    time: str | None


class LastMatch(Match, tag="last_match"):
    """The newest trade before the subscription; sent once, first."""


class L2Snapshot(Struct, tag_field="type", tag="snapshot"):
    """The whole book. `time` is documented for newer servers only."""

    product_id: str
    bids: list[tuple[Amount, Amount]]
    asks: list[tuple[Amount, Amount]]
    time: str | None = None


class L2Update(Struct, tag_field="type", tag="l2update", gc=False):
    """`changes`: (side, price, new size); size 0 deletes."""

    product_id: str
    changes: tuple[tuple[MakerSide, Amount, Amount], ...]
    time: str | None


class TickerFrame(Struct, tag_field="type", tag="ticker", gc=False):
    """Sent with every match; on subscription once without `trade_id`. A pair that never traded has zeros."""

    product_id: str
    price: Maybe
    time: str | None = None
    open_24h: Maybe = None
    high_24h: Maybe = None
    low_24h: Maybe = None
    volume_24h: Maybe = None
    best_bid: Maybe = None
    best_bid_size: Maybe = None
    best_ask: Maybe = None
    best_ask_size: Maybe = None


class Heartbeat(Struct, tag_field="type", tag="heartbeat", gc=False):
    """Once a second per product. `last_trade_id` is 0 before the first trade."""

    product_id: str
    last_trade_id: MaybeId
    time: str | None = None


class Subscriptions(Struct, tag_field="type", tag="subscriptions"):
    """The state after a (un)subscribe: everything that is subscribed now. Nobody reads it."""


class ErrorFrame(Struct, tag_field="type", tag="error"):
    message: str | None = ""
    reason: str | None = ""


class Product(Struct):
    """`post_only`: an opening auction collects orders, none is matched; `limit_only` trades."""

    id: str
    base_currency: str
    quote_currency: str
    quote_increment: str | float
    base_increment: str | float | None = None
    status: str | None = "online"
    trading_disabled: bool | None = False
    cancel_only: bool | None = False
    post_only: bool | None = False


class StatusFrame(Struct, tag_field="type", tag="status"):
    """All products, on a timer; each is read by itself."""

    products: list[Raw] = []


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
    """GET /products/{id}/book of level 1 and 2: rows are (price, size, number of orders)."""

    bids: list[tuple[Amount, Amount, int]]
    asks: list[tuple[Amount, Amount, int]]
    sequence: int | Literal[""] | None = None
    time: str | None = None


class TickerBody(Struct):
    """GET /products/{id}/ticker: `price` and `size` of the last trade."""

    price: Maybe
    time: str | None
    bid: Maybe = None
    ask: Maybe = None
    volume: Maybe = None


class StatsBody(Struct):
    """GET /products/{id}/stats, over 24 hours."""

    last: Maybe
    open: Maybe
    high: Maybe = None
    low: Maybe = None
    volume: Maybe = None


CandleRow = tuple[int, Amount, Amount, Amount, Amount, Amount]
"""A row of GET /products/{id}/candles, newest first: start in s, low, high, open, close, volume."""
