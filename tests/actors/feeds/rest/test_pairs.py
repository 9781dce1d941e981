"""Rates of currencies: one per pair, none of a currency in itself."""

from __future__ import annotations

import pytest

from actors.feeds.base import Origin
from actors.feeds.rest.pairs import currency_code, fx_rate, rates_of
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.clock import parse_time
from domain.errors import Malformed

NOON = parse_time("2026-11-27T12:00:00Z")


def reading() -> Reading:
    return Reading("frankfurter", Origin("file", 7, "x"))


def test_a_rate_is_units_of_the_second_currency_for_one_of_the_first() -> None:
    found = fx_rate(reading(), "eur", "USD", NOON, "1.16")
    assert found is not None
    assert (found.instrument, found.rate, found.ts_event, found.ts_recv) == ("EUR-USD.FX", 1.16, NOON, 7)


@pytest.mark.parametrize("absent", [None, "", "None", 0])
def test_what_is_missing_is_no_rate(absent: object) -> None:
    assert fx_rate(reading(), "EUR", "USD", NOON, absent) is None
    assert fx_rate(reading(), "EUR", "EUR", NOON, 1.0) is None


@pytest.mark.parametrize("bad", [None, "", "E", "US D", 5, ["USD"], "DOLLARSUSD"])
def test_what_is_no_code_is_malformed(bad: object) -> None:
    with pytest.raises(Malformed):
        currency_code(bad)


def test_a_map_of_rates_is_read_code_by_code_and_divided_by_the_amount() -> None:
    found = reading()
    rates_of(found, Row({"base": "EUR", "rates": {"USD": 11.6, "EUR": 10, "GBP": "x"}}), 10, lambda _: NOON)
    (rate,) = found.parsed.observations
    assert (rate.instrument, rate.ts_event) == ("EUR-USD.FX", NOON)
    assert rate.rate == pytest.approx(1.16)  # type: ignore[union-attr]
    assert [each.reject_class for each in found.parsed.rejects] == ["malformed"]


def test_a_map_by_day_gives_each_day_its_own_time() -> None:
    found = reading()
    days = {"2026-11-26": {"USD": 1.15}, "2026-11-27": {"USD": 1.16}, "soon": {"USD": 1}, "2026-11-28": 5}
    rates_of(found, Row({"base": "EUR", "rates": days}), None, lambda _: NOON)
    assert [each.ts_event for each in found.parsed.observations] == [
        parse_time("2026-11-26"),
        parse_time("2026-11-27"),
    ]
    assert len(found.parsed.rejects) == 2
