"""The Treasury's yield curve as its feed is documented; no recording was at hand."""

from __future__ import annotations

import pytest

from domain.clock import parse_time
from domain.market.reference import Macro
from tests.parsed import RECV, classes, parse, said

CURVE = (
    "https://home.treasury.gov/resource-center/data-chart-center/interest-rates/pages/xml"
    "?data=daily_treasury_yield_curve&field_tdr_date_value=2026"
)


def entry(*properties: str, date: str | None = "2026-11-27T00:00:00") -> str:
    day = "" if date is None else f'<d:NEW_DATE m:type="Edm.DateTime">{date}</d:NEW_DATE>'
    return (
        f"<entry><id>x</id><title type='text'/><content type='application/xml'><m:properties>{day}"
        f"{''.join(properties)}</m:properties></content></entry>"
    )


def feed(*entries: str) -> str:
    return (
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?>"
        "<feed xmlns:d='http://schemas.microsoft.com/ado/2007/08/dataservices' "
        "xmlns:m='http://schemas.microsoft.com/ado/2007/08/dataservices/metadata' "
        "xmlns='http://www.w3.org/2005/Atom'><title>DailyTreasuryYieldCurveRateData</title>"
        f"<updated>2026-11-27T20:00:00Z</updated>{''.join(entries)}</feed>"
    )


def rate(name: str, value: str) -> str:
    return f'<d:{name} m:type="Edm.Double">{value}</d:{name}>'


def macro(tenor: str, series: str, value: float | None, day: str = "2026-11-27") -> Macro:
    return Macro("us_treasury", f"{tenor}.UST", parse_time(day), RECV, series, value, unit="percent")


@pytest.mark.parametrize("endpoint", ["", CURVE])
def test_every_yield_of_a_day_is_a_value_in_percent(endpoint: str) -> None:
    text = feed(
        entry(
            rate("BC_1MONTH", "3.95"),
            rate("BC_1_5MONTH", "3.93"),
            '<d:BC_2MONTH m:type="Edm.Double" m:null="true" />',
            rate("BC_10YEAR", "4.11"),
            rate("BC_30YEAR", "4.75"),
            rate("BC_30YEARDISPLAY", "4.75"),
        ),
        entry(rate("BC_10YEAR", "4.09"), date="2026-11-26T00:00:00"),
    )
    parsed = parse("us_treasury", text, endpoint)
    assert not parsed.rejects
    assert said(parsed) == [
        macro("1M", "BC_1MONTH", 3.95),
        macro("1.5M", "BC_1_5MONTH", 3.93),
        macro("2M", "BC_2MONTH", None),
        macro("10Y", "BC_10YEAR", 4.11),
        macro("30Y", "BC_30YEAR", 4.75),
        macro("10Y", "BC_10YEAR", 4.09, "2026-11-26"),
    ]
    assert said(parse("us_treasury", text.encode(), endpoint)) == said(parsed)


def test_a_yield_below_zero_is_one() -> None:
    assert said(parse("us_treasury", feed(entry(rate("BC_1MONTH", "-0.05")))))[0].value == -0.05


def test_a_bad_value_costs_itself_and_a_day_without_a_date_its_entry() -> None:
    text = feed(
        entry(rate("BC_1YEAR", "high"), rate("BC_2YEAR", "3.5")),
        entry(rate("BC_1YEAR", "4"), date=None),
        entry(rate("BC_1YEAR", "4"), date="soon"),
    )
    parsed = parse("us_treasury", text)
    assert said(parsed) == [macro("2Y", "BC_2YEAR", 3.5)] and classes(parsed) == ["malformed"] * 3


def test_a_feed_without_entries_gives_nothing() -> None:
    parsed = parse("us_treasury", feed(), CURVE)
    assert not said(parsed) and not parsed.rejects


@pytest.mark.parametrize(
    ("text", "endpoint", "found"),
    [
        (feed(entry(rate("TC_5YEAR", "1.5"))), "", "unsupported"),
        (feed(entry(rate("ROUND_B1_CLOSE_4WK_2", "4"), date=None)), "", "unsupported"),
        (feed(), CURVE.replace("yield_curve", "real_yield_curve"), "unsupported"),
        ("<other/>", CURVE, "malformed"),
        (feed()[:-3], CURVE, "malformed"),
        ("<html><head><title>Service Unavailable</title></head></html>", CURVE, "upstream"),
        ("<!DOCTYPE html><html><br>Page not found</html>", CURVE, "not_found"),
        ('{"error": "x"}', CURVE, "malformed"),
        ("Too many requests", CURVE, "throttled"),
    ],
)
def test_anything_else_says_what_it_is(text: str, endpoint: str, found: str) -> None:
    parsed = parse("us_treasury", text, endpoint)
    assert classes(parsed) == [found] and not said(parsed)
