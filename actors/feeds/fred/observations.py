"""Values of series. A day is the start of the period that it stands for; `.` is a missing value: null.

A series in other units (`pch`: percent change) or at a lower frequency is another, by its instrument too.
"""

from __future__ import annotations

import datetime as dt
import re

from actors.feeds.rest.days import NS_PER_DAY
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Macro

VENUE = "FRED"
AS_PUBLISHED = "lin"
_VINTAGE = re.compile(r"(?P<series>.+)_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)")
_EPOCH = dt.date(1970, 1, 1)
_FIRST_YEAR = 1678
"""Nanoseconds since 1970 in 64 bits begin in 1677; a few series of FRED are older."""
_BESIDE_VALUES = frozenset({"date", "realtime_start", "realtime_end"})


def of_series(reading: Reading, body: Row) -> None:
    """`fred/series/observations`: whose they are stands in the address, unless the rows say it themselves."""
    rows = body.items("observations")
    first = next((Row(each) for each in rows if isinstance(each, dict)), Row({}))
    if "value" not in first and any(_VINTAGE.fullmatch(name) for name in first):
        reading.each(rows, _vintages, reading, body)
    elif "series_id" in first:
        reading.each(rows, _named_value, reading, body)
    elif rows or reading.where:
        series = subject(reading.origin, reading.where, "series_id").upper()
        unit = _unit(body)
        reading.each(rows, _value_of_a_day, reading, _instrument(reading, series, unit), series, unit, None)


def _named_value(reading: Reading, body: Row, row: Row) -> None:
    series, unit = row.must_letters("series_id").upper(), _unit(body)
    _value_of_a_day(reading, _instrument(reading, series, unit), series, unit, row.text("title"), row)


def _value_of_a_day(
    reading: Reading, instrument: str, series: str, unit: str | None, title: str | None, row: Row
) -> None:
    reading.add(
        Macro(
            reading.provider,
            instrument,
            _start(row),
            reading.recv,
            series,
            _value(row, "value"),
            _vintage_day(row, "realtime_start"),
            _vintage_day(row, "realtime_end"),
            unit,
            title,
        )
    )


def _value(row: Row, name: str) -> float | None:
    """Raises Malformed where there is not even a word for "nothing"."""
    if name not in row:
        raise Malformed(f"{name} is missing")
    return number(row.raw(name))


def _vintages(reading: Reading, body: Row, row: Row) -> None:
    """One value per vintage: `GDP_20210128` is what was in force from that day on."""
    day, unit = _start(row), _unit(body)
    for name in row:
        match = _VINTAGE.fullmatch(name)
        if match is None or name in _BESIDE_VALUES:
            continue
        series = match["series"].upper()
        start = _date(f"{match['year']}-{match['month']}-{match['day']}").isoformat()
        instrument = _instrument(reading, series, unit)
        value = number(row.raw(name))
        reading.add(Macro(reading.provider, instrument, day, reading.recv, series, value, start, unit=unit))


def of_release(reading: Reading, body: Row) -> None:
    """`fred/v2/release/observations`: many series, each with what it is."""
    if "series" in body:
        reading.each(body.items("series"), _of_one, reading)
    else:
        reading.each(body.items("observations"), _named_value, reading, body)


def _of_one(reading: Reading, head: Row) -> None:
    series = head.must_letters("series_id", "id").upper()
    instrument = make_instrument_id(series, VENUE)
    series_of = reading, instrument, series, head.text("units"), head.text("title")
    reading.each(head.items("observations"), _value_of_a_day, *series_of)


def _start(row: Row) -> int:
    """Midnight UTC at the start of the period. Raises Malformed."""
    day = _date(row.must_letters("date"))
    if day.year < _FIRST_YEAR:
        raise Malformed(f"day {day} is before {_FIRST_YEAR}: its time does not fit into nanoseconds")
    return (day - _EPOCH).days * NS_PER_DAY


def _vintage_day(row: Row, name: str) -> str | None:
    """From 1776-07-04 to 9999-12-31: FRED's words for "ever" and "still"."""
    text = row.letters(name)
    return None if text is None else _date(text).isoformat()


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Malformed(f"day {text[:40]!r} is not like 2026-03-31") from None


def _unit(body: Row) -> str | None:
    """How the values were transformed; None: they are as published."""
    unit = body.letters("units")
    return None if unit is None or unit == AS_PUBLISHED else unit


def _instrument(reading: Reading, series: str, unit: str | None) -> str:
    """`GDP.FRED`, `GDP:PCH.FRED`, `DGS10:M:AVG.FRED`. Raises Malformed."""
    frequency = reading.where.get("frequency")
    method = (reading.where.get("aggregation_method") or "avg") if frequency else None
    marks = [each for each in (unit, frequency, method) if each]
    return make_instrument_id(":".join([series, *marks]), VENUE)
