"""Bars that repeat the last price again and again: a frozen feed, a closed session, or a sleepy market.

How long a run is unlikely depends on the series' own habit: with a share `p` of repeating bars, a run of
`n` has the chance p^n (they are not independent, so the bound is far out). Bars without volume (0) are
silence: that is worth a word only in an hour of the day that has always been busy, on days that have; or,
while the hours are not known yet, where nearly every bar traded before and the silence begins at a time of
day at which no session ends.
"""

from __future__ import annotations

import math

from msgspec import Struct

from domain.anomalies.found import AnomalyClass, Finding, severity
from domain.clock import NS_PER_MIN

CHANCE = 1e-6
MIN_RUN = 5
MIN_SAME_RANGE = 3
"""Whole bars with a range do not repeat by chance."""
MIN_SEEN = 30.0
FORGETTING = 0.995
"""Per bar: the habit is that of the last 200 bars or so."""
LEAST_SHARE = 0.005
MAX_LEARNT = 20
"""Of one run: a dead week-end must not become the habit of the whole week."""
BUSY_DAYS = 3
NS_PER_HOUR = 60 * NS_PER_MIN
HOURS = 24
ALWAYS_SEEN, ALWAYS_SHARE = 100.0, 0.02
"""Trading without a rest: of so many bars at least, the share that may have repeated the price."""
CLOSING_NS = 15 * NS_PER_MIN
"""Sessions end at a whole quarter of an hour; a silence of less than one is not worth a word."""
SILENT_ROWS = 15
"""The same of rows without times."""
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

Prices = tuple[float, float, float, float]


class RepeatsState(Struct, frozen=True, array_like=True):
    last: Prices | None
    run: int
    same_range: int
    run_row: int
    run_ts: int
    idle: int
    expected: int
    told: bool
    seen: float
    repeated: float
    busy: tuple[int, ...]
    quiet: tuple[int, ...]
    busy_day: tuple[int, ...]
    weekend_busy: bool


class Repeats:
    """`timed`: timestamps are real; else they are row numbers and know no hours."""

    __slots__ = (
        "_busy",
        "_busy_day",
        "_expected",
        "_idle",
        "_last",
        "_quiet",
        "_repeated",
        "_run",
        "_run_row",
        "_run_ts",
        "_same_range",
        "_seen",
        "_timed",
        "_told",
        "_weekend_busy",
    )

    _busy: list[int]
    _busy_day: list[int]
    _expected: int
    _idle: int
    _last: Prices | None
    _quiet: list[int]
    _repeated: float
    _run: int
    _run_row: int
    _run_ts: int
    _same_range: int
    _seen: float
    _told: bool
    _weekend_busy: bool

    def __init__(self, *, timed: bool) -> None:
        self._timed = timed
        never = (0,) * HOURS
        self.restore(
            RepeatsState(None, 0, 0, 0, 0, 0, 0, False, 0.0, 0.0, never, never, never, weekend_busy=False)
        )

    def observe(self, row: int, ts: int, prices: Prices, volume: float) -> Finding | None:
        """A finding on the bar with which a run becomes too long; once per run."""
        last, self._last = self._last, prices
        flat = prices[1] == prices[2]
        if last is None or prices[3] != last[3] or not (flat or prices == last):
            self._end_run()
            self._learn(ts, active=volume != 0.0)
            return None
        if self._run == 0:
            self._run_row, self._run_ts = row, ts
        self._run += 1
        self._same_range += not flat
        self._idle += volume == 0.0
        self._expected += self._is_expected(ts, idle=volume == 0.0)
        if volume == 0.0:
            self._learn(ts, active=False)
        return None if self._told else self._judge(ts, prices[3])

    @property
    def run(self) -> int:
        """Bars that have repeated the last price."""
        return self._run

    def _judge(self, ts: int, price: float) -> Finding | None:
        share = max(LEAST_SHARE, (self._repeated + 0.5) / (self._seen + 1.0))
        needed = max(MIN_RUN, math.ceil(math.log(CHANCE) / math.log(min(share, 0.99))))
        if self._same_range >= MIN_SAME_RANGE and self._idle == 0:
            needed = MIN_SAME_RANGE
        elif self._seen < MIN_SEEN:
            return None
        silent = 2 * self._idle > self._run
        if min(self._run, self._expected) < needed or (silent and not self._is_long(ts)):
            return None
        self._told = True
        verdict: AnomalyClass = "unclear" if silent else "data_error"
        evidence = {
            "repeats": float(self._run),
            "needed": float(needed),
            "usual_share": round(share, 6),
            "price": price,
            "without_volume": float(self._idle),
        }
        return Finding(
            "frozen_feed", verdict, severity(self._run + 1.0, needed), self._run_row, self._run_ts, evidence
        )

    def _is_expected(self, ts: int, *, idle: bool) -> bool:
        """Whether a bar at this time should move: not at hours and on days that are quiet by habit."""
        if not self._timed:
            return not idle or self._never_rests()
        if _is_weekend(ts) and not self._weekend_busy:
            return False
        if not idle:
            return True
        hour = ts // NS_PER_HOUR % HOURS
        if self._busy[hour] >= BUSY_DAYS:
            return self._quiet[hour] == 0
        return self._run_ts % CLOSING_NS != 0 and self._never_rests()

    def _is_long(self, ts: int) -> bool:
        return ts - self._run_ts >= CLOSING_NS if self._timed else self._run >= SILENT_ROWS

    def _never_rests(self) -> bool:
        return self._seen >= ALWAYS_SEEN and self._repeated <= ALWAYS_SHARE * self._seen

    def _learn(self, ts: int, *, active: bool) -> None:
        if not self._timed:
            return
        hour, day = ts // NS_PER_HOUR % HOURS, ts // (HOURS * NS_PER_HOUR)
        if not active:
            if self._busy[hour] < BUSY_DAYS:
                self._quiet[hour] = 1
        elif self._busy_day[hour] != day:
            self._busy_day[hour] = day
            self._busy[hour] = min(self._busy[hour] + 1, 1000)
        if active and _is_weekend(ts):
            self._weekend_busy = True

    def _end_run(self) -> None:
        learnt = 0 if self._told and 2 * self._idle > self._run else min(self._expected, MAX_LEARNT)
        forgotten = FORGETTING ** (learnt + 1)
        self._seen = self._seen * forgotten + learnt + 1
        self._repeated = self._repeated * forgotten + learnt
        self._run = self._same_range = self._idle = self._expected = 0
        self._told = False

    def snapshot(self) -> RepeatsState:
        return RepeatsState(
            self._last,
            self._run,
            self._same_range,
            self._run_row,
            self._run_ts,
            self._idle,
            self._expected,
            self._told,
            self._seen,
            self._repeated,
            tuple(self._busy),
            tuple(self._quiet),
            tuple(self._busy_day),
            self._weekend_busy,
        )

    def restore(self, state: RepeatsState) -> None:
        self._last = state.last
        self._run, self._same_range = state.run, state.same_range
        self._run_row, self._run_ts = state.run_row, state.run_ts
        self._idle, self._expected, self._told = state.idle, state.expected, state.told
        self._seen, self._repeated = state.seen, state.repeated
        self._busy, self._quiet = list(state.busy), list(state.quiet)
        self._busy_day = list(state.busy_day)
        self._weekend_busy = state.weekend_busy


def _is_weekend(ts: int) -> bool:
    return (ts // (HOURS * NS_PER_HOUR) + EPOCH_WEEKDAY) % 7 >= 5
