"""Bars in parallel arrays, with nulls where nothing was traded.

Prices are adjusted for splits, not for dividends. The last bar of a session that runs, or of its day, has the
time of its last trade for a stamp: it begins where its interval does.
"""

from __future__ import annotations

from msgspec import Struct

from actors.feeds.rest import numbers
from actors.feeds.rest.days import UTC, day_ns, day_of, epoch_ns, month_start, week_start
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.yahoo.symbols import PROVIDER, describe, instrument_of
from domain.clock import NS_PER_MIN
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.observations import Bar, SplitAnnounced
from domain.market.reference import Dividend

INTERVALS = {
    "1m": "1m", "2m": "2m", "5m": "5m", "15m": "15m", "30m": "30m", "60m": "1h", "90m": "90m", "1h": "1h",
    "4h": "4h", "1d": "1d", "5d": "5d", "1wk": "1w", "1mo": "1mo", "3mo": "3mo",
}  # fmt: skip
_MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "90m": 90, "4h": 240}


class Session(Struct, frozen=True):
    """What all bars of a chart share. `opens`, `closes`: of the present regular session, ns UTC."""

    instrument: InstrumentId
    interval: str
    zone: str
    opens: int | None
    closes: int | None
    last_trade: int | None


def charts(reading: Reading, value: object) -> None:
    for each in Row(value).row("chart").items("result"):
        reading.one("chart", _chart, reading, each)


def _chart(reading: Reading, value: object) -> None:
    body = Row(value)
    meta = body.row("meta")
    symbol, kind = meta.must_letters("symbol"), meta.letters("instrumentType")
    instrument = instrument_of(symbol, kind, meta.letters("exchangeName"))
    describe(reading, instrument, symbol, meta)
    _bars(reading, body, _session(reading, meta, instrument))
    events = body.row("events")
    _events(reading, events, "dividends", _dividend, instrument, meta)
    _events(reading, events, "splits", _split, instrument, meta)


def _session(reading: Reading, meta: Row, instrument: InstrumentId) -> Session:
    name = meta.letters("dataGranularity") or reading.where.get("interval")
    if name is None or name not in INTERVALS:
        raise Malformed(f"interval {str(name)[:20]!r} is none of {', '.join(INTERVALS)}")
    regular = meta.row("currentTradingPeriod").row("regular")
    return Session(
        instrument,
        INTERVALS[name],
        meta.letters("exchangeTimezoneName") or UTC,
        regular.epoch("s", "start"),
        regular.epoch("s", "end"),
        meta.epoch("s", "regularMarketTime"),
    )


def _bars(reading: Reading, body: Row, session: Session) -> None:
    stamps = body.items("timestamp")
    quotes = body.row("indicators").items("quote")
    columns = Row((quotes[0] if quotes else None) or {})
    if not stamps:
        return
    cells = [columns.items(name) for name in ("open", "high", "low", "close", "volume")]
    cells[4] = cells[4] or [None] * len(stamps)
    if {len(column) for column in cells} != {len(stamps)}:
        raise Malformed("the arrays of the chart are of unequal length")
    found: dict[int, Bar] = {}
    for number, (stamp, *row) in enumerate(zip(stamps, *cells, strict=True)):
        is_last = number == len(stamps) - 1
        reading.one(f"bar {number}", _bar, reading, session, stamp, row, is_last, found)
    for bar in found.values():
        reading.add(bar)


def _bar(
    reading: Reading, session: Session, stamp: object, row: list[object], is_last: bool, found: dict[int, Bar]
) -> None:
    """A last bar that begins where the one before it does is that one, as it is now."""
    prices = [numbers.price(each) for each in row[:4]]
    if None in prices:
        return
    at = epoch_ns(stamp, "s")
    start = _start(session, at) if is_last else at
    first, high, low, close = (each or 0.0 for each in prices)
    runs = is_last and start != at and session.closes is not None and at < session.closes
    found[start] = Bar(
        PROVIDER,
        session.instrument,
        start,
        reading.recv,
        session.interval,
        first,
        high,
        low,
        close,
        numbers.volume(row[4]),
        closed=not runs,
        adjusted=True,
    )


def _start(session: Session, at: int) -> int:
    """Of the last bar."""
    opens, minutes = session.opens, _MINUTES.get(session.interval)
    if minutes is not None:
        if opens is None or at < opens:
            return at - at % NS_PER_MIN if minutes == 1 else at
        return at - (at - opens) % (minutes * NS_PER_MIN)
    if session.interval == "1d":
        within = (
            opens is not None
            and session.closes is not None
            and opens <= at <= session.closes + 60 * NS_PER_MIN
        )
        return opens if within and opens is not None else at
    if at != session.last_trade:
        return at
    day = day_of(at, session.zone)
    if session.interval == "1w":
        return day_ns(week_start(day), session.zone)
    return day_ns(month_start(day), session.zone) if session.interval == "1mo" else at


def _events(
    reading: Reading, events: Row, name: str, read: object, instrument: InstrumentId, meta: Row
) -> None:
    rows = events.row(name)
    for stamp in rows:
        reading.one(f"{name} {stamp[:20]}", read, reading, instrument, meta, rows.raw(stamp))  # type: ignore[arg-type]


def _dividend(reading: Reading, instrument: InstrumentId, meta: Row, value: object) -> None:
    """In the currency of the prices unless it names its own."""
    row = Row(value)
    at = row.must_epoch("s", "date")
    day = day_of(at, meta.letters("exchangeTimezoneName") or UTC)
    currency = row.letters("currency") or meta.letters("currency")
    start = day_ns(day, meta.letters("exchangeTimezoneName") or UTC)
    amount = row.must_amount("amount")
    reading.add(Dividend(PROVIDER, instrument, start, reading.recv, day, amount, currency))


def _split(reading: Reading, instrument: InstrumentId, meta: Row, value: object) -> None:
    """`numerator` new shares for `denominator` old ones."""
    row = Row(value)
    at = row.must_epoch("s", "date")
    old, new = row.must_price("denominator"), row.must_price("numerator")
    reading.add(SplitAnnounced(PROVIDER, instrument, reading.recv, reading.recv, at, old, new))
