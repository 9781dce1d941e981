"""Market events as frames: the fields of INTERFACES.md section 5 plus `offset` and `prev`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import UNSET, Struct, field

from deployments.ws.event_frame import Builder, EventFrame, MaybeFrom, Shared, ToTime
from domain.clock import format_time
from domain.market.decisions import BarClosed, BarCorrected, BookBroken, BookRestored, SourceChanged
from domain.market.observations import (
    Bar,
    BookDelta,
    BookSnapshot,
    Gap,
    InstrumentInfo,
    Level,
    Quote,
    SplitAnnounced,
    Ticker,
    Trade,
)

Sequence = tuple[int, int] | None


class TradeFrame(EventFrame, frozen=True, gc=False, tag="trade"):
    price: float
    size: float
    side: str | None
    trade_id: str | None
    conditions: tuple[str, ...]


class QuoteFrame(EventFrame, frozen=True, gc=False, tag="quote"):
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class TickerFrame(EventFrame, frozen=True, gc=False, tag="ticker"):
    last: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    quote_volume: float | None
    change_pct: float | None
    market_cap: float | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class BarFrame(EventFrame, frozen=True, gc=False, tag="bar"):
    """`provisional` True: still forming; no offset, never resumed."""

    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None
    vwap: float | None
    closed: bool
    adjusted: bool
    revision: int
    tainted: bool
    provisional: bool


class SnapshotFrame(EventFrame, frozen=True, gc=False, tag="book_snapshot"):
    """Replaces the whole book. `depth`: cut the book to so many levels a side after every change."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: Sequence
    prev_sequence: int | None
    checksum: int | None
    depth: int | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class BookFrame(EventFrame, frozen=True, gc=False, tag="book"):
    """Changed levels, size 0 deletes. `from`: the first offset of those merged into it."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: Sequence
    prev_sequence: int | None
    checksum: int | None
    from_: MaybeFrom = field(name="from", default=UNSET)


class StatusFrame(EventFrame, frozen=True, gc=False, tag="status"):
    """`state`: `trading halted closed gap_opened gap_closed book_broken book_restored split_announced
    source_changed`; `channel` of the last one is the kind."""

    state: str
    channel: str | None
    reason: str | None


def _trade(shared: Shared, event: Trade, from_: MaybeFrom, time: ToTime) -> Struct:
    return TradeFrame(*shared, event.price, event.size, event.side, event.trade_id, event.conditions)


def _quote(shared: Shared, event: Quote, from_: MaybeFrom, time: ToTime) -> Struct:
    return QuoteFrame(*shared, event.bid, event.bid_size, event.ask, event.ask_size, from_)


def _ticker(shared: Shared, event: Ticker, from_: MaybeFrom, time: ToTime) -> Struct:
    return TickerFrame(
        *shared,
        event.last,
        event.open,
        event.high,
        event.low,
        event.volume,
        event.quote_volume,
        event.change_pct,
        event.market_cap,
        from_,
    )


def _bar(shared: Shared, event: BarClosed | BarCorrected | Bar, from_: MaybeFrom, time: ToTime) -> Struct:
    # What a provider built has no revision; what we built is never adjusted.
    adjusted = event.adjusted if isinstance(event, Bar) else False
    revision, tainted = (0, False) if isinstance(event, Bar) else (event.revision, event.tainted)
    return BarFrame(
        *shared,
        event.interval,
        event.open,
        event.high,
        event.low,
        event.close,
        event.volume,
        event.trades,
        event.vwap,
        True,
        adjusted,
        revision,
        tainted,
        False,
    )


def _snapshot(shared: Shared, event: BookSnapshot, from_: MaybeFrom, time: ToTime) -> Struct:
    return SnapshotFrame(
        *shared,
        event.bids,
        event.asks,
        event.sequence,
        event.prev_sequence,
        event.checksum,
        event.depth,
        from_,
    )


def _delta(shared: Shared, event: BookDelta, from_: MaybeFrom, time: ToTime) -> Struct:
    return BookFrame(
        *shared, event.bids, event.asks, event.sequence, event.prev_sequence, event.checksum, from_
    )


def _info(shared: Shared, event: InstrumentInfo, from_: MaybeFrom, time: ToTime) -> Struct:
    return StatusFrame(*shared, event.status, None, None)


def _gap(shared: Shared, event: Gap, from_: MaybeFrom, time: ToTime) -> Struct:
    return StatusFrame(*shared, "gap_opened" if event.opened else "gap_closed", event.channel, event.reason)


def _broken(shared: Shared, event: BookBroken, from_: MaybeFrom, time: ToTime) -> Struct:
    return StatusFrame(*shared, "book_broken", "book", event.reason)


def _source(shared: Shared, event: SourceChanged, from_: MaybeFrom, time: ToTime) -> Struct:
    return StatusFrame(*shared, "source_changed", event.of, f"{event.before} had fallen silent")


def _restored(shared: Shared, event: BookRestored, from_: MaybeFrom, time: ToTime) -> Struct:
    return StatusFrame(*shared, "book_restored", "book", None)


def _split(shared: Shared, event: SplitAnnounced, from_: MaybeFrom, time: ToTime) -> Struct:
    told = f"{event.split_to:g}:{event.split_from:g} from {format_time(event.effective)}"
    return StatusFrame(*shared, "split_announced", None, told)


MARKET_BUILDERS: Mapping[type, Builder] = MappingProxyType(
    {
        Trade: _trade,
        Quote: _quote,
        Ticker: _ticker,
        Bar: _bar,
        BarClosed: _bar,
        BarCorrected: _bar,
        BookSnapshot: _snapshot,
        BookDelta: _delta,
        InstrumentInfo: _info,
        Gap: _gap,
        BookBroken: _broken,
        BookRestored: _restored,
        SourceChanged: _source,
        SplitAnnounced: _split,
    }
)
