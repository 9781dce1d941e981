"""Facts with sane defaults: a test names only what it is about. Times in ns UTC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.market.observations import (
    Bar,
    BookDelta,
    BookOrder,
    BookSnapshot,
    FxRate,
    Gap,
    InstrumentInfo,
    Level,
    Observation,
    Quote,
    Side,
    Ticker,
    Trade,
)

T0 = 1_767_225_600 * NS_PER_S  # 2026-01-01T00:00:00Z: the start of a bar of every interval
PROVIDER = "sim"
INSTRUMENT = "BTC-USD.SIM"


def at(seconds: float) -> int:
    """Seconds after T0 -> ns UTC."""
    return T0 + round(seconds * NS_PER_S)


def a_trade(
    price: float = 100.0,
    size: float = 1.0,
    *,
    ts: int = T0,
    trade_id: str | int | None = None,
    side: Side | None = "buy",
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
    ts_recv: int | None = None,
) -> Trade:
    return Trade(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts if ts_recv is None else ts_recv,
        price=float(price),
        size=float(size),
        side=side,
        trade_id=None if trade_id is None else str(trade_id),
    )


def a_quote(
    bid: float | None = 99.0,
    ask: float | None = 101.0,
    *,
    bid_size: float | None = 1.0,
    ask_size: float | None = 1.0,
    ts: int = T0,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> Quote:
    return Quote(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        bid=bid,
        bid_size=bid_size,
        ask=ask,
        ask_size=ask_size,
    )


def a_bar(
    close: float = 100.0,
    *,
    ts: int = T0,
    interval: str = "1m",
    volume: float = 1.0,
    closed: bool = True,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> Bar:
    """A provider's bar; flat, unless `close` says otherwise."""
    return Bar(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        interval=interval,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=volume,
        closed=closed,
    )


def a_snapshot(
    bids: Sequence[Level] = ((99.0, 1.0), (98.0, 2.0)),
    asks: Sequence[Level] = ((101.0, 1.0), (102.0, 2.0)),
    *,
    sequence: int | None = None,
    depth: int | None = None,
    ts: int = T0,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> BookSnapshot:
    return BookSnapshot(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        bids=tuple(bids),
        asks=tuple(asks),
        sequence=None if sequence is None else (sequence, sequence),
        depth=depth,
    )


def a_delta(
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    *,
    sequence: tuple[int, int] | None = None,
    prev_sequence: int | None = None,
    ts: int = T0,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> BookDelta:
    return BookDelta(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        bids=tuple(bids),
        asks=tuple(asks),
        sequence=sequence,
        prev_sequence=prev_sequence,
    )


def an_order(
    action: Literal["add", "modify", "delete"] = "add",
    order_id: str = "o1",
    *,
    side: Side = "buy",
    price: float = 99.0,
    size: float = 1.0,
    sequence: int | None = None,
    ts: int = T0,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> BookOrder:
    return BookOrder(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        action=action,
        order_id=order_id,
        side=side,
        price=price,
        size=size,
        sequence=sequence,
    )


def a_ticker(
    last: float = 100.0, *, ts: int = T0, instrument: str = INSTRUMENT, provider: str = PROVIDER
) -> Ticker:
    return Ticker(provider=provider, instrument=instrument, ts_event=ts, ts_recv=ts, last=last)


def an_fx_rate(
    rate: float = 1.1, *, ts: int = T0, instrument: str = "EUR-USD.FX", provider: str = PROVIDER
) -> FxRate:
    return FxRate(provider=provider, instrument=instrument, ts_event=ts, ts_recv=ts, rate=rate)


def an_info(
    instrument: str = INSTRUMENT,
    *,
    venue_symbol: str = "BTCUSD",
    base: str | None = "BTC",
    quote: str | None = "USD",
    aliases: Sequence[str] = (),
    ts: int = T0,
    provider: str = PROVIDER,
) -> InstrumentInfo:
    return InstrumentInfo(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        venue_symbol=venue_symbol,
        base=base,
        quote=quote,
        aliases=tuple(aliases),
    )


def a_gap(
    channel: str = "book",
    *,
    opened: bool = True,
    reason: str = "connection lost",
    first: int | None = None,
    last: int | None = None,
    ts: int = T0,
    instrument: str = INSTRUMENT,
    provider: str = PROVIDER,
) -> Gap:
    return Gap(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        channel=channel,
        reason=reason,
        first=first,
        last=last,
        opened=opened,
    )


def a_batch(
    *events: Observation,
    sequence: int = 1,
    clock: int | None = None,
    incarnation: int = 1,
    sender: str = PROVIDER,
) -> Batch:
    """Its clock is the newest event time unless given; T0 for a heartbeat."""
    newest = max((event.ts_event for event in events), default=T0)
    return Batch(
        sender=sender,
        incarnation=incarnation,
        sequence=sequence,
        clock=newest if clock is None else clock,
        events=events,
    )
