"""What a keeper says about an observation, worded as decisions. `clock`: the feed's, ns UTC."""

from __future__ import annotations

from collections.abc import Iterable

from domain.market.bars import BarBuilder, Landed
from domain.market.book import BookChange, Broken
from domain.market.decisions import (
    BarClosed,
    BarCorrected,
    BookBroken,
    BookRestored,
    ClockSkewed,
    Decision,
    LargeTrade,
    LateTrade,
    SourceChanged,
)
from domain.market.intervals import bar_start
from domain.market.observations import Observation, Trade
from domain.market.record_book import BookEvent


def on_landings(
    trade: Trade, ts: int, clock: int, landings: Iterable[tuple[BarBuilder, Landed]]
) -> list[Decision]:
    """Of all intervals; see `on_landing`."""
    decided = (on_landing(trade, ts, clock, builder, landed) for builder, landed in landings)
    return [decision for decision in decided if decision is not None]


def on_landing(
    trade: Trade, ts: int, clock: int, builder: BarBuilder, landed: Landed
) -> BarClosed | BarCorrected | LateTrade | None:
    """A trade did not just amend a forming bar. `ts`: its event time, clamped to the clock."""
    if landed is not Landed.BEYOND:
        return builder.decide(landed, ts, clock)
    return LateTrade(
        provider=trade.provider,
        instrument=trade.instrument,
        ts_event=ts,
        ts_recv=clock,
        interval=builder.interval,
        bar_start=bar_start(ts, builder.interval_ns),
        trade_id=trade.trade_id,
        price=trade.price,
        size=trade.size,
    )


def on_large_trade(trade: Trade, clock: int, multiple: float) -> LargeTrade:
    return LargeTrade(
        provider=trade.provider,
        instrument=trade.instrument,
        ts_event=trade.ts_event,
        ts_recv=clock,
        trade_id=trade.trade_id,
        price=trade.price,
        size=trade.size,
        notional=trade.price * trade.size,
        multiple=multiple,
    )


def on_skew(event: Observation, clock: int) -> ClockSkewed:
    return ClockSkewed(
        provider=event.provider,
        instrument=event.instrument,
        ts_event=event.ts_event,
        ts_recv=clock,
        ahead_ns=event.ts_event - clock,
    )


def on_book_change(event: Observation, ts: int, clock: int, change: BookChange) -> BookBroken | BookRestored:
    if isinstance(change, Broken):
        return BookBroken(
            provider=event.provider,
            instrument=event.instrument,
            ts_event=ts,
            ts_recv=clock,
            reason=change.reason,
            expected=change.expected,
            got=change.got,
        )
    return BookRestored(
        provider=event.provider,
        instrument=event.instrument,
        ts_event=ts,
        ts_recv=clock,
        sequence=change.sequence,
    )


def on_source_change(event: Observation, before: str, clock: int) -> SourceChanged:
    """`event`: the first of the new source of record."""
    return SourceChanged(
        provider=event.provider,
        instrument=event.instrument,
        ts_event=event.ts_event,
        ts_recv=clock,
        of="book" if isinstance(event, BookEvent) else event.kind,
        before=before,
    )
