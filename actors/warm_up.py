"""The bars that an instrument's figures begin with: what its keeper holds, and what was stored before.

    stored rows (a Reader) ... | keeper's closed bars, at the moment of the order
    ---------------------------+--------------------------------------------------> the event
                      they must overlap: else read again

Reading takes a while and the keeper goes on, so the two are put together only when the order is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from actors import views
from actors.adjusting import adjusted_cells
from actors.answers import BarRow, Place
from domain.clock import MAX_NS
from domain.envelope import Cursor
from domain.indicators.armed import MAX_WARM_UP, SENDER, IndicatorArmed, WarmBar
from domain.indicators.rolling import BASE, BUILT, KEEP, summed
from domain.keeper import SymbolKeeper
from domain.market.intervals import bar_start, interval_ns

if TYPE_CHECKING:
    from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked

CORRECTABLE = 40
"""Bars read beside those that a spec reaches back: what can still be corrected must have its own."""
READ_BARS = 9_000
"""Of one interval at once: further back no Reader goes."""


class BarReader(Protocol):
    """What is asked of a `Reader`."""

    async def indicators(
        self, asked: IndicatorsAsked, *, tails: Mapping[str, Sequence[BarRow]], place: Place
    ) -> tuple[IndicatorsAnswer, Cursor]: ...

    async def bars(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        limit: int,
        *,
        tail: Sequence[BarRow],
        place: Place,
    ) -> tuple[Sequence[BarRow], Cursor]: ...


def closed_rows(keeper: SymbolKeeper, interval: str) -> list[BarRow]:
    """The closed bars that a keeper holds of those that an interval's are made of, oldest first."""
    return [row for row in views.bar_rows(keeper, _base(interval)) if row.closed]


class WarmUp:
    """Of one instrument and interval: what was stored when it was read."""

    def __init__(
        self, keeper: SymbolKeeper, interval: str, rows: Sequence[BarRow], minutes: Sequence[BarRow]
    ) -> None:
        self._keeper = keeper
        self._interval = interval
        self._rows = [row for row in rows if row.closed]
        self._minutes = [row for row in minutes if row.closed]

    def order(self, specs: tuple[str, ...], now: int) -> IndicatorArmed | None:
        """With the bars that have closed by now, in the fold. None where what was read is too old."""
        held = closed_rows(self._keeper, self._interval)
        if not held:
            return None
        told = self._of_its_own(held) if _base(self._interval) == self._interval else self._of_minutes(held)
        if told is None:
            return None
        bars, parts, begun = told
        end = held[-1].ts_event + interval_ns(_base(self._interval))
        return IndicatorArmed(
            provider=SENDER,
            instrument=self._keeper.instrument,
            ts_event=end,
            ts_recv=now,
            interval=self._interval,
            specs=specs,
            bars=bars[-MAX_WARM_UP:],
            parts=parts,
            begun=begun,
        )

    def _of_its_own(
        self, held: Sequence[BarRow]
    ) -> tuple[tuple[WarmBar, ...], tuple[WarmBar, ...], None] | None:
        if not _overlap(self._rows, held):
            return None
        older = [row for row in self._rows if row.ts_event < held[0].ts_event]
        return self._bars([*older, *held]), (), None

    def _of_minutes(
        self, held: Sequence[BarRow]
    ) -> tuple[tuple[WarmBar, ...], tuple[WarmBar, ...], WarmBar | None] | None:
        """The first part's coarser bar has what came before that part, and the bars end before it."""
        parts = held[-KEEP:]
        first = bar_start(parts[0].ts_event, interval_ns(self._interval))
        if not _overlap(self._minutes, parts) or self._minutes[0].ts_event >= first + interval_ns(
            self._interval
        ):
            return None
        before = self._bars([row for row in self._minutes if first <= row.ts_event < parts[0].ts_event])
        begun = summed(first, None, list(before)) if before else None
        return self._bars([row for row in self._rows if row.ts_event < first]), self._bars(parts), begun

    def _bars(self, rows: Sequence[BarRow]) -> tuple[WarmBar, ...]:
        """In the shares of the fold's newest bar."""
        splits = self._keeper.splits.in_force
        return tuple((row.ts_event, *adjusted_cells(row, splits)) for row in rows)


async def read_warm_up(
    reader: BarReader, keeper: SymbolKeeper, place: Place, interval: str, specs: Sequence[str]
) -> WarmUp:
    """`place`: durable, of the keeper's partition. `specs`: all of this interval, without it.

    Raises Unavailable where the log or the stored bars cannot be read.
    """
    from actors.indicators_query import MAX_SPECS, IndicatorsAsked

    base = _base(interval)
    name, tail = keeper.instrument, views.bar_rows(keeper, base)
    since: list[int] = []
    for first in range(0, len(specs), MAX_SPECS):
        some = tuple(specs[first : first + MAX_SPECS])
        asked = IndicatorsAsked(name, interval, some, CORRECTABLE)
        answer, _ = await reader.indicators(asked, tails={base: tail}, place=place)
        since += [about.since for about in answer.specs if about.since is not None]
    rows: Sequence[BarRow] = ()
    if since:
        rows, _ = await reader.bars(name, interval, min(since), MAX_NS, READ_BARS, tail=tail, place=place)
    if base == interval:
        return WarmUp(keeper, interval, rows, ())
    begin = bar_start(tail[0].ts_event, interval_ns(interval))
    minutes, _ = await reader.bars(name, base, begin, MAX_NS, READ_BARS, tail=tail, place=place)
    return WarmUp(keeper, interval, rows, minutes)


def _base(interval: str) -> str:
    return interval if interval in BUILT else BASE


def _overlap(stored: Sequence[BarRow], held: Sequence[BarRow]) -> bool:
    """No bar has left the keeper unread."""
    return bool(stored) and held[0].ts_event <= stored[-1].ts_event
