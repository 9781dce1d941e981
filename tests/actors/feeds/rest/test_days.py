"""Days and local times to ns UTC."""

from __future__ import annotations

import pytest

from actors.feeds.rest import days
from domain.clock import parse_time
from domain.errors import Malformed


def test_a_day_begins_at_midnight_of_its_exchange() -> None:
    assert days.day_ns("2020-05-08", days.NEW_YORK) == parse_time("2020-05-08T04:00:00Z")
    assert days.day_ns("2020-01-08", days.NEW_YORK) == parse_time("2020-01-08T05:00:00Z")
    assert days.day_ns("1953-04-01") < 0


def test_local_times_follow_summer_time() -> None:
    assert days.local_ns("2020-05-08 14:05:00", "US/Eastern") == parse_time("2020-05-08T18:05:00Z")
    assert days.local_ns("2017-12-18 14:56", "US/Eastern") == parse_time("2017-12-18T19:56:00Z")
    assert days.local_ns("2024-10-18 19:59:55.291", days.NEW_YORK) == parse_time("2024-10-18T23:59:55.291Z")


@pytest.mark.parametrize(
    "bad", ["", "2020-13-01", "2020-02-30", "soon", "0000-00-00", 5, None, "99999-01-01"]
)
def test_what_is_no_day_is_malformed(bad: object) -> None:
    with pytest.raises(Malformed):
        days.iso_day(bad)


def test_days_in_other_writings() -> None:
    assert days.iso_day("20260331") == days.iso_day("2026-03-31T16:00:00Z") == "2026-03-31"
    assert days.maybe_day("0000-00-00") is None and days.maybe_day("None") is None


def test_epochs_are_exact_and_bounded() -> None:
    assert days.epoch_ns(1651179319310617300, "ns") == 1651179319310617300
    assert days.epoch_ns("1651179319310", "ms") == 1651179319310 * 10**6
    assert days.epoch_ns(1.5, "s") == 1_500_000_000
    for bad in (10**30, -1, "x", None, 1e300, True):
        with pytest.raises(Malformed):
            days.epoch_ns(bad, "s")
    assert days.maybe_epoch_ns(0, "s") is None


def test_starts_of_weeks_and_months() -> None:
    assert days.week_start("2020-05-08") == "2020-05-04" and days.week_start("2025-08-24") == "2025-08-18"
    assert days.month_start("2020-05-08") == "2020-05-01"


def test_an_unknown_zone_is_malformed() -> None:
    for zone in ("Mars/Olympus", "../etc/passwd", "", "a" * 300, "\x00"):
        with pytest.raises(Malformed):
            days.day_ns("2020-05-08", zone)
