"""Series of the American economy: `REAL_GDP`, `CPI`, `TREASURY_YIELD` ...

One name has values of several lengths (quarterly, annual), which are not of one series: the instrument is
`REAL_GDP_QUARTERLY.ALPHA_VANTAGE`.
"""

from __future__ import annotations

import re

from actors.feeds.alpha_vantage.names import PROVIDER
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.reference import Macro

VENUE = "ALPHA_VANTAGE"
_SERIES = {
    "Real Gross Domestic Product": "REAL_GDP",
    "Real Gross Domestic Product per Capita": "REAL_GDP_PER_CAPITA",
    "Consumer Price Index for all Urban Consumers": "CPI",
    "Effective Federal Funds Rate": "FEDERAL_FUNDS_RATE",
    "Inflation - US Consumer Prices": "INFLATION",
    "Inflation Expectations": "INFLATION_EXPECTATION",
    "Consumer Sentiment & Consumer Confidence": "CONSUMER_SENTIMENT",
    "Advance Retail Sales: Retail Trade": "RETAIL_SALES",
    "Manufacturer New Orders: Durable Goods": "DURABLES",
    "Unemployment Rate": "UNEMPLOYMENT",
    "Total Nonfarm Payroll": "NONFARM_PAYROLL",
}
_YIELD = re.compile(r"(\d{1,2})-(Year|Month) Treasury Constant Maturity Rate")
_LETTERS = re.compile(r"[^A-Z0-9]+")


def series(reading: Reading, value: object) -> None:
    body = Row(value)
    title = body.text("name")
    named = _name_of(title) or _asked(reading)
    if named is None:
        raise Malformed("the series has no name")
    interval = body.letters("interval") or reading.where.get("interval")
    if interval is None:
        raise Malformed("the series names no interval")
    about = make_instrument_id(f"{named}_{_LETTERS.sub('_', interval.upper())}", VENUE)
    reading.each(body.items("data"), _value, reading, about, named, body.text("unit"), title)


def _name_of(title: str | None) -> str | None:
    if title is None:
        return None
    found = _YIELD.fullmatch(title)
    if found is not None:
        return f"TREASURY_YIELD_{found[1]}{found[2].upper()}"
    return _SERIES.get(title) or _LETTERS.sub("_", title.upper()).strip("_")[:40] or None


def _asked(reading: Reading) -> str | None:
    function, maturity = reading.where.get("function"), reading.where.get("maturity")
    if function is None:
        return None
    return "_".join(each.upper() for each in (function, maturity) if each)


def _value(
    reading: Reading, about: InstrumentId, named: str, unit: str | None, title: str | None, row: Row
) -> None:
    """`.` is a day without a value."""
    at = day_ns(row.must_day("date"))
    if "value" not in row:
        raise Malformed("value is missing")
    value = row.number("value")
    reading.add(Macro(PROVIDER, about, at, reading.recv, named, value, unit=unit, title=title))
