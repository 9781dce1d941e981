"""Outside facts as received from a provider: frozen, one struct per kind.

Shared by all: `provider` who told us, `instrument` what it is about, `ts_event` the venue's clock and
`ts_recv` ours, both ns UTC. Prices are in quote currency per unit, sizes in base units, both float64
parsed once from the venue's text. Fields may be given by position only by the codec, which lists them
in this order; everybody else names them. New fields come last and have defaults.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

Side = Literal["buy", "sell"]
Level = tuple[float, float]
"""(price, size); size 0 deletes the price."""


class Trade(Struct, frozen=True, gc=False):
    """One executed print. `side` is the aggressor's; None where the venue does not say."""

    kind: ClassVar[str] = "trade"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    price: float
    size: float
    side: Side | None = None
    trade_id: str | None = None
    conditions: tuple[str, ...] = ()


class Quote(Struct, frozen=True, gc=False):
    """Best bid and ask. A missing side is None."""

    kind: ClassVar[str] = "quote"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


class Bar(Struct, frozen=True, gc=False):
    """OHLCV over [ts_event, ts_event + interval) as the provider built it.

    `volume`: NaN where the provider says none, as of currencies and indices; JSON has null for it.
    """

    kind: ClassVar[str] = "bar"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None = None
    vwap: float | None = None
    closed: bool = True
    adjusted: bool = False


class BookSnapshot(Struct, frozen=True, gc=False):
    """Full depth at a venue sequence (first, last); best level first on both sides."""

    kind: ClassVar[str] = "book_snapshot"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: tuple[int, int] | None = None
    prev_sequence: int | None = None
    checksum: int | None = None
    depth: int | None = None
    """Levels a side the venue keeps for this subscription; the book is cut to it after each change."""


class BookDelta(Struct, frozen=True, gc=False):
    """Changed levels; size 0 deletes. `sequence` = (first, last) update ids covered."""

    kind: ClassVar[str] = "book_delta"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: tuple[int, int] | None = None
    prev_sequence: int | None = None
    checksum: int | None = None


class BookOrder(Struct, frozen=True, gc=False):
    """One order of an L3 feed. `add` and `modify` carry the order's whole state, `delete` only its id."""

    kind: ClassVar[str] = "book_order"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    action: Literal["add", "modify", "delete"]
    order_id: str
    side: Side
    price: float
    size: float
    sequence: int | None = None


class Ticker(Struct, frozen=True, gc=False):
    """A venue's rolling 24 h summary. `change_pct` 5.0 means 5 %; `market_cap` in quote currency."""

    kind: ClassVar[str] = "ticker"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    last: float
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None
    quote_volume: float | None = None
    change_pct: float | None = None
    market_cap: float | None = None


class FxRate(Struct, frozen=True, gc=False):
    """Units of the pair's second currency for one of its first (`EUR-USD.FX`)."""

    kind: ClassVar[str] = "fx_rate"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    rate: float


class InstrumentInfo(Struct, frozen=True, gc=False):
    """What a venue says about an instrument. Precisions are decimals after the point."""

    kind: ClassVar[str] = "instrument"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    venue_symbol: str
    base: str | None = None
    quote: str | None = None
    asset_class: Literal["crypto", "equity", "fx", "future", "option", "index", "macro", "news"] = "crypto"
    price_precision: int | None = None
    size_precision: int | None = None
    tick_size: float | None = None
    lot_size: float | None = None
    status: Literal["trading", "halted", "closed"] = "trading"
    aliases: tuple[str, ...] = ()


class Gap(Struct, frozen=True, gc=False):
    """A feed knows that it missed something of `channel` (`trades`, `book`, `quotes`, `bars`; `feed`: all).

    `first` and `last` bound the missing venue ids (inclusive) where the venue numbers them.
    `opened` False says that a snapshot or a backfill has closed it.
    """

    kind: ClassVar[str] = "gap"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    channel: str
    reason: str
    first: int | None = None
    last: int | None = None
    opened: bool = True


class SplitAnnounced(Struct, frozen=True, gc=False):
    """`split_to` new shares for `split_from` old ones (4 and 1 for 4:1), traded from `effective` on, ns UTC.

    `ts_event`: when it was told; `effective` may lie before it or ahead. 1:1 withdraws what was told.
    """

    kind: ClassVar[str] = "split"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    effective: int
    split_from: float
    split_to: float


Observation = (
    Trade
    | Quote
    | Bar
    | BookSnapshot
    | BookDelta
    | BookOrder
    | Ticker
    | FxRate
    | InstrumentInfo
    | Gap
    | SplitAnnounced
)
