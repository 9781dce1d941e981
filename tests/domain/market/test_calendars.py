"""Trading sessions against exchange_calendars, the exchanges' own notices, and themselves."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from exchange_calendars import get_calendar
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_S, format_time, parse_time
from domain.indicators.sessions import parse_sessions
from domain.market.calendars import (
    DAY_NS,
    is_open,
    next_close,
    next_open,
    same_session,
    session_around,
    sessions,
)
from domain.market.us_days import close_of, easter, holidays

FIRST, LAST = date(1998, 1, 1), date(2026, 12, 31)
STOCK, PAIR, COIN = "AAPL.XNAS", "EUR-USD.FX", "BTC-USD.COINBASE"


def told(instrument: str, start: str, end: str) -> list[tuple[str, str]]:
    found = sessions(instrument, parse_time(start), parse_time(end))
    return [(format_time(begin), format_time(end)) for begin, end in found]


@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray")
@pytest.mark.parametrize("exchange", ["XNYS", "XNAS"])
def test_every_session_since_1998_opens_and_closes_as_exchange_calendars_says(exchange: str) -> None:
    """An oracle of other hands: exchange_calendars (Apache-2.0), which knows both under one calendar."""
    calendar = get_calendar(exchange, start=FIRST.isoformat(), end=LAST.isoformat())
    opens, closes = ([stamp.value for stamp in times] for times in (calendar.opens, calendar.closes))
    expected = list(zip(opens, closes, strict=True))
    assert len(expected) > 7_200
    ours = sessions(f"IBM.{exchange}", parse_time(str(FIRST)), parse_time(str(LAST)) + DAY_NS)
    assert ours == expected


@pytest.mark.parametrize(
    ("year", "closed", "early"),
    [
        # The calendars that NYSE publishes; 2025-01-09 was declared later
        (2010, "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24", "11-26"),
        (2022, "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26", "11-25"),
        (2023, "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24"),
        (2024, "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25", "07-03 11-29 12-24"),
        (2025, "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25", "07-03 11-28 12-24"),
        (2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25", "11-27 12-24"),
    ],
)
def test_years_are_as_the_exchanges_published_them(year: int, closed: str, early: str) -> None:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365 + (year % 4 == 0))]
    weekdays = {day: close_of(day) for day in days if day.weekday() < 5}
    assert [f"{day:%m-%d}" for day, close in weekdays.items() if close is None] == closed.split()
    assert [f"{day:%m-%d}" for day, close in weekdays.items() if close == 13 * 3600] == early.split()


def test_easter_is_where_the_almanacs_have_it() -> None:
    """Earliest and latest of three centuries, and years around leap days (US Naval Observatory)."""
    known = ("1818-03-22", "1943-04-25", "2000-04-23", "2008-03-23", "2024-03-31", "2038-04-25", "2049-04-18")
    assert [easter(int(text[:4])) for text in known] == [date.fromisoformat(text) for text in known]


def test_new_years_day_on_a_saturday_is_not_kept_on_the_friday() -> None:
    assert close_of(date(2021, 12, 31)) == 16 * 3600
    assert close_of(date(2022, 1, 3)) == 16 * 3600
    assert len(holidays(2022)) == 9 and len(holidays(2024)) == 10 and len(holidays(2020)) == 9


def test_the_day_after_thanksgiving_ends_at_one_o_clock() -> None:
    assert told(STOCK, "2026-11-26", "2026-11-28") == [("2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z")]
    assert is_open(STOCK, parse_time("2026-11-27T17:59:59Z"))
    assert not is_open(STOCK, parse_time("2026-11-27T18:00:00Z"))
    assert not is_open(STOCK, parse_time("2026-11-26T15:00:00Z")), "Thanksgiving"


def test_currencies_trade_from_sunday_to_friday_and_rest_on_christmas_and_new_years_day() -> None:
    assert told(PAIR, "2026-07-15", "2026-07-16") == [("2026-07-12T21:00:00Z", "2026-07-17T21:00:00Z")]
    assert told(PAIR, "2024-12-23", "2025-01-03") == [
        ("2024-12-22T22:00:00Z", "2024-12-24T22:00:00Z"),
        ("2024-12-25T22:00:00Z", "2024-12-27T22:00:00Z"),
        ("2024-12-29T22:00:00Z", "2024-12-31T22:00:00Z"),
        ("2025-01-01T22:00:00Z", "2025-01-03T22:00:00Z"),
    ]


def test_a_week_of_currencies_over_a_clock_change_is_an_hour_shorter_or_longer() -> None:
    """New York changes on Sunday at 2:00, the market opens at 17:00: the weekend absorbs it."""
    assert told(PAIR, "2026-03-07", "2026-03-09") == [("2026-03-08T21:00:00Z", "2026-03-13T21:00:00Z")]
    assert told(PAIR, "2026-10-30", "2026-11-02") == [
        ("2026-10-25T21:00:00Z", "2026-10-30T21:00:00Z"),
        ("2026-11-01T22:00:00Z", "2026-11-06T22:00:00Z"),
    ]


def test_no_two_trading_days_share_a_session_of_the_indicators() -> None:
    """What begins anew at 9:30 New York (`vwap`) does so on each trading day, whatever holidays lie between:
    it needs no calendar. The offsets of the time zone database are a second witness of ours."""
    found = np.array(sessions(STOCK, parse_time("2005-01-01"), parse_time("2027-01-01")), np.int64)
    by_day = parse_sessions("09:30@America/New_York")
    first, last = by_day.days(found[:, 0]), by_day.days(found[:, 1] - 1)
    assert len(found) > 5_500 and (first == last).all()
    assert (np.diff(first) >= 1).all() and set(np.diff(first).tolist()) == {1, 2, 3, 4, 5}
    assert (by_day.days(found[:, 0] - 1) == first - 1).all()


def test_what_opens_and_closes_next_is_told_before_within_and_after_a_session() -> None:
    friday, monday = "2026-11-20", "2026-11-23"
    for time, opens, closes in (
        (f"{friday}T14:29:59Z", f"{friday}T14:30:00Z", f"{friday}T21:00:00Z"),
        (f"{friday}T14:30:00Z", f"{monday}T14:30:00Z", f"{friday}T21:00:00Z"),
        (f"{friday}T21:00:00Z", f"{monday}T14:30:00Z", f"{monday}T21:00:00Z"),
    ):
        ts = parse_time(time)
        assert next_open(STOCK, ts) == parse_time(opens)
        assert next_close(STOCK, ts) == parse_time(closes)
    assert next_open(STOCK, parse_time("2001-09-11T12:00:00Z")) == parse_time("2001-09-17T13:30:00Z")


def test_a_market_without_a_calendar_is_always_open() -> None:
    ts = parse_time("2026-12-25T12:00:00Z")
    assert is_open(COIN, ts) and is_open("SAP.XETR", ts)
    assert next_open(COIN, ts) is next_close(COIN, ts) is session_around(COIN, ts) is None
    assert sessions(COIN, ts, ts + 5) == [(ts, ts + 5)] and sessions(COIN, ts, ts) == []


times = st.integers(parse_time("1998-01-08") // NS_PER_S, parse_time("2060-01-01") // NS_PER_S)
instruments = st.sampled_from([STOCK, PAIR])
CLOCK_CHANGE = parse_time("2026-03-08T06:59:00Z") // NS_PER_S


@settings(max_examples=60, deadline=None)
@given(instruments, times, st.integers(1, 40 * 86_400))
@example(STOCK, CLOCK_CHANGE, 5 * 86_400)
@example(PAIR, CLOCK_CHANGE, 5 * 86_400)
def test_sessions_are_ordered_disjoint_and_where_the_market_is_open(
    instrument: str, start_s: int, seconds: int
) -> None:
    start, end = start_s * NS_PER_S, (start_s + seconds) * NS_PER_S
    found = sessions(instrument, start, end)
    assert all(opens < closes for opens, closes in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert all(opens < end and start < closes for opens, closes in found)
    for opens, closes in found:
        assert not is_open(instrument, opens - 1) and is_open(instrument, opens)
        assert is_open(instrument, closes - 1) and not is_open(instrument, closes)
        assert session_around(instrument, (opens + closes) // 2) == (opens, closes)


@settings(max_examples=200, deadline=None)
@given(instruments, times)
def test_a_time_is_open_exactly_where_a_session_holds_it(instrument: str, second: int) -> None:
    ts = second * NS_PER_S
    around = session_around(instrument, ts)
    opens, closes = next_open(instrument, ts), next_close(instrument, ts)
    assert opens is not None and closes is not None and opens > ts and closes > ts
    assert is_open(instrument, ts) is (around is not None) is (closes < opens)
    assert is_open(instrument, opens) and not is_open(instrument, opens - 1)


@settings(max_examples=200, deadline=None)
@given(instruments, times, st.integers(0, 80 * 3600))
def test_two_times_are_of_one_session_exactly_where_the_same_holds_both(
    instrument: str, second: int, later: int
) -> None:
    since, until = second * NS_PER_S, (second + later) * NS_PER_S
    around = session_around(instrument, since)
    assert same_session(instrument, since, until) is (around is not None and until < around[1])
    assert same_session(COIN, since, until + 10 * DAY_NS)


@settings(max_examples=60, deadline=None)
@given(instruments, times, st.integers(0, 20 * 86_400), st.integers(1, 20 * 86_400))
def test_a_part_of_a_window_has_the_same_sessions(
    instrument: str, start_s: int, skipped: int, seconds: int
) -> None:
    start = start_s * NS_PER_S
    begin, end = start + skipped * NS_PER_S, start + (skipped + seconds) * NS_PER_S
    whole = sessions(instrument, start, end + 30 * DAY_NS)
    within = [session for session in whole if session[0] < end and begin < session[1]]
    assert sessions(instrument, begin, end) == within
