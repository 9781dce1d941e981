"""The days on which US exchanges trade, and when each ends: by rule, and the few exceptions by date.

Rules: NYSE Rule 7.2 (holidays; one on a Saturday is kept on the Friday before, one on a Sunday on the Monday
after; the Friday stays open where it ends a month or a year, which is New Year's Day on a Saturday) and the
holiday and early-closing calendars that NYSE and Nasdaq publish, which agree. Early closings are at 13:00
New York; options on some funds and indices trade for 15 minutes more.

Valid from 1998-01-01 on, the first year with all the holidays but Juneteenth. Of years to come it knows the
rules as they are today; a closing declared afterwards (a day of mourning, a storm) is not known before it is
added to `CLOSED`. Keepers fold by this table: whoever changes what it says of days that may be in somebody's
log raises `FOLD_VERSION` (domain/partition.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

VALID_FROM = date(1998, 1, 1)
HOUR_S = 3_600
OPEN_S = 9 * HOUR_S + 1_800
CLOSE_S = 16 * HOUR_S
EARLY_CLOSE_S = 13 * HOUR_S
"""Seconds after midnight in New York."""
MONDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 2, 3, 4, 5, 6
JUNETEENTH_SINCE = 2022
"""A federal holiday since 2021-06-17, kept by the exchanges from the next year on."""
JULY_3RD_ON_WEDNESDAYS_SINCE = 2013
"""Before, the Friday after a Thursday's Independence Day ended early in its stead."""

CLOSED = frozenset(
    {
        *(date(2001, 9, day) for day in (11, 12, 13, 14)),  # attacks on New York and Washington
        date(2004, 6, 11),  # mourning for President Reagan
        date(2007, 1, 2),  # mourning for President Ford
        *(date(2012, 10, day) for day in (29, 30)),  # hurricane Sandy
        date(2018, 12, 5),  # mourning for President G. H. W. Bush
        date(2025, 1, 9),  # mourning for President Carter
    }
)
"""Unscheduled: NYSE, Special Closings since 1885 (nyse.com/pdfs/closings.pdf), and notices since."""
CLOSED_EARLY = frozenset({date(1999, 12, 31), date(2003, 12, 26)})
"""Announced for that day alone (the same list)."""


@lru_cache(maxsize=4096)
def close_of(day: date) -> int | None:
    """When trading ends, in s after midnight in New York; None on a day without trading."""
    if day.weekday() >= SATURDAY or day in CLOSED or day in holidays(day.year):
        return None
    return EARLY_CLOSE_S if day in CLOSED_EARLY or _ends_early(day) else CLOSE_S


@lru_cache(maxsize=128)
def holidays(year: int) -> frozenset[date]:
    """Days of a year on which a holiday is kept; ten, with one less where New Year's Day is a Saturday."""
    new_year = date(year, 1, 1)
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    if new_year.weekday() != SATURDAY:
        fixed.append(new_year)
    return frozenset(
        {
            *(_kept(day) for day in fixed),
            _nth(year, 1, MONDAY, 3),  # Martin Luther King Jr.
            _nth(year, 2, MONDAY, 3),  # Washington's birthday
            easter(year) - timedelta(days=2),
            _nth(year, 6, MONDAY, 1) - timedelta(days=7),  # Memorial Day: the last Monday of May
            _nth(year, 9, MONDAY, 1),  # Labor Day
            thanksgiving(year),
        }
    )


def thanksgiving(year: int) -> date:
    return _nth(year, 11, THURSDAY, 4)


def easter(year: int) -> date:
    """Sunday, Gregorian (Meeus, Astronomical Algorithms, 1991, chapter 8)."""
    century, of_century = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _ends_early(day: date) -> bool:
    """Of a trading day: before Independence Day and Christmas, and after Thanksgiving."""
    if day.month == 7:
        return _ends_early_in_july(day)
    if day.month == 11:
        return day == thanksgiving(day.year) + timedelta(days=1)
    return (day.month, day.day) == (12, 24)


def _ends_early_in_july(day: date) -> bool:
    wednesdays = day.year >= JULY_3RD_ON_WEDNESDAYS_SINCE
    if day.day == 3:
        return day.weekday() != WEDNESDAY or wednesdays
    return day.day == 5 and day.weekday() == FRIDAY and not wednesdays


def _kept(day: date) -> date:
    """The weekday on which a holiday of a fixed date is kept."""
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """The first, second ... such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
