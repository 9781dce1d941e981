"""What the actors answer to the serving side. Every answer about state names its place in the log."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from domain.envelope import Recorded
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.observations import InstrumentInfo, Level, Quote, Ticker, Trade
from domain.market.order_queue import OrderQueueState
from domain.market.reference_price import Reference
from domain.market.splits import Split

Place = tuple[str, int]
"""(partition, offset): the state includes every event up to it and is durable."""
MAX_EVENTS = 10_000
"""In one answer of a Reader; who asks for more gets so many, and asks again after the last."""


class LastAnswer(Struct, frozen=True):
    instrument: str
    trade: Trade | None
    quote: Quote | None
    ticker: Ticker | None
    place: Place
    reference: Reference | None = None
    """What the providers of a reference instrument agree on; None elsewhere."""
    recorded: tuple[int, int] | None = None
    """(offset, recorded time in ns) of the trade; None where the shard no longer has it in memory."""


class BookAnswer(Struct, frozen=True):
    """Best first, at most `depth` levels a side; both empty while not usable."""

    instrument: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int | None
    usable: bool
    ts_event: int
    place: Place
    figures: dict[str, float | None] = {}
    venue_depth: int | None = None
    """Levels a side the venue keeps; who applies deltas cuts the book to it after each one."""
    provider: str | None = None
    """Whom the book is taken from; None before its first snapshot."""
    by_order: bool = False
    """The venue publishes orders (L3); the levels are summed over them."""


class OrdersAnswer(Struct, frozen=True):
    """A book by order (L3), whole; not usable where it is kept by level."""

    instrument: str
    orders: OrderQueueState
    provider: str
    place: Place


class BarRow(Struct, frozen=True, array_like=True):
    """A bar at its newest revision. `closed` False: still forming, provisional. Times in ns UTC."""

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
    trades: int
    vwap: float | None
    closed: bool
    adjusted: bool
    revision: int
    tainted: bool = False


class HeldBars(Struct, frozen=True):
    """The bars of some intervals that a keeper holds, by interval, and its splits, those to come as well."""

    bars: dict[str, Sequence[BarRow]]
    splits: tuple[Split, ...]
    place: Place


class Page(Struct, frozen=True):
    """`next_page` None: there is no more."""

    items: Sequence[object]
    next_page: str | None
    place: Place


class StateAnswer(Struct, frozen=True):
    """Everything a keeper knows about an instrument at a place in the log."""

    instrument: str
    at: int
    last: LastAnswer
    book: BookAnswer
    forming: tuple[BarRow, ...]
    bars: tuple[BarRow, ...]
    flow: dict[str, float | int | str | None]
    gaps_open: tuple[str, ...]
    place: Place
    indicators: dict[str, tuple[int | None, float | None]] = {}
    """Kept up in the fold: `spec@interval` -> (start of its newest bar, value there)."""
    splits: tuple[Split, ...] = ()
    """All that were announced and stand, oldest first."""


class FeedStatus(Struct, frozen=True):
    provider: str
    state: str
    """`starting connected degraded lost stopped`"""
    instruments: int
    last_frame: int | None
    gaps: int
    incarnation: int
    connections: int
    frames: int
    rejected: int
    buffered: int
    silent: tuple[str, ...] = ()
    """Kinds of stream that were subscribed and say nothing: `trades on connection 1`."""


class PollReply(Struct, frozen=True):
    """Durable events after the caller's offsets, per partition in order.

    `behind` lists partitions whose memory no longer reaches back to the caller's offset, with the
    offset up to which the log must be read instead. `epochs` lets a caller ignore a stale owner.
    """

    events: dict[str, list[Recorded]]
    behind: dict[str, int]
    epochs: dict[str, int]


BarEvent = BarClosed | BarCorrected
Info = InstrumentInfo
