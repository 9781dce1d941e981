"""Dates of feeds in their many forms."""

from __future__ import annotations

import time

import pytest

from actors.feeds.rss.dates import feed_time
from domain.clock import parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 31 Jan 2018 20:15:15 GMT", "2018-01-31T20:15:15Z"),
        ("Thu, 12 Nov 2015 21:16:39 +0000", "2015-11-12T21:16:39Z"),
        ("Mon, 02 Nov 2026 10:20:30 -0500", "2026-11-02T15:20:30Z"),
        ("Mon, 02 Nov 2026 10:20:30 -0000", "2026-11-02T10:20:30Z"),
        ("Mon, 02 Nov 2026 10:20:30 EST", "2026-11-02T15:20:30Z"),
        ("Mon, 02 Nov 2026 10:20:30 CET", "2026-11-02T09:20:30Z"),
        ("Mon, 02 Nov 2026 10:20:30 IST", "2026-11-02T04:50:30Z"),
        ("Mon, 02 Nov 2026 10:20:30 GMT+0200", "2026-11-02T08:20:30Z"),
        ("2 November 2026 10:20", "2026-11-02T10:20:00Z"),
        ("03 Apr 02 1500 GMT", "2002-04-03T15:00:00Z"),
        ("Mo, 02 Nov 2026 10:20:30 +0100", "2026-11-02T09:20:30Z"),
        ("Di., 06 Okt. 2026 10:20:30 MESZ", "2026-10-06T08:20:30Z"),
        ("mar., 01 déc. 2026 10:20:30 +0100", "2026-12-01T09:20:30Z"),
        ("lun, 05 ene 2026 10:20:30 +0100", "2026-01-05T09:20:30Z"),
        ("gio, 01 ott 2026 10:20:30 +0200", "2026-10-01T08:20:30Z"),
        ("2015-10-15T04:20:50.312-07:00", "2015-10-15T11:20:50.312Z"),
        ("2026-11-02T10:20:30Z", "2026-11-02T10:20:30Z"),
        ("2026-11-02T10:20:30.123456789123Z", "2026-11-02T10:20:30.123456789Z"),
    ],
)
def test_dates_as_they_are_written(text: str, moment: str) -> None:
    assert feed_time(text, None) == parse_time(moment)


def test_another_form_is_left_to_feedparser() -> None:
    assert feed_time("2004년 05월 28일", time.gmtime(1_085_709_600)) == 1_085_709_600 * 10**9


@pytest.mark.parametrize(
    "text",
    ["", "soon", None, 5, "Wed, 99 Jan 2018 20:15:15 GMT", "Wed, 31 Jan 1950 20:15:15 GMT",
     "1 Foo 2020 10:00", "0000-00-00T00:00:00Z", "Mon, 02 Nov 2026 10:20:30 QQQ"],
)  # fmt: skip
def test_what_is_no_date_is_none(text: object) -> None:
    assert feed_time(text, None) is None
    assert feed_time(text, time.gmtime(-5)) is None and feed_time(text, "x") is None
