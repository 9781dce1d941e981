"""Numbers, days, errors and symbols that parsers of REST providers share."""

from __future__ import annotations

import pytest

from actors.feeds.rest import numbers
from domain.errors import Malformed


@pytest.mark.parametrize("absent", [None, "", " ", ".", "-", "None", "null", "N/A", "NaN"])
def test_words_for_nothing_are_no_number(absent: object) -> None:
    assert numbers.number(absent) is None and numbers.price(absent) is None and numbers.whole(absent) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1, 1.0),
        (1.5, 1.5),
        ("1.50", 1.5),
        ("-0.6600", -0.66),
        (" 7 ", 7.0),
        ("1,234.5", 1234.5),
        ("1e3", 1000.0),
    ],
)
def test_numbers_in_text_are_numbers(written: object, meant: float) -> None:
    assert numbers.number(written) == meant


@pytest.mark.parametrize(
    "bad", [True, [], {}, "abc", "1,2", "0x10", "1_000", "inf", "1" * 500, 10**400, "１２"]
)
def test_what_is_no_number_is_malformed(bad: object) -> None:
    with pytest.raises(Malformed):
        numbers.number(bad)


def test_percent_stays_percent() -> None:
    assert numbers.percent("-0.5852%") == -0.5852 and numbers.percent(5) == 5.0


def test_zero_is_an_amount_and_no_price() -> None:
    assert numbers.price("0.0") is None and numbers.amount("0") == 0.0
    with pytest.raises(Malformed):
        numbers.price(-1)


def test_a_fraction_is_no_count() -> None:
    assert numbers.whole("12") == 12 and numbers.whole(12.0) == 12
    assert numbers.whole("1651251948294080343") == numbers.whole(1651251948294080343) == 1651251948294080343
    with pytest.raises(Malformed):
        numbers.whole(1.5)


def test_millions_are_scaled_as_they_were_written() -> None:
    assert numbers.scaled(7454.47, 1_000_000) == 7_454_470_000.0
    assert numbers.scaled(None, 1_000_000) is None
