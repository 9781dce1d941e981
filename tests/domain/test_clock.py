"""Times as text: what is written reads back to the nanosecond, and is what the calendar says."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import MAX_NS, NS_PER_S, format_time, parse_time


@given(st.integers(0, MAX_NS), st.sampled_from([1, 1_000, 1_000_000, NS_PER_S]))
def test_a_time_reads_back_and_its_seconds_are_the_calendars(ns, unit):
    ns -= ns % unit
    text = format_time(ns)
    moment = dt.datetime.fromtimestamp(ns // NS_PER_S, dt.UTC)
    assert text.startswith(moment.strftime("%Y-%m-%dT%H:%M:%S"))
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (951_868_799 * NS_PER_S, "2000-02-29T23:59:59Z"),
        (1_700_006_400 * NS_PER_S + 120_000_000, "2023-11-15T00:00:00.120Z"),
        (1_700_006_400 * NS_PER_S + 120_000, "2023-11-15T00:00:00.000120Z"),
        (1_700_006_400 * NS_PER_S + 12, "2023-11-15T00:00:00.000000012Z"),
    ],
)
def test_fractions_have_as_many_digits_as_they_need(ns, text):
    assert format_time(ns) == text
