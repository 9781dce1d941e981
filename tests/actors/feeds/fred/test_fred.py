"""FRED's series in JSON and XML: values with their vintages, what series there are, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from actors.feeds.base import Origin
from actors.feeds.registry import load_parser
from domain.clock import parse_time
from domain.market.observations import InstrumentInfo
from domain.market.reference import Macro
from tests.parsed import RECV, classes, only, parse, parse_recorded, raw, said

API = "https://api.stlouisfed.org/fred"
OBSERVATIONS = f"{API}/series/observations?api_key=REDACTED&file_type=json&series_id="


def value(date: str, number: object = "1.5", **more: object) -> dict[str, object]:
    return {
        "realtime_start": "2026-11-27",
        "realtime_end": "2026-11-27",
        "date": date,
        "value": number,
    } | more


def body(*rows: dict[str, object], units: str = "lin") -> dict[str, object]:
    return {"units": units, "count": len(rows), "offset": 0, "limit": 100000, "observations": list(rows)}


def test_recorded_values_in_xml_are_those_that_stand_there(shared_data: Path) -> None:
    path = "fred/observations_DGS10_2020.xml"
    rows = re.findall(r'date="([^"]+)" value="([^"]+)"', (shared_data / path).read_text())
    parsed = parse_recorded(shared_data, "fred", path)
    assert len(rows) == 577 and not parsed.rejects
    assert parsed.facts == [
        Macro(
            "fred",
            "DGS10.FRED",
            parse_time(date),
            RECV,
            "DGS10",
            None if number == "." else float(number),
            "2022-03-21",
            "2022-03-21",
        )
        for date, number in rows
    ]
    assert sum(each.value is None for each in parsed.facts if isinstance(each, Macro)) > 10


def test_recorded_values_in_json_take_their_series_from_the_address(shared_data: Path) -> None:
    path = "fred/observations_HQMCB10YR_2023.json"
    found = said(parse_recorded(shared_data, "fred", path, OBSERVATIONS + "HQMCB10YR"))
    assert [(each.ts_event, each.value) for each in found] == [
        (parse_time(row["date"]), float(row["value"])) for row in raw(shared_data, path)["observations"]
    ]
    assert {each.instrument for each in found} == {"HQMCB10YR.FRED"}


def test_without_an_address_values_are_of_nobody_but_a_given_symbol(shared_data: Path) -> None:
    for name in ("observations_HQMCB10YR_2023.json", "observations_DGS10_2020.xml"):
        file = (shared_data / "fred" / name).read_bytes()
        assert classes(parse("fred", file)) == ["malformed"]
        parsed = load_parser("fred").parse(file, Origin("file", RECV, name, symbol="DGS5"))
        assert {each.instrument for each in parsed.facts} == {"DGS5.FRED"}


def test_what_is_missing_is_null_and_what_is_wrong_costs_its_row() -> None:
    rows = [value("2026-11-26", "."), value("2026-11-27", 4.11), value("soon"), value("2026-11-28", "x")]
    rows += [{"date": "2026-11-29"}, value("1209-01-01")]
    parsed = parse("fred", body(*rows), OBSERVATIONS + "DGS10")
    assert [each.value for each in said(parsed)] == [None, 4.11]
    assert classes(parsed) == ["malformed"] * 4


def test_days_before_1970_and_open_vintages_are_kept() -> None:
    row = value("1790-01-01", "5", realtime_start="1776-07-04", realtime_end="9999-12-31")
    found = only(parse("fred", body(row), OBSERVATIONS + "gdp"))
    assert found.ts_event == parse_time("1790-01-01") < 0 and found.series == "GDP"
    assert (found.realtime_start, found.realtime_end) == ("1776-07-04", "9999-12-31")


def test_other_units_and_frequencies_are_other_instruments() -> None:
    plain = only(parse("fred", body(value("2026-01-01")), OBSERVATIONS + "GDP"))
    change = only(parse("fred", body(value("2026-01-01"), units="pch"), OBSERVATIONS + "GDP&units=pch"))
    yearly = only(parse("fred", body(value("2026-01-01")), OBSERVATIONS + "GDP&frequency=a"))
    assert [each.instrument for each in (plain, change, yearly)] == [
        "GDP.FRED",
        "GDP:PCH.FRED",
        "GDP:A:AVG.FRED",
    ]
    assert {each.series for each in (plain, change, yearly)} == {"GDP"}
    assert (plain.unit, change.unit) == (None, "pch")


def test_vintages_in_columns_name_their_series_themselves() -> None:
    row = {"date": "2020-10-01", "GDP_20210128": "21487.9", "GDP_20210225": ".", "note": "x"}
    found = said(parse("fred", body(row)))
    assert [(each.instrument, each.value, each.realtime_start) for each in found] == [
        ("GDP.FRED", 21487.9, "2021-01-28"),
        ("GDP.FRED", None, "2021-02-25"),
    ]


@pytest.mark.parametrize(
    "endpoint", ["", "https://api.stlouisfed.org/fred/v2/release/observations?release_id=52"]
)
def test_a_release_holds_many_series(endpoint: str) -> None:
    release = {
        "has_more": True,
        "next_cursor": "abc",
        "release": {"release_id": 52},
        "series": [
            {
                "series_id": "DGS2",
                "title": "2 years",
                "units": "Percent",
                "observations": [{"date": "2026-11-27", "value": "3.5"}, {"date": "?", "value": "1"}],
            },
            {"title": "no id", "observations": []},
        ],
    }
    parsed = parse("fred", release, endpoint)
    assert said(parsed) == [
        Macro(
            "fred", "DGS2.FRED", parse_time("2026-11-27"), RECV, "DGS2", 3.5, unit="Percent", title="2 years"
        )
    ]
    assert classes(parsed) == ["malformed", "malformed"]


@pytest.mark.parametrize(
    "endpoint", ["", "https://api.stlouisfed.org/fred/v2/release/observations?release_id=52"]
)
def test_rows_that_name_their_series_need_no_address(endpoint: str) -> None:
    rows = [
        {"series_id": "dgs2", "date": "2026-11-27", "value": "3.5"},
        {"series_id": None, "date": "2026-11-27"},
    ]
    parsed = parse("fred", {"observations": rows}, endpoint)
    assert [(each.instrument, each.value) for each in said(parsed)] == [("DGS2.FRED", 3.5)]
    assert classes(parsed) == ["malformed"]


def test_series_are_instruments(shared_data: Path) -> None:
    row = raw(shared_data, "fred/series_DGS5.json")["seriess"][0]
    found = only(parse_recorded(shared_data, "fred", "fred/series_DGS5.json"))
    assert found == InstrumentInfo(
        "fred",
        "DGS5.FRED",
        parse_time("2022-03-18T15:24:43-05:00"),
        RECV,
        "DGS5",
        asset_class="macro",
        aliases=(row["title"],),
    )
    xml = only(parse_recorded(shared_data, "fred", "fred/series_GNPCA.xml"))
    assert (xml.instrument, xml.aliases) == ("GNPCA.FRED", ("Real Gross National Product",))


def test_a_search_lists_every_series_once(shared_data: Path) -> None:
    rows = raw(shared_data, "fred/series_search_finance.json")["seriess"]
    parsed = parse_recorded(shared_data, "fred", "fred/series_search_finance.json")
    assert not parsed.rejects
    assert [each.venue_symbol for each in said(parsed)] == [row["id"] for row in rows]
    assert len({each.instrument for each in said(parsed)}) == 1000


@pytest.mark.parametrize("status", [None, 200, 400, 403, 500])
@pytest.mark.parametrize(
    ("code", "message", "found"),
    [
        (400, "Bad Request.  The value for variable api_key is not registered.", "auth"),
        (400, "Bad Request.  Variable api_key is not set.", "auth"),
        (400, "Bad Request.  The series does not exist.", "not_found"),
        (400, "Bad Request.  Variable limit is not between 1 and 100000.", "bad_request"),
        (429, "Too Many Requests.  Exceeded Rate Limit", "throttled"),
        (500, "Internal Server Error", "upstream"),
        (503, "hold on", "upstream"),
    ],
)
def test_errors_in_json_and_xml_have_the_class_of_their_words(
    code: int, message: str, found: str, status: int | None
) -> None:
    wrong = {"error_code": code, "error_message": message}
    assert classes(parse("fred", wrong, OBSERVATIONS + "X", status=status)) == [found]
    xml = f'<?xml version="1.0" encoding="utf-8" ?>\n<error code="{code}" message="{message}"/>'
    assert classes(parse("fred", xml, OBSERVATIONS + "X", status=status)) == [found]


def test_a_key_in_the_address_is_not_in_the_reason() -> None:
    at = f"{API}/series/observations?series_id=X&api_key=abcdef0123456789abcdef0123456789"
    wrong = {
        "error_code": 400,
        "error_message": "api_key abcdef0123456789abcdef0123456789 is not registered.",
    }
    (reject,) = parse("fred", wrong, at).rejects
    assert "abcdef0123456789" not in reject.reason and reject.reject_class == "auth"


@pytest.mark.parametrize(
    ("payload", "endpoint", "found"),
    [
        ({"releases": []}, f"{API}/releases", "unsupported"),
        ({"a": 1}, "", "malformed"),
        (["x"], "", "malformed"),
        ("<observations><observation", OBSERVATIONS + "X", "malformed"),
        ("<other/>", "", "malformed"),
        ("<html><body>Service Unavailable<br></html>", OBSERVATIONS + "X", "upstream"),
        ("<!DOCTYPE html><html>Too Many Requests", OBSERVATIONS + "X", "throttled"),
    ],
)
def test_what_is_not_read_says_so(payload: Any, endpoint: str, found: str) -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    assert classes(parse("fred", text, endpoint)) == [found]


def test_a_series_without_values_gives_nothing() -> None:
    parsed = parse("fred", body(), OBSERVATIONS + "X")
    assert not said(parsed) and not parsed.rejects
