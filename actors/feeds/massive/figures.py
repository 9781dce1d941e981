"""Rows of figures: the economy's by day, companies' by ticker. Every number of a row is one, by its name."""

from __future__ import annotations

from actors.feeds.massive.symbols import PROVIDER, instrument_of
from actors.feeds.rest import numbers
from actors.feeds.rest.days import NEW_YORK, day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Macro, Metric

ECONOMY = r"fed/v[\dX]/[^/]+"
COMPANIES = r"stocks/(?:financials/v[\dX]/ratios|v[\dX]/(?:short-interest|short-volume|float))"
_DAYS = ("date", "settlement_date", "effective_date", "period_end")
_NO_FIGURES = frozenset({*_DAYS, "ticker", "tickers", "cik"})


def economy(reading: Reading, row: Row) -> None:
    """`yield_10_year` of a day is a value of the series `YIELD_10_YEAR`."""
    at = day_ns(row.must_day("date"))
    for name in row:
        if name != "date":
            series = name.upper()
            value = numbers.number(row.raw(name))
            about = make_instrument_id(series, "MASSIVE")
            reading.add(Macro(PROVIDER, about, at, reading.recv, series, value))


def company(reading: Reading, row: Row) -> None:
    ticker = row.letters("ticker")
    if ticker is None:
        raise Malformed("ticker is missing")
    day = row.day(*_DAYS)
    at = reading.recv if day is None else day_ns(day, NEW_YORK)
    for name in row:
        if name not in _NO_FIGURES:
            value = numbers.number(row.raw(name))
            about = instrument_of(ticker)
            reading.add(Metric(PROVIDER, about, at, reading.recv, name, value, None, day))
