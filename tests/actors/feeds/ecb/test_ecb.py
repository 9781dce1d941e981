"""The ECB's CSV as it is documented; no recording was at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.feeds.payloads import Row, read_payloads
from actors.feeds.registry import load_parser
from domain.clock import parse_time
from domain.market.observations import FxRate
from domain.market.reference import Macro
from tests.parsed import RECV, classes, parse, said

DAILY = "https://data-api.ecb.europa.eu/service/data/EXR/D.USD.EUR.SP00.A?format=csvdata"
HEADER = (
    "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS,UNIT,UNIT_MULT,"
    "TITLE,TITLE_COMPL"
)


def row(period: str, value: str, key: str = "EXR.D.USD.EUR.SP00.A") -> str:
    frequency, currency, base, kind, suffix = ([*key.split(".")[1:], "", "", "", "", ""])[:5]
    return (
        f"{key},{frequency},{currency},{base},{kind},{suffix},{period},{value},A,USD,0,US dollar/Euro,"
        '"ECB reference exchange rate, US dollar/Euro, 2:15 pm (C.E.T.)"'
    )


def table(*rows: str) -> str:
    return "\r\n".join((HEADER, *rows)) + "\r\n"


def rate(day: str, value: float) -> FxRate:
    return FxRate("ecb", "EUR-USD.FX", parse_time(day), RECV, value)


@pytest.mark.parametrize("endpoint", ["", DAILY])
def test_a_daily_rate_is_dollars_for_one_euro(endpoint: str) -> None:
    text = table(row("2026-11-26", "1.1581"), row("2026-11-27", "1.16"))
    for payload in (text, text.encode(), "\ufeff" + text):
        parsed = parse("ecb", payload, endpoint)
        assert said(parsed) == [rate("2026-11-26", 1.1581), rate("2026-11-27", 1.16)] and not parsed.rejects


def test_missing_values_are_no_rates_and_a_bad_row_costs_itself() -> None:
    rows = (
        row("2026-11-25", ""),
        row("2026-11-26", "NaN"),
        row("soon", "1.1"),
        row("2026-11-27", "?"),
        row("2026-11-28", "1", key=""),
        row("2026-11-30", "1.17"),
    )
    parsed = parse("ecb", table(*rows), DAILY)
    assert said(parsed) == [rate("2026-11-30", 1.17)] and classes(parsed) == ["malformed"] * 3


def test_columns_are_found_by_their_names() -> None:
    text = "OBS_VALUE,TIME_PERIOD,KEY,X\n178.2,2026-11-27,EXR.D.JPY.EUR.SP00.A,1\n"
    (found,) = said(parse("ecb", text))
    assert (found.instrument, found.rate) == ("EUR-JPY.FX", 178.2)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("2026-11", "2026-11-01"),
        ("2026-Q4", "2026-10-01"),
        ("2026-S2", "2026-07-01"),
        ("2026-W48", "2026-11-23"),
        ("2026", "2026-01-01"),
    ],
)
def test_any_other_series_is_a_value_at_the_start_of_its_period(period: str, start: str) -> None:
    (found,) = said(parse("ecb", table(row(period, "1.2", "EXR.M.USD.EUR.SP00.A"))))
    key = "EXR.M.USD.EUR.SP00.A"
    assert found == Macro(
        "ecb", f"{key}.ECB", parse_time(start), RECV, key, 1.2, unit="USD", title="US dollar/Euro"
    )


@pytest.mark.parametrize("period", ["2026-13", "2026-Q5", "2026-W60", "2026-11-31", "26", "2026-11-27T00:00"])
def test_what_is_no_period_is_malformed(period: str) -> None:
    assert classes(parse("ecb", table(row(period, "1")))) == ["malformed"]


@pytest.mark.parametrize(
    ("text", "status", "found"),
    [
        ("a,b,c,d\n1,2,3,4\n", None, "malformed"),
        ("No results found.", 404, "not_found"),
        ("<?xml version='1.0'?><Error>Bad Gateway</Error>", None, "upstream"),
        ("<html>Too many requests</html>", 200, "throttled"),
        ("", 503, "upstream"),
        ("{}", None, "malformed"),
    ],
)
def test_anything_else_says_what_it_is(text: str, status: int | None, found: str) -> None:
    parsed = parse("ecb", text, DAILY, status=status)
    assert classes(parsed) == [found] and not said(parsed)


def test_a_header_alone_gives_nothing() -> None:
    parsed = parse("ecb", HEADER, DAILY)
    assert not said(parsed) and not parsed.rejects


def test_a_file_is_read_row_by_row_and_a_capture_as_a_whole(tmp_path: Path) -> None:
    text = table(row("2026-11-26", "1.1581"), row("2026-11-27", "?"))
    file, capture = tmp_path / "rates.csv", tmp_path / "rates.jsonl"
    file.write_text(text)
    line = {"ts_recv": RECV, "source": "http", "endpoint": DAILY, "frame": text, "status": 200}
    capture.write_text(json.dumps(line) + "\n")
    parser = load_parser("ecb")
    rows = [each for each in read_payloads(file, parser) if isinstance(each, Row)]
    assert [(len(said(each.parsed)), len(each.parsed.rejects)) for each in rows] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (0, 0),
    ]
    (payload,) = read_payloads(capture, parser)
    parsed = parser.parse(payload.body, payload.origin)  # type: ignore[union-attr]
    assert said(parsed) == [rate("2026-11-26", 1.1581)] and classes(parsed) == ["malformed"]
