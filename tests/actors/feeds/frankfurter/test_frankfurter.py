"""Frankfurter v2 and v1, as they are documented; no recording was at hand."""

from __future__ import annotations

from typing import Any

import pytest

from domain.clock import parse_time
from domain.market.observations import FxRate
from tests.parsed import RECV, classes, only, parse, said

API = "https://api.frankfurter.dev"
FRIDAY = parse_time("2026-11-27")


def rate(quote: str, value: float, at: int = FRIDAY, base: str = "EUR") -> FxRate:
    return FxRate("frankfurter", f"{base}-{quote}.FX", at, RECV, value)


def row(quote: str, value: object, day: str = "2026-11-27") -> dict[str, object]:
    return {"date": day, "base": "EUR", "quote": quote, "rate": value}


@pytest.mark.parametrize("endpoint", ["", f"{API}/v2/rates?base=EUR&quotes=USD,GBP&date=2026-11-28"])
def test_rows_of_v2_are_rates_but_for_the_identity(endpoint: str) -> None:
    body = [row("EUR", 1.0), row("USD", 1.16), row("GBP", "0.87")]
    parsed = parse("frankfurter", body, endpoint)
    assert said(parsed) == [rate("USD", 1.16), rate("GBP", 0.87)] and not parsed.rejects


def test_a_range_gives_each_day_its_own_time() -> None:
    body = [row("USD", 1.15, "2026-11-26"), row("USD", 1.16)]
    assert said(parse("frankfurter", body)) == [
        rate("USD", 1.15, parse_time("2026-11-26")),
        rate("USD", 1.16),
    ]


def test_one_rate_is_an_object() -> None:
    assert only(parse("frankfurter", row("USD", 1.16), f"{API}/v2/rate/EUR/USD")) == rate("USD", 1.16)


def test_a_bad_row_costs_that_row() -> None:
    body = [row("USD", "?"), row("USD", None), row("x y", 1), row("GBP", 0.87, "soon"), 5, row("JPY", 178)]
    parsed = parse("frankfurter", body)
    assert said(parsed) == [rate("JPY", 178.0)]
    assert classes(parsed) == ["malformed"] * 4


@pytest.mark.parametrize("endpoint", ["", f"{API}/v1/latest", f"{API}/v1/2026-11-28"])
def test_a_map_of_v1_is_of_its_working_day(endpoint: str) -> None:
    body = {"amount": 1.0, "base": "EUR", "date": "2026-11-27", "rates": {"USD": 1.16, "GBP": 0.87}}
    assert said(parse("frankfurter", body, endpoint)) == [rate("USD", 1.16), rate("GBP", 0.87)]


def test_an_amount_has_multiplied_the_rates_of_v1() -> None:
    body = {"amount": 10, "base": "EUR", "date": "2026-11-27", "rates": {"USD": 11.6}}
    assert only(parse("frankfurter", body)).rate == pytest.approx(1.16)


def test_a_range_of_v1_is_a_map_by_day() -> None:
    body = {
        "amount": 1.0,
        "base": "USD",
        "start_date": "2026-11-26",
        "end_date": "2026-11-27",
        "rates": {"2026-11-26": {"EUR": 0.87}, "2026-11-27": {"EUR": 0.86}},
    }
    assert said(parse("frankfurter", body, f"{API}/v1/2026-11-26..2026-11-27?base=USD")) == [
        rate("EUR", 0.87, parse_time("2026-11-26"), "USD"),
        rate("EUR", 0.86, FRIDAY, "USD"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        ({"message": "not found"}, 404, "not_found"),
        ({"message": "not found"}, None, "not_found"),
        ({"status": 422, "message": "base is odd"}, 422, "bad_request"),
        ({"status": 422, "message": "base is odd"}, None, "bad_request"),
        ({"message": "invalid date"}, 200, "bad_request"),
        ({"status": 503, "message": "sources are being read"}, 200, "upstream"),
        ("<html><title>503 Service Unavailable</title></html>", 503, "upstream"),
        ("", 503, "upstream"),
    ],
)
def test_errors_have_their_class(body: Any, status: int | None, found: str) -> None:
    assert classes(parse("frankfurter", body, f"{API}/v2/rates", status=status)) == [found]


def test_lists_of_names_are_unsupported_and_anything_else_malformed() -> None:
    assert classes(parse("frankfurter", {"EUR": "Euro"}, f"{API}/v1/currencies")) == ["unsupported"]
    for body in (5, {"a": 1}, {"base": "EUR", "rates": {"USD": 1}}):
        assert classes(parse("frankfurter", body)) == ["malformed"]
    empty = parse("frankfurter", [], f"{API}/v2/rates")
    assert not said(empty) and not empty.rejects
