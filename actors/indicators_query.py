"""Indicator values over recorded bars, the newest of them still forming.

What is asked for is a window of bars; what is read begins as many bars before it as the specs reach
back (`domain.indicators.reach`), so that no value depends on where the window begins. A spec with an
interval of its own is computed from the stored bars of that interval and told at the bars of the window
from its bar's close on. Nothing is kept: the same question later gives the corrected values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from actors.adjusting import newest_end
from actors.answers import BarRow
from actors.bars_query import BarsModel, base_of
from domain.errors import Malformed, OverLimit
from domain.indicators.bank import first_values
from domain.indicators.bars import Bars, Floats
from domain.indicators.beside import Series, spec_columns
from domain.indicators.reach import Reach, reach
from domain.indicators.sessions import UTC_DAYS, Sessions, parse_sessions
from domain.indicators.spec import Spec, parse_spec
from domain.market.adjust import adjusted
from domain.market.intervals import bar_start, interval_ns
from domain.market.splits import Split, in_force, shares_of
from storage.read_models.bars import MAX_ROWS

MAX_BACK = 8_000
"""Bars read before a window at most: with the window, what one query of the bars gives."""
MAX_SPECS = 16
MAX_VALUES = 1_000
"""Bars in one answer."""


class IndicatorsAsked(Struct, frozen=True, array_like=True):
    """start <= ts_event < end, the first `limit` bars of `interval`. Times in ns UTC.

    `start` None: so many intervals before the end. `end` None: after the newest bar. `session`: see
    `domain.indicators.sessions`; empty: the UTC day. `adjusted`: in the shares of the newest bar there is.
    """

    instrument: str
    interval: str
    specs: tuple[str, ...]
    limit: int
    start: int | None = None
    end: int | None = None
    session: str = ""
    adjusted: bool = True


class SpecAnswer(Struct, frozen=True, array_like=True):
    """`interval`: of the bars it was computed from, `since` the first of them (None: there was none).

    `settled` False: it depends on bars before that one which were not read; see `Reach`.
    """

    spec: str
    interval: str
    since: int | None
    settled: bool


class IndicatorsAnswer(Struct, frozen=True, array_like=True):
    """Columns, a row per bar, oldest first; `values` one column per spec, None where there is no value.

    `closed` False: the bar still forms and its values are provisional. `more`: start of the next bar.
    `splits`: by which the bars were adjusted, oldest first; `next_split`: when another one takes effect.
    """

    instrument: str
    interval: str
    specs: tuple[SpecAnswer, ...]
    starts: list[int]
    closed: list[bool]
    revisions: list[int]
    values: list[list[float | None]]
    more: int | None
    splits: tuple[Split, ...] = ()
    next_split: int | None = None


ReadBars = Callable[[str, int, int, int], Coroutine[Any, Any, Sequence[BarRow]]]
"""(interval, start, end, limit) -> bars, oldest first, forming ones included."""


class Parsed(Struct, frozen=True):
    """A question understood: `own` is each spec's interval."""

    asked: IndicatorsAsked
    specs: tuple[Spec, ...]
    own: tuple[str, ...]
    sessions: Sessions

    @property
    def bases(self) -> tuple[str, ...]:
        """Intervals whose live tails the answer needs, the asked one's first."""
        return tuple(dict.fromkeys(base_of(each) for each in (self.asked.interval, *self.own)))

    @property
    def most_bars(self) -> int:
        """Bars to be read for an answer at most, over all intervals; `_Window.read` does."""
        intervals = dict.fromkeys((self.asked.interval, *self.own))
        return sum(self.asked.limit + 1 + self._before(each) for each in intervals)

    def _before(self, interval: str) -> int:
        reaches = self.reaches(interval)
        if any(each.session for each in reaches):
            return MAX_BACK
        return min(MAX_BACK, max((_bars_of(each) + 1 for each in reaches), default=0))

    def reaches(self, interval: str) -> list[Reach]:
        """Of the specs that are computed from bars of an interval."""
        return [reach(spec) for spec, own in zip(self.specs, self.own, strict=True) if own == interval]


def parse_asked(asked: IndicatorsAsked) -> Parsed:
    """Raises Malformed, saying what would be right, and OverLimit for too much."""
    length = interval_ns(asked.interval)
    if not asked.specs:
        raise Malformed("no spec is given, like spec=sma(50)")
    if len(asked.specs) > MAX_SPECS:
        raise OverLimit(f"{len(asked.specs)} specs; at most {MAX_SPECS} at once")
    specs = tuple(parse_spec(text) for text in asked.specs)
    own = tuple(spec.interval or asked.interval for spec in specs)
    for spec, interval in zip(specs, own, strict=True):
        if interval_ns(interval) < length:
            raise Malformed(f"{spec} is finer than the bars asked for ({asked.interval})")
        needed = first_values(spec.figure)[spec.place]
        if needed > MAX_BACK:
            raise Malformed(f"{spec} has its first value after {needed} bars; at most {MAX_BACK} are read")
    return Parsed(asked, specs, own, parse_sessions(asked.session) if asked.session else UTC_DAYS)


class Read(Struct, frozen=True):
    """Bars of one interval, oldest first. `start`: the bar of theirs that holds the window's start.

    `whole`: they begin with the first bar there is. `session`: with the begin of a session at the latest.
    """

    rows: list[BarRow]
    start: int
    whole: bool
    session: bool

    @property
    def before(self) -> int:
        """Bars before the window."""
        return bisect_left(self.rows, self.start, key=_start_of)

    def settles(self, needed: Reach) -> bool:
        if self.whole:
            return True
        enough = self.before >= needed.bars and (self.session or not needed.session)
        return enough and not needed.forever


class IndicatorsQuery:
    """Answers from the stored bars and what `read` makes of them with the live tail; stateless."""

    def __init__(self, model: BarsModel) -> None:
        self._model = model

    async def answer(
        self,
        parsed: Parsed,
        tails: Mapping[str, Sequence[BarRow]],
        now_ns: int,
        read: ReadBars,
        splits: Sequence[Split] = (),
    ) -> IndicatorsAnswer:
        """`tails` by base interval: what the instrument's keeper holds. `splits`: all of its."""
        asked = parsed.asked
        length = interval_ns(asked.interval)
        end = asked.end if asked.end is not None else _end_of(tails, asked.interval, now_ns)
        start = asked.start if asked.start is not None else max(0, end - asked.limit * length)
        window = _Window(self._model, parsed, start, end, read)
        reads = {each: await window.read(each) for each in dict.fromkeys((asked.interval, *parsed.own))}
        rows = reads[asked.interval].rows
        first = bisect_left(rows, start, key=_start_of)
        last = first + asked.limit
        newest = newest_end(tails, now_ns)
        adjusting = in_force(splits, newest) if asked.adjusted else ()
        base = _series(asked.interval, rows[:last], parsed.sessions, adjusting)

        def coarser(interval: str) -> Series:
            closed = [row for row in reads[interval].rows if row.closed]
            return _series(interval, closed, parsed.sessions, adjusting)

        columns = spec_columns(parsed.specs, base, coarser)
        return IndicatorsAnswer(
            asked.instrument,
            asked.interval,
            tuple(_about(parsed, place, reads) for place in range(len(parsed.specs))),
            [row.ts_event for row in rows[first:last]],
            [row.closed for row in rows[first:last]],
            [row.revision for row in rows[first:last]],
            [_numbers(column[first:]) for column in columns],
            rows[last].ts_event if len(rows) > last else None,
            adjusting,
            min((each.effective for each in splits if each.effective >= newest), default=None),
        )


class _Window:
    """[start, end) of one question, and what has to be read before it."""

    def __init__(self, model: BarsModel, parsed: Parsed, start: int, end: int, read: ReadBars) -> None:
        self._model = model
        self._parsed = parsed
        self._start = start
        self._end = end
        self._read = read

    async def read(self, interval: str) -> Read:
        """Bars of an interval from as far back as its specs need."""
        asked = self._parsed.asked
        reaches = self._parsed.reaches(interval)
        finest = interval == asked.interval
        start = self._start if finest else bar_start(self._start, interval_ns(interval))
        # A coarser bar that closed before the window is still told in it: its value is needed too.
        count = max((_bars_of(each) + (not finest) for each in reaches), default=0)
        count = min(MAX_BACK, count)
        if not any(each.session or each.forever for each in reaches):
            return await self._dense(interval, start, count)
        begin = await self._nth_before(interval, start, count)
        session = begin is None
        if begin is not None and any(each.session for each in reaches):
            count = MAX_BACK
            opened = self._parsed.sessions.begin_of(begin)
            earliest = await self._nth_before(interval, start, count)
            session = earliest is None or earliest <= opened
            begin = opened if earliest is None else min(begin, max(opened, earliest))
        rows = await self._rows(interval, begin or 0, start, count + asked.limit + 1)
        return Read(rows, start, begin is None, session)

    async def _dense(self, interval: str, start: int, count: int) -> Read:
        """In one read where every interval before the window has its bar; else it is looked for."""
        expected = count + self._parsed.asked.limit + 1
        begin = max(0, start - count * interval_ns(interval))
        rows = await self._rows(interval, begin, start, expected)
        found = Read(rows, start, begin == 0, False)
        if found.whole or found.before >= count:
            return found
        first = await self._nth_before(interval, start, count)
        earlier = await self._read(interval, first or 0, begin, MAX_ROWS)
        return Read([*earlier, *rows], start, first is None, False)

    async def _nth_before(self, interval: str, start: int, count: int) -> int | None:
        if not count:
            return start
        return await self._model.nth_before(self._parsed.asked.instrument, interval, start, count)

    async def _rows(self, interval: str, begin: int, start: int, expected: int) -> list[BarRow]:
        """Until `limit` + 1 of them lie in the window; one read, but for bars not stored yet."""
        asked = self._parsed.asked
        rows: list[BarRow] = []
        while True:
            most = min(MAX_ROWS, expected)
            found = await self._read(interval, begin, self._end, most)
            rows += found
            inside = len(rows) - bisect_left(rows, start, key=_start_of)
            if len(found) < most or inside > asked.limit:
                return rows
            begin = rows[-1].ts_event + 1


def _bars_of(needed: Reach) -> int:
    return MAX_BACK if needed.forever else needed.bars


def _start_of(row: BarRow) -> int:
    return row.ts_event


def _about(parsed: Parsed, place: int, reads: Mapping[str, Read]) -> SpecAnswer:
    interval = parsed.own[place]
    read = reads[interval]
    since = read.rows[0].ts_event if read.rows else None
    settled = read.settles(reach(parsed.specs[place]))
    return SpecAnswer(parsed.asked.specs[place], interval, since, settled)


def _end_of(tails: Mapping[str, Sequence[BarRow]], interval: str, now_ns: int) -> int:
    """After the newest bar that the keeper has, else after now."""
    length = interval_ns(interval)
    newest = max((row.ts_event for row in tails.get(base_of(interval), ())), default=now_ns)
    return bar_start(newest, length) + length


def _series(
    interval: str, rows: Sequence[BarRow], sessions: Sessions, splits: Sequence[Split] = ()
) -> Series:
    starts = np.array([row.ts_event for row in rows], np.int64)
    prices = np.array(
        [(row.open, row.high, row.low, row.close, row.volume) for row in rows], np.float64
    ).reshape(-1, 5)
    opened, high, low, close, volume = np.ascontiguousarray(prices.T)
    bars = Bars(opened, high, low, close, volume, sessions.days(starts))
    length = interval_ns(interval)
    if splits:
        shares = [shares_of(row.ts_event, length, row.ts_recv, adjusted=row.adjusted) for row in rows]
        bars = adjusted(np.array(shares, np.int64), bars, splits)
    return Series(interval, starts, starts + length, bars)


def _numbers(column: Floats) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]
