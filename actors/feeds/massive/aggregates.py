"""Bars. The times of a range are their starts; those of whole days (`prev`, `grouped`) lie at their end."""

from __future__ import annotations

from actors.feeds.massive.symbols import PROVIDER, asked_for, instrument_of, pair_of, results_of
from actors.feeds.rest.days import NEW_YORK, UTC, day_ns, day_of
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.clock import NS_PER_S
from domain.errors import Malformed
from domain.ids import InstrumentId, venue_of
from domain.market.observations import Bar

RANGE = r"aggs/ticker/(?P<ticker>[^/]+)/range/(?P<count>\d{1,5})/(?P<span>[a-z]+)/[^/]+/[^/]+"
PREVIOUS = r"aggs/ticker/(?P<ticker>[^/]+)/prev"
GROUPED = r"aggs/grouped/locale/[^/]+/market/[^/]+/[^/]+"
DAY = r"open-close/(?:crypto/)?(?P<ticker>[^/]+)(?:/[^/]+){1,2}"
_SPANS = {
    "second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w", "month": "mo",
    "quarter": "q", "year": "y",
}  # fmt: skip
_LONGER = {"60m": "1h", "240m": "4h", "24h": "1d", "7d": "1w", "60s": "1m", "1q": "3mo", "12mo": "1y"}
_ALWAYS_OPEN = frozenset({"CRYPTO", "FX"})
"""Days of what is traded around the clock begin at midnight UTC, others in New York."""


def aggregates(reading: Reading, value: object) -> None:
    """Of a range, of the day before, or of a whole market's day."""
    body = Row(value)
    rows = results_of(value)
    if not rows:
        return
    ranged = reading.where.match(RANGE)
    of_a_day = reading.where.match(PREVIOUS) or reading.where.match(GROUPED)
    if ranged is None and of_a_day is None:
        raise Malformed("the bars do not name their interval: it stands in their address alone")
    interval = "1d" if ranged is None else _interval(ranged["count"], ranged["span"])
    adjusted = body.raw("adjusted") is not False
    ticker = body.letters("ticker")
    own = instrument_of(ticker) if ticker else None
    if own is None and ranged is not None:
        own = asked_for(reading, RANGE)
    reading.each(rows, _bar, reading, own, interval, adjusted, of_a_day is not None)


def _interval(count: str, span: str) -> str:
    if span not in _SPANS or int(count) == 0:
        raise Malformed(f"interval {count} {span[:20]} is not known")
    name = f"{int(count)}{_SPANS[span]}"
    return _LONGER.get(name, name)


def _bar(
    reading: Reading, own: InstrumentId | None, interval: str, adjusted: bool, of_a_day: bool, row: Row
) -> None:
    ticker = row.letters("T")
    instrument = instrument_of(ticker) if ticker else own
    if instrument is None:
        raise Malformed("T is missing")
    at = row.must_epoch("ms", "t")
    start = _start_of_day(at, instrument) if of_a_day else at
    reading.add(_read_bar(row, reading, instrument, start, interval, adjusted, row.whole("n")))


def _read_bar(
    row: Row, reading: Reading, instrument: str, start: int, interval: str, adjusted: bool, trades: int | None
) -> Bar | None:
    """None where a price of it is null: nothing was traded."""
    prices = [row.price(name) for name in "ohlc"]
    if None in prices:
        if all(name in row for name in "ohlc"):
            return None
        raise Malformed("a price is missing")
    first, high, low, close = (each or 0.0 for each in prices)
    return Bar(
        PROVIDER,
        instrument,
        start,
        reading.recv,
        interval,
        first,
        high,
        low,
        close,
        row.volume("v"),
        trades,
        row.price("vw"),
        adjusted=adjusted,
    )


def _start_of_day(at: int, instrument: str) -> int:
    zone = UTC if venue_of(instrument) in _ALWAYS_OPEN else NEW_YORK
    return day_ns(day_of(at, zone), zone)


def open_close(reading: Reading, value: object) -> None:
    """A day of one ticker, dated by `from` or `day`. Trading before and after hours is no part of the bar."""
    row = Row(value)
    symbol = row.letters("symbol")
    crypto = "isUTC" in row
    named = (pair_of if crypto else instrument_of)(symbol) if symbol else None
    instrument = named or asked_for(reading, DAY)
    zone = UTC if venue_of(instrument) in _ALWAYS_OPEN or row.raw("isUTC") is True else NEW_YORK
    start = day_ns(row.must_day("from", "day"), zone)
    first, close = row.must_price("open"), row.must_price("close")
    high, low = row.price("high"), row.price("low")
    if high is None or low is None:
        raise Malformed("a bar without its highest and lowest price")
    volume = row.volume("volume")
    adjusted = (reading.where.get("adjusted") or "true").lower() == "true"
    recv = reading.recv
    reading.add(
        Bar(PROVIDER, instrument, start, recv, "1d", first, high, low, close, volume, adjusted=adjusted)
    )


INTERVAL_OF_EVENT = {
    "A": "1s", "AM": "1m", "XA": "1m", "XAS": "1s", "CA": "1m", "CAS": "1s",
}  # fmt: skip


def event(reading: Reading, row: Row) -> None:
    """A closed bar of the socket, from `s` on. Its `z` is the mean size of a trade, not their number."""
    kind = row.must_letters("ev")
    symbol, pair = row.letters("sym"), row.letters("pair")
    if symbol is None and pair is None:
        raise Malformed("sym is missing")
    instrument = instrument_of(symbol) if symbol else pair_of(pair or "")
    start = row.must_epoch("ms", "s")
    end = row.epoch("ms", "e")
    interval = INTERVAL_OF_EVENT[kind]
    if end is not None and end - start in (NS_PER_S, 60 * NS_PER_S):
        interval = "1s" if end - start == NS_PER_S else "1m"
    bar = _read_bar(row, reading, instrument, start, interval, False, None)
    if bar is None:
        raise Malformed("a bar without prices")
    reading.add(bar)
