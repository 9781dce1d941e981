"""Kraken's WebSocket v2 frames and control messages as they are documented.

Source: docs.kraken.com/exchange/api-reference/spot-websocket-v2. Numbers of the book stay
raw, since its checksum is over the venue's own digits. Decode with `strict=False`: a number may also come
as text. Fields that nobody reads are left out; unknown ones are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from actors.feeds.absent import Maybe, MaybeId
from actors.feeds.scan import Amount, Price

TakerSide = Literal["buy", "sell"]
Update = Literal["snapshot", "update"]
Decimals = Annotated[int, Meta(ge=0, le=30)]


class RawLevel(Struct, gc=False):
    price: Raw
    qty: Raw


class BookRow(Struct):
    """`checksum` covers the book after this message; sizes of 0 delete."""

    symbol: str
    bids: list[RawLevel] | None = None
    asks: list[RawLevel] | None = None
    checksum: int | None = None
    timestamp: str | None = None


class TradeRow(Struct, gc=False):
    """`side` is the taker's; `trade_id` counts without holes per pair."""

    symbol: str
    side: TakerSide
    price: Price
    qty: Amount
    trade_id: MaybeId
    timestamp: str | None


class TickerRow(Struct, gc=False):
    """Over 24 hours. `change_pct` 0.24 means 0.24 %."""

    symbol: str
    last: Maybe
    bid: Maybe = None
    bid_qty: Maybe = None
    ask: Maybe = None
    ask_qty: Maybe = None
    volume: Maybe = None
    low: Maybe = None
    high: Maybe = None
    change_pct: float | Literal[""] | None = None
    timestamp: str | None = None


class OhlcRow(Struct, gc=False):
    """`interval` in minutes; a bar is repeated with each trade until the next one begins."""

    symbol: str
    interval: int
    interval_begin: str
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount
    vwap: Maybe = None
    trades: int | None = None


class PairRow(Struct):
    symbol: str
    base: str
    quote: str
    price_precision: Decimals
    qty_precision: Decimals
    status: str | None = "online"
    price_increment: Maybe = None
    qty_increment: Maybe = None


class Instruments(Struct):
    """Each pair is read by itself."""

    pairs: list[Raw]


class BookFrame(Struct, tag_field="channel", tag="book"):
    type: Update
    data: list[BookRow]


class TradeFrame(Struct, tag_field="channel", tag="trade"):
    type: Update
    data: list[TradeRow]


class TickerFrame(Struct, tag_field="channel", tag="ticker"):
    type: Update
    data: list[TickerRow]


class OhlcFrame(Struct, tag_field="channel", tag="ohlc"):
    type: Update
    data: list[OhlcRow]


class InstrumentFrame(Struct, tag_field="channel", tag="instrument"):
    type: Update
    data: Instruments


class HeartbeatFrame(Struct, tag_field="channel", tag="heartbeat"):
    """About once a second while nothing else is sent."""


class StatusFrame(Struct, tag_field="channel", tag="status"):
    """On connecting and whenever the trading engine's state changes. Nobody reads it."""


Frame = BookFrame | TradeFrame | TickerFrame | OhlcFrame | InstrumentFrame | HeartbeatFrame | StatusFrame
frames = msgspec.json.Decoder(Frame, strict=False)


class LooseFrame(Struct):
    """A frame of which at least one row is bad: its rows one by one."""

    channel: str
    type: Update
    data: list[Raw]


loose_frames = msgspec.json.Decoder(LooseFrame, strict=False)
ROWS: dict[str, type[Struct]] = {"book": BookRow, "trade": TradeRow, "ticker": TickerRow, "ohlc": OhlcRow}
CHANNELS = frozenset({*ROWS, "instrument", "heartbeat", "status"})


class AckResult(Struct):
    channel: str = ""
    symbol: str | None = None
    depth: int | None = None


class Answer(Struct):
    """The answer to a request: an acknowledgement, a pong, or an error."""

    method: str = ""
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    result: AckResult | None = None


answers = msgspec.json.Decoder(Answer, strict=False)
