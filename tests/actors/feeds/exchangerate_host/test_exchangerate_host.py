"""exchangerate.host: today's bodies, those of before 2023-09, and errors with HTTP 200."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.clock import NS_PER_S, parse_time
from domain.market.observations import FxRate
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.exchangerate.host"


def recorded(shared_data: Path, name: str) -> Any:
    return parse_recorded(shared_data, "exchangerate_host", f"exchangerate_host/{name}.json")


def test_live_rates_are_of_their_timestamp(shared_data: Path) -> None:
    body = raw(shared_data, "exchangerate_host/v2_live_doc_sample.json")
    assert said(recorded(shared_data, "v2_live_doc_sample")) == [
        FxRate("exchangerate_host", f"USD-{pair[3:]}.FX", body["timestamp"] * NS_PER_S, RECV, rate)
        for pair, rate in body["quotes"].items()
    ]


@pytest.mark.parametrize("name", ["latest", "historical", "latest_USD_symbols_2021-02-26"])
def test_rates_of_the_old_shape_are_of_their_day(shared_data: Path, name: str) -> None:
    body = raw(shared_data, f"exchangerate_host/{name}.json")
    base = body["base"]
    assert said(recorded(shared_data, name)) == [
        FxRate("exchangerate_host", f"{base}-{code}.FX", parse_time(body["date"]), RECV, rate)
        for code, rate in body["rates"].items()
        if code != base
    ]


def test_a_conversion_is_one_rate_whatever_the_amount(shared_data: Path) -> None:
    assert only(recorded(shared_data, "convert_USD_DKK_2021-08-23")) == FxRate(
        "exchangerate_host", "USD-DKK.FX", parse_time("2021-08-23"), RECV, 6.343743
    )
    new = {
        "success": True,
        "query": {"from": "GBP", "to": "JPY", "amount": 25},
        "info": {"timestamp": 1764072000, "quote": "204.5"},
        "result": 5112.5,
    }
    found = only(parse("exchangerate_host", new, f"{API}/convert?from=GBP&to=JPY&amount=25"))
    assert (found.instrument, found.rate, found.ts_event) == ("GBP-JPY.FX", 204.5, 1764072000 * NS_PER_S)


def test_a_timeframe_gives_each_day_its_own_time(shared_data: Path) -> None:
    found = said(recorded(shared_data, "v2_timeframe_GBP_2021-10-19"))
    assert [(each.ts_event, each.instrument, each.rate) for each in found] == [
        (parse_time("2021-10-19"), "GBP-EUR.FX", 1.186206),
        (parse_time("2021-10-20"), "GBP-EUR.FX", 1.18663),
    ]


def test_a_past_day_keeps_the_time_that_the_provider_tells() -> None:
    body = {
        "success": True,
        "historical": True,
        "date": "2005-02-01",
        "timestamp": 1107302399,
        "source": "USD",
        "quotes": {"USDEUR": "0.7672", "USDUSD": 1, "USDXXX": None, "EURUSD": 1.3, "USDGBP": "?"},
    }
    parsed = parse("exchangerate_host", body, f"{API}/historical?date=2005-02-01")
    assert said(parsed) == [FxRate("exchangerate_host", "USD-EUR.FX", 1107302399 * NS_PER_S, RECV, 0.7672)]
    assert classes(parsed) == ["malformed", "malformed"]


def test_days_of_the_old_shape_and_an_amount_that_was_asked_for() -> None:
    body = {
        "success": True,
        "timeseries": True,
        "base": "EUR",
        "rates": {"2020-01-02": {"USD": 112.5, "EUR": 100}},
    }
    found = only(parse("exchangerate_host", body, f"{API}/timeseries?amount=100"))
    assert (found.rate, found.ts_event) == (1.125, parse_time("2020-01-02"))


@pytest.mark.parametrize("status", [None, 200, 403, 500])
@pytest.mark.parametrize(
    ("code", "found"),
    [
        (101, "auth"),
        ("102", "auth"),
        (103, "bad_request"),
        (104, "throttled"),
        (105, "entitlement"),
        (106, "not_found"),
        (202, "bad_request"),
        (302, "bad_request"),
    ],
)
def test_the_code_of_an_error_decides(code: object, found: str, status: int | None) -> None:
    body = {
        "success": False,
        "error": {"code": code, "type": "t", "info": "Too many requests, unauthorized."},
    }
    assert classes(parse("exchangerate_host", body, f"{API}/live", status=status)) == [found]


def test_recorded_errors_are_errors(shared_data: Path) -> None:
    assert classes(recorded(shared_data, "v2_error_101")) == ["auth"]
    assert classes(recorded(shared_data, "error")) == ["bad_request"]
    assert classes(parse("exchangerate_host", {"message": "Invalid authentication credentials"})) == ["auth"]
    quota = {"message": "You have exceeded your daily/monthly API rate limit."}
    assert classes(parse("exchangerate_host", quota, API, status=429)) == ["throttled"]


@pytest.mark.parametrize(
    "body",
    [
        {"success": True},
        {"success": True, "source": "USD", "quotes": {"USDEUR": 1}},
        {"success": True, "quotes": {"USDEUR": 1}, "timestamp": 1},
        {"success": True, "rates": {"EUR": 1}, "date": "2020-01-01"},
        {"success": True, "base": "EUR", "rates": [1], "date": "2020-01-01"},
        [1],
        "x",
    ],
)
def test_what_does_not_name_its_currency_or_time_is_malformed(body: Any) -> None:
    parsed = parse("exchangerate_host", body)
    assert classes(parsed) == ["malformed"] and not said(parsed)


def test_changes_of_rates_are_not_read() -> None:
    body = {"success": True, "change": True, "source": "USD", "quotes": {"USDEUR": {"start_rate": 1}}}
    assert classes(parse("exchangerate_host", body)) == ["unsupported"]
    assert classes(parse("exchangerate_host", {"success": True}, f"{API}/list")) == ["unsupported"]
