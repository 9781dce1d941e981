"""When a market is expected to trade: US exchanges with their holidays, the week of currencies, else always.

Sessions are `[open, close)` in ns UTC. Pure rules: no table of an installed library, no time zone database,
so that a fold says the same for ever. Decided by the venue of an instrument's id:

    XNAS XNYS US ...    regular hours 9:30 to 16:00 New York, holidays and early closings (us_days.py)
    FX                  Sunday 17:00 to Friday 17:00 New York, without Christmas Day and New Year's Day
    any other           around the clock: its hours are not known

Currencies have no exchange that could close. Their day runs from 17:00 to 17:00 New York, the time at which
value dates roll; those of the 25th of December and the 1st of January are the two that brokers announce as
closed every year (some close hours before or open an hour after). Other holidays are thin, and open.

Valid from 1998-01-01 on (see us_days.py), and for the clock changes of the Energy Policy Act of 2005 and the
Uniform Time Act as amended in 1986, before 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache

from domain.clock import NS_PER_S
from domain.ids import venue_of
from domain.market.us_days import HOUR_S, OPEN_S, SATURDAY, SUNDAY, close_of

Session = tuple[int, int]
"""(open, close), ns UTC; open within it, close not."""

DAY_NS = 24 * HOUR_S * NS_PER_S
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
US_VENUES = frozenset({"US", "XNAS", "XNYS", "ARCX", "BATS", "EDGX", "XASE", "IEXG", "OPRA"})
FX_VENUES = frozenset({"FX"})
FX_ROLL_S = 17 * HOUR_S
FX_CLOSED = frozenset({(1, 1), (12, 25)})
"""Month and day."""
SHORTEST_CLOSED_NS = 17 * HOUR_S * NS_PER_S
"""Less than any market here stays closed between two sessions: 17.5 h of a night in New York."""
LONGEST_DAYS = 7
"""More than any session or closed stretch lasts: the longest closed one is 2001-09-10 to 17, of 6.7 days."""


def has_hours(instrument: str) -> bool:
    """Whether its market ever closes."""
    return _trading_day(instrument) is not None


def is_open(instrument: str, ts: int) -> bool:
    """Whether trading is expected at `ts`, ns UTC."""
    trading = _trading_day(instrument)
    if trading is None:
        return True
    day = ts // DAY_NS
    return any(session[0] <= ts < session[1] for session in (trading(day), trading(day + 1)) if session)


def same_session(instrument: str, since: int, until: int) -> bool:
    """Whether a market was open at `since` and never closed until `until`, which is not before it."""
    if not has_hours(instrument):
        return True
    if until - since < SHORTEST_CLOSED_NS:
        return is_open(instrument, since) and is_open(instrument, until)
    around = session_around(instrument, since)
    return around is not None and until < around[1]


def sessions(instrument: str, start: int, end: int) -> list[Session]:
    """Whole sessions that overlap `[start, end)`, oldest first, disjoint, never touching each other.

    Of a market that never closes the window itself.
    """
    trading = _trading_day(instrument)
    if end <= start:
        return []
    if trading is None:
        return [(start, end)]
    found: list[Session] = []
    for day in range(start // DAY_NS - LONGEST_DAYS, end // DAY_NS + LONGEST_DAYS + 1):
        session = trading(day)
        if session is None:
            continue
        if found and found[-1][1] == session[0]:
            found[-1] = (found[-1][0], session[1])
        else:
            found.append(session)
    return [session for session in found if session[0] < end and start < session[1]]


def session_around(instrument: str, ts: int) -> Session | None:
    """The session that holds `ts`; None while closed, and of a market that never closes."""
    if _trading_day(instrument) is None:
        return None
    return next(iter(sessions(instrument, ts, ts + 1)), None)


def next_open(instrument: str, ts: int) -> int | None:
    """When the first session after `ts` begins; None where the market never closes."""
    if _trading_day(instrument) is None:
        return None
    coming = sessions(instrument, ts, ts + 2 * LONGEST_DAYS * DAY_NS)
    return next(session[0] for session in coming if session[0] > ts)


def next_close(instrument: str, ts: int) -> int | None:
    """When the session that holds `ts` ends, or else the next one; None where the market never closes."""
    if _trading_day(instrument) is None:
        return None
    return sessions(instrument, ts, ts + 2 * LONGEST_DAYS * DAY_NS)[0][1]


def _trading_day(instrument: str) -> Callable[[int], Session | None] | None:
    """Day since 1970 -> its session or None; None itself for a market that never closes."""
    venue = venue_of(instrument)
    if venue in US_VENUES:
        return _us_session
    return _fx_session if venue in FX_VENUES else None


@lru_cache(maxsize=4096)
def _us_session(day: int) -> Session | None:
    close_s = close_of(_date(day))
    return None if close_s is None else (_new_york(day, OPEN_S), _new_york(day, close_s))


@lru_cache(maxsize=4096)
def _fx_session(day: int) -> Session | None:
    """The trading day that ends at 17:00 of a day."""
    then = _date(day)
    if then.weekday() >= SATURDAY or (then.month, then.day) in FX_CLOSED:
        return None
    return _new_york(day - 1, FX_ROLL_S), _new_york(day, FX_ROLL_S)


def _new_york(day: int, second: int) -> int:
    """A time of day in New York, from 3:00 on (clocks change at 2:00), as ns UTC."""
    begins, ends = _daylight_saving(_date(day).year)
    offset_s = 4 * HOUR_S if begins <= day < ends else 5 * HOUR_S
    return day * DAY_NS + (second + offset_s) * NS_PER_S


@lru_cache(maxsize=128)
def _daylight_saving(year: int) -> tuple[int, int]:
    """First day with summer time and first without: the second Sunday of March to the first of November;
    before 2007 the first of April to the last of October."""
    if year >= 2007:
        return _sunday(year, 3, 8), _sunday(year, 11, 1)
    return _sunday(year, 4, 1), _sunday(year, 10, 25)


def _sunday(year: int, month: int, from_day: int) -> int:
    """The first Sunday on or after a day, in days since 1970."""
    day = date(year, month, from_day)
    return day.toordinal() - EPOCH_ORDINAL + (SUNDAY - day.weekday()) % 7


def _date(day: int) -> date:
    return date.fromordinal(EPOCH_ORDINAL + day)
