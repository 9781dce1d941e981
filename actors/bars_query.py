"""Bars as asked for: stored rows and a keeper's own bars merged, larger intervals rolled up.

    stored rows           | stored 1s or 1m rows + the keeper's rows, merged, rolled up where asked for
    ----------------------+---------------------------------------------------------------------------> time
                        edge: start of the bar that holds the oldest bar the keeper still has

Bars before the edge have left the keeper, so nothing changes them any more: that holds for the keeper
of now and for the keeper of a past moment alike, and makes both the same question. Where the projection
is so far behind that it does not reach the keeper's oldest bar, the log fills in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence, Sized
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from actors.answers import BarRow
from domain.market.intervals import bar_start, interval_ns
from storage.read_models.bars import (
    BASE,
    MAX_ROWS,
    BarRun,
    ListedRun,
    Source,
    StoredBar,
    as_told,
    replaces,
    rolled_up,
)
from storage.read_models.bars import ROLLED_UP_NS as ROLLED_UP

FOREVER = 2**62


class BarsModel(Protocol):
    """The stored bars."""

    async def bars(
        self, instrument: str, interval: str, start: int, end: int, limit: int = MAX_ROWS
    ) -> list[StoredBar]:
        """start <= ts_event < end, oldest first, the first `limit`."""

    async def run(self, instrument: str, interval: str, start: int, end: int, limit: int) -> BarRun:
        """The same as a run."""

    async def nth_before(self, instrument: str, interval: str, before: int, count: int) -> int | None:
        """Start of the `count`th bar (from 1) counted back from before a time; None: there are fewer."""


class Tail(Struct, frozen=True):
    """A keeper's bars of the base interval: closed ones it still holds, then forming ones.

    `past_ns`: the recorded time of that keeper where it is not the present one; None: it is.
    """

    rows: tuple[BarRow, ...]
    past_ns: int | None = None


Rows = TypeVar("Rows", bound=Sized)
Fill = Callable[[], Awaitable[list[StoredBar]]]
"""The bars recorded after what the projection has done, up to the tail's place."""


def base_of(interval: str) -> str:
    """The interval of the bars that answer for `interval`. Raises Malformed for one that is not served."""
    interval_ns(interval)
    return BASE if interval in ROLLED_UP else interval


class BarsQuery:
    """Answers from the stored bars and a tail; stateless."""

    def __init__(self, model: BarsModel) -> None:
        self._model = model

    async def answer(
        self, instrument: str, interval: str, start: int, end: int, limit: int, tail: Tail, fill: Fill
    ) -> list[BarRow]:
        """start <= ts_event < end, oldest first, the first `limit`; forming bars with `closed` False."""
        view = _StoredView(self._model, instrument, tail)

        async def before(edge: int) -> list[StoredBar]:
            return await view.bars(interval, start, min(end, edge), limit)

        rows, rest = await self._parts(view, interval, end, limit, before, fill)
        return [row_of(bar) for bar in (*rows, *rest) if start <= bar.ts_event < end][:limit]

    async def parts(
        self, instrument: str, interval: str, start: int, end: int, limit: int, tail: Tail, fill: Fill
    ) -> tuple[BarRun, list[BarRow]]:
        """The same in two parts: what is stored for good, and what follows. Of the present only."""
        view = _StoredView(self._model, instrument, tail)

        async def before(edge: int) -> BarRun:
            last = min(end, edge)
            if start >= last:
                return ListedRun(())
            return await self._model.run(instrument, interval, start, last, limit)

        stored, rest = await self._parts(view, interval, end, limit, before, fill)
        rows = [row_of(bar) for bar in rest if start <= bar.ts_event < end]
        return stored, rows[: limit - len(stored)]

    async def _parts(
        self,
        view: _StoredView,
        interval: str,
        end: int,
        limit: int,
        before: Callable[[int], Awaitable[Rows]],
        fill: Fill,
    ) -> tuple[Rows, list[StoredBar]]:
        """(what `before` tells of bars before the edge, bars from there on)."""
        keeper, oldest, instrument = view.keeper, view.oldest_closed, view.instrument
        edge = _edge_of(keeper, interval)

        async def read(edge: int) -> tuple[Rows, _Recent]:
            return await asyncio.gather(before(edge), _recent(view, interval, edge, end))

        # Rows of now from the edge on also say how far the projection is; else that is a question of its own.
        asked = oldest is not None and (view.past_ns is not None or edge >= end)
        probe = self._later(instrument, base_of(interval), oldest or 0, len(keeper) if asked else 0)
        if view.past_ns is None:
            later, (rows, recent) = await asyncio.gather(probe, read(edge))
        else:
            later = await probe
            rows, recent = await read(edge)
        extra: list[StoredBar] = []
        if oldest is not None and not any(_built_from(bar, oldest) for bar in (*recent.base, *later)):
            extra = await fill()  # the projection has not come as far as the keeper's oldest closed bar
            edge = _edge_of([*keeper, *extra], interval)
            rows, recent = await read(edge)  # it goes on meanwhile: what the log no longer adds is stored now
        if len(rows) < limit and edge < end:
            return rows, _from_edge(interval, keeper, extra, recent)
        return rows, []

    async def _later(self, instrument: str, base: str, start: int, limit: int) -> list[StoredBar]:
        return await self._model.bars(instrument, base, start, FOREVER, limit) if limit else []


class _Recent(Struct, frozen=True):
    """Stored rows from the edge on: of the base interval, and of the larger one that was asked for."""

    base: list[StoredBar]
    told: list[StoredBar]


async def _recent(view: _StoredView, interval: str, edge: int, end: int) -> _Recent:
    """Both empty where nothing from the edge on is asked for."""
    if edge >= end:
        return _Recent([], [])
    base = base_of(interval)
    stored, told = await asyncio.gather(
        view.bars(base, edge, FOREVER, MAX_ROWS),
        view.bars(interval, edge, end, 0 if interval == base else MAX_ROWS),
    )
    return _Recent(stored, told)


def _from_edge(
    interval: str, keeper: Sequence[StoredBar], extra: Sequence[StoredBar], recent: _Recent
) -> list[StoredBar]:
    base = base_of(interval)
    parts = merged(recent.base, (bar for bar in extra if bar.interval == base), keeper)
    if interval == base:
        return parts
    own = [
        bar for bar in (*recent.told, *extra) if bar.interval == interval and bar.source is Source.PROVIDER
    ]
    return merged(roll_up(parts, interval), own)


def _built_from(bar: StoredBar, start: int) -> bool:
    """Whether a bar was built here, and begins at a time or later."""
    return bar.ts_event >= start and bar.source is not Source.PROVIDER


class _StoredView:
    """Stored rows of one instrument as they were at the tail's time, or are now where that is None.

    Of the past: a provider's bar if it had been received; anything else where it is older than the
    keeper's oldest closed bar of then (None: it had closed none), for later ones the keeper has its own.
    """

    def __init__(self, model: BarsModel, instrument: str, tail: Tail) -> None:
        self._model = model
        self.instrument = instrument
        self.past_ns = tail.past_ns
        self.keeper = [_stored(row) for row in tail.rows]
        self.oldest_closed = _oldest_closed(self.keeper)

    async def bars(self, interval: str, start: int, end: int, limit: int) -> list[StoredBar]:
        """start <= ts_event < end, oldest first, the first `limit`."""
        limit = min(limit, MAX_ROWS)
        found: list[StoredBar] = []
        while start < end and len(found) < limit:
            rows = await self._model.bars(self.instrument, interval, start, end, limit)
            found.extend(rows if self.past_ns is None else filter(self._was_there, rows))
            if len(rows) < limit:
                break
            start = rows[-1].ts_event + 1
        return found[:limit]

    def _was_there(self, row: StoredBar) -> bool:
        if row.source is Source.PROVIDER:
            return self.past_ns is None or row.ts_recv <= self.past_ns
        return self.oldest_closed is not None and row.ts_event < self.oldest_closed


def _edge_of(bars: Sequence[StoredBar], interval: str) -> int:
    """Start of the bar that holds the oldest of some; FOREVER of none."""
    begun = min((bar.ts_event for bar in bars), default=FOREVER)
    return begun if begun == FOREVER else bar_start(begun, interval_ns(interval))


def _oldest_closed(keeper: Sequence[StoredBar]) -> int | None:
    return min((bar.ts_event for bar in keeper if bar.closed), default=None)


def merged(*sources: Iterable[StoredBar]) -> list[StoredBar]:
    """One bar per start, oldest first: a closed one before a forming one, then what the projection keeps."""
    best: dict[int, StoredBar] = {}
    for bar in (bar for source in sources for bar in source):
        known = best.get(bar.ts_event)
        if known is None or (bar.closed, replaces(bar, known)) >= (known.closed, True):
            best[bar.ts_event] = bar
    return [best[ts_event] for ts_event in sorted(best)]


def roll_up(parts: Sequence[StoredBar], interval: str) -> list[StoredBar]:
    """1m bars, one per start and oldest first, as bars of a larger interval.

    Closed once a 1m bar reaches its end or begins after it, and no part of it still forms.
    """
    length = interval_ns(interval)
    groups: dict[int, list[StoredBar]] = {}
    for part in parts:
        groups.setdefault(bar_start(part.ts_event, length), []).append(part)
    reached = max((_reaches(part) for part in parts), default=0)
    rolled = (
        (rolled_up((members[0].instrument, interval, start, start + length), members, reached), members)
        for start, members in groups.items()
    )
    return [
        replace(bar, closed=bar.closed and all(part.closed for part in members)) for bar, members in rolled
    ]


def _reaches(part: StoredBar) -> int:
    return part.ts_event + interval_ns(part.interval) if part.closed else part.ts_event


def _stored(row: BarRow) -> StoredBar:
    """A keeper's row in the projection's words."""
    return StoredBar(
        instrument=row.instrument,
        interval=row.interval,
        ts_event=row.ts_event,
        ts_recv=row.ts_recv,
        provider=row.provider,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        trades=row.trades,
        vwap=row.vwap,
        closed=row.closed,
        adjusted=row.adjusted,
        revision=row.revision,
        tainted=row.tainted,
        source=Source.BUILT_OVER_A_GAP if row.tainted else Source.BUILT,
    )


def row_of(bar: StoredBar) -> BarRow:
    return BarRow(*as_told(bar))
