"""Statements as time series, one per line of them, and the insights of other houses."""

from __future__ import annotations

import re
from typing import Literal

from actors.feeds.rest import numbers
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.yahoo.symbols import PROVIDER, instrument_of
from domain.ids import InstrumentId
from domain.market.reference import Metric, Statement

MAX_DEPTH = 8
_TYPE = re.compile(r"(annual|quarterly|trailing)([A-Z]\w*)")
_PERIODS = {"annual": "annual", "quarterly": "quarterly", "trailing": "ttm"}
Kind = Literal["income", "balance", "cash_flow", "facts"]
_KIND_OF_LINE: dict[str, Kind] = {
    "TotalRevenue": "income", "NetIncome": "income", "TotalAssets": "balance",
    "StockholdersEquity": "balance",
    "OperatingCashFlow": "cash_flow", "FreeCashFlow": "cash_flow",
}  # fmt: skip
Key = tuple[InstrumentId, str, str]


def series(reading: Reading, value: object) -> None:
    """Lines of one company, period and day together are one statement; of several kinds they are `facts`."""
    found: dict[Key, dict[str, float | None]] = {}
    currencies: dict[Key, str | None] = {}
    for number, each in enumerate(Row(value).row("timeseries").items("result")):
        reading.one(f"line {number}", _line, reading, found, currencies, each)
    for key, values in found.items():
        instrument, period, end = key
        kinds = {kind for line, kind in _KIND_OF_LINE.items() if line in values}
        kind: Kind = kinds.pop() if len(kinds) == 1 else "facts"
        told = kind, period, end, currencies.get(key), values
        reading.add(Statement(PROVIDER, instrument, day_ns(end), reading.recv, *told))


def _line(
    reading: Reading,
    found: dict[Key, dict[str, float | None]],
    currencies: dict[Key, str | None],
    value: object,
) -> None:
    """A line that the company has never reported has no values."""
    body = Row(value)
    meta = body.row("meta")
    symbols = meta.items("symbol")
    for name in body:
        match = _TYPE.fullmatch(name)
        if match is None:
            continue
        instrument = instrument_of(str(symbols[0]) if symbols else "")
        told = found, currencies, instrument, match[2], _PERIODS[match[1]]
        reading.each([each for each in body.items(name) if each is not None], _value, *told)


def _value(
    found: dict[Key, dict[str, float | None]],
    currencies: dict[Key, str | None],
    instrument: InstrumentId,
    line: str,
    period: str,
    row: Row,
) -> None:
    key = instrument, period, row.must_day("asOfDate")
    number = numbers.number(row.raw("reportedValue"))
    found.setdefault(key, {})[line] = number
    currencies[key] = row.letters("currencyCode") or currencies.get(key)


def insights(reading: Reading, value: object) -> None:
    """Scores, supports and targets: every number is a metric, by its path."""
    body = Row(Row(value).row("finance").raw("result"))
    instrument = instrument_of(body.must_letters("symbol"))
    for section in ("instrumentInfo", "companySnapshot", "recommendation"):
        if section in body:
            reading.one(section, _insight, reading, instrument, section, body.raw(section))


def _insight(reading: Reading, instrument: InstrumentId, name: str, value: object) -> None:
    if isinstance(value, dict) and name.count(".") < MAX_DEPTH:
        for inside, each in value.items():
            _insight(reading, instrument, f"{name}.{inside}", each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = numbers.number(value)
        reading.add(Metric(PROVIDER, instrument, reading.recv, reading.recv, name, number))
