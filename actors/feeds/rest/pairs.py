"""Exchange rates of currencies: `EUR-USD.FX`, dollars for one euro."""

from __future__ import annotations

import re
from collections.abc import Callable

from actors.feeds.rest.arrays import named
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.numbers import price
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import instrument_id
from domain.market.observations import FxRate

VENUE = "FX"
_CODE = re.compile(r"[A-Z0-9]{2,8}")


def currency_code(value: object) -> str:
    """Raises Malformed."""
    letters = value.strip().upper() if isinstance(value, str) else ""
    if not _CODE.fullmatch(letters):
        raise Malformed(f"currency {str(value)[:40]!r} is no code like EUR")
    return letters


def fx_rate(reading: Reading, base: object, quote: object, ts_event: int, rate: object) -> FxRate | None:
    """None where there is no rate, and for a currency in itself. Raises Malformed."""
    first, second = currency_code(base), currency_code(quote)
    found = price(rate)
    if found is None or first == second:
        return None
    pair = instrument_id(f"{first}-{second}.{VENUE}")
    return FxRate(reading.provider, pair, ts_event, reading.recv, found)


def rates_of(reading: Reading, body: Row, multiplied_by: object, instant: Callable[[Row], int]) -> None:
    """`{base, date, rates: {USD: rate}}`, or by day `{base, rates: {day: {USD: rate}}}`.

    `multiplied_by`: the amount that was asked for. `instant`: of a body of one day. Raises Malformed.
    """
    base, rates = currency_code(body.raw("base")), body.row("rates")
    amount = price(multiplied_by) or 1.0
    if by_day(rates):
        for day in rates:
            reading.one(named(day), _of_a_day, reading, base, rates, day, amount)
    else:
        _each_rate(reading, base, rates, instant(body), amount)


def by_day(values: Row) -> bool:
    return any(isinstance(values.raw(name), dict) for name in values)


def _of_a_day(reading: Reading, base: str, rates: Row, day: str, amount: float) -> None:
    _each_rate(reading, base, rates.row(day), day_ns(day), amount)


def _each_rate(reading: Reading, base: str, rates: Row, ts_event: int, amount: float) -> None:
    for code in rates:
        reading.one(named(code), _rate, reading, base, rates, code, ts_event, amount)


def _rate(reading: Reading, base: str, rates: Row, code: str, ts_event: int, amount: float) -> None:
    rate = rates.price(code)
    if rate is not None and amount != 1.0:
        rate /= amount
    reading.add(fx_rate(reading, base, code, ts_event, rate))
