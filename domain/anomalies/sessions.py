"""When a market is expected to say something: a closed session is no halt and no frozen feed.

By venue, without holidays: on a holiday nothing has been said since the open, so nothing is missed.
"""

from __future__ import annotations

from domain.clock import NS_PER_S
from domain.ids import venue_of

DAY_S = 86_400
HOUR_S = 3_600
FX_VENUES = frozenset({"FX"})
US_VENUES = frozenset({"US", "XNAS", "XNYS", "ARCX", "BATS", "XASE", "IEXG", "OPRA"})
US_OPEN_S, US_CLOSE_S = 9 * HOUR_S + 1800, 16 * HOUR_S
FX_ROLL_S = 17 * HOUR_S
"""New York time at which the week of currencies ends on Friday and begins on Sunday."""
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6


def is_open(instrument: str, ts: int) -> bool:
    """Whether trading is expected at `ts` (ns UTC): US hours, the FX week, else around the clock."""
    venue = venue_of(instrument)
    if venue not in FX_VENUES and venue not in US_VENUES:
        return True
    local_s = ts // NS_PER_S + new_york_offset_s(ts)
    day, second = divmod(local_s, DAY_S)
    weekday = (day + 3) % 7
    if venue in US_VENUES:
        return weekday < SATURDAY and US_OPEN_S <= second < US_CLOSE_S
    if weekday == FRIDAY:
        return second < FX_ROLL_S
    return weekday != SATURDAY and (weekday != SUNDAY or second >= FX_ROLL_S)


def new_york_offset_s(ts: int) -> int:
    """Seconds to add to UTC: -4 h from the second Sunday of March, 2:00, to the first of November, 2:00
    (Energy Policy Act of 2005, in force since 2007); else -5 h."""
    second = ts // NS_PER_S
    year = _year(second)
    begins = _sunday(year, 3, 8) + 7 * HOUR_S
    ends = _sunday(year, 11, 1) + 6 * HOUR_S
    return -4 * HOUR_S if begins <= second < ends else -5 * HOUR_S


def _year(second: int) -> int:
    return 1970 + int(second // DAY_S / 365.2425)


def _sunday(year: int, month: int, from_day: int) -> int:
    """Midnight UTC of the first Sunday on or after a day, in s."""
    day = _days(year, month, from_day)
    return (day + (SUNDAY - (day + 3)) % 7) * DAY_S


def _days(year: int, month: int, day: int) -> int:
    """Since 1970-01-01 (Hinnant, chrono-compatible low-level date algorithms)."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
