"""Bars. Days, weeks and months are named by a day of theirs; intraday bars by a time, once by their end.

Recordings up to 2021 stamp intraday bars with their end (the last of a day is that of 20:00, when trading
after hours ends), today's with their start (the first is that of 04:00). Where a body has neither, its year
decides. Coins came later and have always been stamped with the start.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from io import StringIO

from msgspec import Struct

from actors.feeds.alpha_vantage.names import PROVIDER, asked_for, instrument_of, interval_of, plain
from actors.feeds.rest import listings
from actors.feeds.rest.days import (
    NEW_YORK,
    NS_PER_DAY,
    UTC,
    day_ns,
    day_of,
    iso_day,
    last_weekday,
    local_ns,
    month_start,
    week_start,
)
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.clock import NS_PER_MIN
from domain.errors import Malformed
from domain.ids import InstrumentId, venue_of
from domain.market.observations import Bar, SplitAnnounced
from domain.market.reference import Dividend

FIRST_YEAR_OF_STARTS = 2022
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
_IN_TITLE = re.compile(r"(\d{1,2}min)")
_LONG = {"daily": "1d", "weekly": "1w", "monthly": "1mo"}
_CLOSE_OF_SHARES_NS = 16 * 60 * NS_PER_MIN


class Series(Struct, frozen=True):
    """What all bars of a body share. `refreshed`: until when the provider knew, ns UTC."""

    instrument: InstrumentId
    interval: str
    zone: str
    market: str | None
    refreshed: int | None
    ends: bool


def title_of(body: Row) -> str | None:
    """The field that holds the bars: `Time Series (5min)`, `Weekly Adjusted Time Series` ..."""
    return next((name for name in body if "time series" in name.lower()), None)


def bars(reading: Reading, value: object) -> None:
    body = Row(value)
    title = title_of(body) or ""
    meta = plain(body.raw("Meta Data") or {})
    rows = body.row(title)
    told = _series(reading, meta, title, list(rows))
    for stamp in rows:
        reading.one(f"bar {stamp[:30]!r}", _row, reading, told, stamp, rows.raw(stamp))


def _series(reading: Reading, meta: Row, title: str, stamps: list[str]) -> Series:
    coin, market = meta.letters("Digital Currency Code"), meta.letters("Market Code")
    base, quote = meta.letters("From Symbol"), meta.letters("To Symbol")
    symbol = meta.letters("Symbol")
    if coin and market:
        instrument = listings.pair(coin, market)
    elif base and quote:
        instrument = listings.pair(base, quote)
    else:
        instrument = instrument_of(symbol) if symbol else asked_for(reading)
    zone = meta.letters("Time Zone")
    if zone is None:
        raise Malformed("the series names no time zone")
    interval = _interval(reading, title, meta)
    refreshed = _refreshed(meta.letters("Last Refreshed"), zone)
    ends = interval in _MINUTES and coin is None and _stamped_with_ends(stamps)
    return Series(instrument, interval, zone, market, refreshed, ends)


def _interval(reading: Reading, title: str, meta: Row) -> str:
    """By the function of its address, else by the name of the series, else by `Interval`."""
    function = (reading.where.get("function") or "").lower()
    minutes = _IN_TITLE.search(title)
    for text in (function, title.lower()):
        found = next((interval for word, interval in _LONG.items() if word in text), None)
        if found is not None:
            return found
    return interval_of(minutes[1] if minutes else meta.letters("Interval") or reading.where.get("interval"))


def _refreshed(text: str | None, zone: str) -> int | None:
    """A day alone is known to its end."""
    if text is None:
        return None
    try:
        return local_ns(text, zone) + (NS_PER_DAY if len(text.strip()) <= 10 else 0)
    except Malformed:
        return None


def _stamped_with_ends(stamps: Iterable[str]) -> bool:
    known = list(stamps)
    times = {stamp.partition(" ")[2][:5] for stamp in known}
    if "20:00" in times or "04:00" in times:
        return "20:00" in times
    newest = max(known, default="")
    return newest[:4].isdigit() and int(newest[:4]) < FIRST_YEAR_OF_STARTS


def _row(reading: Reading, told: Series, stamp: str, value: object) -> None:
    row = plain(value)
    prices = [row.price(name, f"{name} ({told.market})") for name in ("open", "high", "low", "close")]
    first, high, low, close = (_price(each) for each in prices)
    volume = row.volume("volume")
    start = _start(told, stamp)
    reading.add(
        Bar(
            PROVIDER,
            told.instrument,
            start,
            reading.recv,
            told.interval,
            first,
            high,
            low,
            close,
            volume,
            closed=_is_closed(told, start),
        )
    )
    if told.interval == "1d":
        _adjustments(reading, told, iso_day(stamp), row)


def _price(value: float | None) -> float:
    if value is None:
        raise Malformed("a price is missing")
    return value


def _start(told: Series, stamp: str) -> int:
    match told.interval:
        case "1d":
            return day_ns(stamp, told.zone)
        case "1w":
            return day_ns(week_start(iso_day(stamp)), told.zone)
        case "1mo":
            return day_ns(month_start(iso_day(stamp)), told.zone)
    at = local_ns(stamp, told.zone)
    return at - _MINUTES[told.interval] * NS_PER_MIN if told.ends else at


def _is_closed(told: Series, start: int) -> bool:
    """Whether the provider knew its end. Of intraday bars it shows whole ones."""
    if told.refreshed is None or told.interval in _MINUTES:
        return True
    return told.refreshed >= _end(told, start)


def _end(told: Series, start: int) -> int:
    """Shares end with the close of their last weekday, at 16:00; others at midnight."""
    shares = venue_of(told.instrument) not in (listings.FX, listings.COINS)
    if told.interval == "1d":
        return start + (_CLOSE_OF_SHARES_NS if shares else NS_PER_DAY)
    if told.interval == "1w":
        return start + (4 * NS_PER_DAY + _CLOSE_OF_SHARES_NS if shares else 7 * NS_PER_DAY)
    end = day_ns(month_start(day_of(start + 32 * NS_PER_DAY, told.zone)), told.zone)
    if not shares:
        return end
    last = last_weekday(day_of(end - NS_PER_DAY // 2, told.zone))
    return day_ns(last, told.zone) + _CLOSE_OF_SHARES_NS


def _adjustments(reading: Reading, told: Series, day: str, row: Row) -> None:
    """A day's dividend and split stand beside its bar, whose prices are as they were traded."""
    at = day_ns(day, told.zone)
    paid = row.amount("dividend amount")
    if paid:
        reading.add(Dividend(PROVIDER, told.instrument, at, reading.recv, day, paid, None))
    factor = row.price("split coefficient")
    if factor is not None and factor != 1.0:
        split = SplitAnnounced(PROVIDER, told.instrument, reading.recv, reading.recv, at, 1.0, factor)
        reading.add(split)


def table(reading: Reading, text: str) -> None:
    """The same as CSV: without symbol, interval or zone, which stand in its address. Raises Malformed."""
    rows = csv.DictReader(StringIO(text))
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    stamp_name = next((name for name in ("time", "timestamp") if name in names), None)
    if stamp_name is None or not {"open", "high", "low", "close"} <= set(names):
        raise Malformed("a table that is no series of prices")
    instrument = asked_for(reading)
    zone = UTC if venue_of(instrument) in (listings.FX, listings.COINS) else NEW_YORK
    interval = _interval(reading, "", Row({}))
    lines = [{str(name).strip().lower(): cell for name, cell in row.items()} for row in rows]
    stamps = [str(line.get(stamp_name) or "") for line in lines]
    ends = interval in _MINUTES and _stamped_with_ends(stamps)
    told = Series(instrument, interval, zone, reading.where.get("market"), None, ends)
    for stamp, line in zip(stamps, lines, strict=True):
        reading.one(f"bar {stamp[:30]!r}", _row, reading, told, stamp, line)
