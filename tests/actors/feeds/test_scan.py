"""Numbers and times from a venue's text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.scan import Amount, Price, decimal_seconds_ns, rfc3339_ns
from domain.clock import MAX_NS, format_time
from domain.errors import Malformed


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2014-11-07T08:19:28.464459Z", 1_415_348_368_464_459_000),
        ("2019-08-14T20:42:27.265Z", 1_565_815_347_265_000_000),
        ("2023-10-04T16:25:00.000000001Z", 1_696_436_700_000_000_001),
        ("2023-10-04T16:25:00Z", 1_696_436_700_000_000_000),
        ("2023-10-04T18:25:00.5+02:00", 1_696_436_700_500_000_000),
    ],
)
def test_rfc3339_is_exact_to_the_nanosecond(text: str, ns: int) -> None:
    assert rfc3339_ns(text) == ns


@given(st.integers(0, MAX_NS))
@settings(max_examples=100)
def test_rfc3339_reads_what_we_print(ns: int) -> None:
    assert rfc3339_ns(format_time(ns)) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2014-11-07T08:19:60.464459Z",
        "2014-13-07T08:19:28.464459Z",
        "2014-11-07X08:19:28.464459Z",
        "1814-11-07T08:19:28.464459Z",
        "2214-11-07T08:19:28.464459Z",
    ],
)
def test_a_damaged_time_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        rfc3339_ns(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1618678133.365913", 1_618_678_133_365_913_000),
        ("1762795433.9717445", 1_762_795_433_971_744_500),
        ("1616663113", 1_616_663_113_000_000_000),
        ("1616663113.1234567891", 1_616_663_113_123_456_789),
        ("0.000000001", 1),
    ],
)
def test_decimal_seconds_never_pass_through_a_float(text: str, ns: int) -> None:
    assert decimal_seconds_ns(text) == ns


@pytest.mark.parametrize("text", ["", ".5", "-1.5", "1e9", "1 ", "nan", "1618678133.3x", "9" * 30, "١"])
def test_damaged_decimal_seconds_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        decimal_seconds_ns(text)


@pytest.mark.parametrize(
    "text", ['"nan"', '"inf"', '"-inf"', "-1", '"-0.1"', "1e400", '"1_0"', '" 1"', '""', "true", "null"]
)
def test_amounts_refuse_what_is_no_finite_quantity(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Amount, strict=False)


def test_amounts_accept_text_and_numbers_and_prices_need_more_than_zero() -> None:
    assert msgspec.json.decode('["0.10", 0.1, 0, "1e-7"]', type=list[Amount], strict=False) == [
        0.1,
        0.1,
        0.0,
        1e-7,
    ]
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode('"0.0"', type=Price, strict=False)
