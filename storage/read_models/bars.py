"""Bars as people query them: one row per (instrument, interval, start), at its newest revision.

Rows come from bars that a keeper built and from bars that a provider sent. From the 1m rows this
projection also makes 5m, 15m, 1h, 4h and 1d. Those are computed anew from all their 1m rows whenever
one of these changes, so corrections and late bars come through whatever their order. A rolled-up bar's
`revision` is the sum of its parts' revisions; it is closed once a 1m bar reaches its end. Revisions
count within one `source`: a bar of a better source replaces one of a lesser, whatever its revision.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from domain.clock import NS_PER_MIN
from domain.envelope import Event, Recorded
from domain.market.decisions import BarClosed, BarCorrected, LateTrade
from domain.market.observations import Bar

BASE = "1m"
ROLLED_UP_NS = {
    "5m": 5 * NS_PER_MIN,
    "15m": 15 * NS_PER_MIN,
    "1h": 60 * NS_PER_MIN,
    "4h": 240 * NS_PER_MIN,
    "1d": 1440 * NS_PER_MIN,
}
"""Buckets begin at whole multiples since 1970-01-01 UTC."""
MAX_ROWS = 10_000

_encode_bars = msgspec.msgpack.Encoder().encode


class Source(IntEnum):
    """Where a bar comes from; a higher one replaces a lower one, never the other way."""

    ROLLED_UP = 1
    BUILT_OVER_A_GAP = 2
    PROVIDER = 3
    BUILT = 4


class StoredBar(Struct, frozen=True):
    """A row. Times in ns UTC, `ts_event` = start; `trades` None where a provider does not say."""

    instrument: str
    interval: str
    ts_event: int
    ts_recv: int
    provider: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None
    vwap: float | None
    closed: bool
    adjusted: bool
    revision: int
    tainted: bool
    source: Source


Starts = NDArray[np.int64]
Told = tuple[Any, ...]
"""A bar as it is told: (provider, instrument, ts_event, ts_recv, interval, open, high, low, close, volume,
trades, vwap, closed, adjusted, revision, tainted). `trades` 0 where a provider does not say."""

Key = tuple[str, str, int]
Bucket = tuple[str, str, int, int]
"""(instrument, interval, start, end)"""


def bar_of(event: Event) -> StoredBar | None:
    """The row an event asks for; None where it is no bar or not closed yet."""
    if isinstance(event, BarClosed | BarCorrected):
        row = _stored(event, Source.BUILT_OVER_A_GAP if event.tainted else Source.BUILT)
        return replace(row, revision=event.revision, tainted=event.tainted)
    if isinstance(event, Bar) and event.closed:
        return replace(_stored(event, Source.PROVIDER), adjusted=event.adjusted)
    return None


def _stored(bar: Bar | BarClosed | BarCorrected, source: Source) -> StoredBar:
    return StoredBar(
        instrument=bar.instrument,
        interval=bar.interval,
        ts_event=bar.ts_event,
        ts_recv=bar.ts_recv,
        provider=bar.provider,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        trades=bar.trades,
        vwap=bar.vwap,
        closed=True,
        adjusted=False,
        revision=0,
        tainted=False,
        source=source,
    )


def as_told(bar: StoredBar) -> Told:
    """By place, not by name: a page has thousands."""
    return (
        bar.provider,
        bar.instrument,
        bar.ts_event,
        bar.ts_recv,
        bar.interval,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.trades or 0,
        bar.vwap,
        bar.closed,
        bar.adjusted,
        bar.revision,
        bar.tainted,
    )


def key_of(bar: StoredBar) -> Key:
    return bar.instrument, bar.interval, bar.ts_event


def replaces(new: StoredBar, old: StoredBar) -> bool:
    """A better source wins, then a higher revision, then the later word."""
    return (new.source, new.revision) >= (old.source, old.revision)


KINDS = frozenset(each.kind for each in (Bar, BarClosed, BarCorrected, LateTrade))
"""What rows are made of."""


def newest(recorded: Iterable[Recorded]) -> list[StoredBar]:
    """One row per key for some events in log order, sorted by key."""
    best: dict[Key, StoredBar] = {}
    for entry in recorded:
        bar = bar_of(entry.event)
        if bar is None:
            continue
        before = best.get(key_of(bar))
        if before is None or replaces(bar, before):
            best[key_of(bar)] = bar
    return [best[key] for key in sorted(best)]


def late(recorded: Iterable[Recorded]) -> list[Key]:
    """Bars that lack a trade which came too late for the keeper, sorted."""
    trades = (entry.event for entry in recorded if isinstance(entry.event, LateTrade))
    return sorted({(trade.instrument, trade.interval, trade.bar_start) for trade in trades})


def tainted(bar: StoredBar) -> StoredBar:
    """The bar once it is known to lack a trade."""
    return replace(bar, tainted=True, source=min(bar.source, Source.BUILT_OVER_A_GAP))


def buckets_of(keys: Iterable[Key]) -> list[Bucket]:
    """The roll-up buckets that some rows touch."""
    base = [key for key in keys if key[1] == BASE]
    return sorted({_bucket(key, interval) for key in base for interval in ROLLED_UP_NS})


def _bucket(key: Key, interval: str) -> Bucket:
    instrument, _, ts_event = key
    length = ROLLED_UP_NS[interval]
    start = ts_event - ts_event % length
    return instrument, interval, start, start + length


def rolled_up(bucket: Bucket, parts: Sequence[StoredBar], reached: int) -> StoredBar:
    """One bar of its 1m parts, oldest first. `reached` is the end of the instrument's newest 1m bar."""
    instrument, interval, start, end = bucket
    volume = _total(part.volume for part in parts)
    counts = [part.trades for part in parts if part.trades is not None]
    first, last = parts[0], parts[-1]
    return StoredBar(
        instrument=instrument,
        interval=interval,
        ts_event=start,
        ts_recv=max(part.ts_recv for part in parts),
        provider=last.provider,
        open=first.open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=last.close,
        volume=volume,
        trades=sum(counts) if len(counts) == len(parts) else None,
        vwap=_vwap(parts, volume),
        closed=reached >= end,
        adjusted=any(part.adjusted for part in parts),
        revision=sum(part.revision for part in parts),
        tainted=any(part.tainted for part in parts),
        source=Source.ROLLED_UP,
    )


def _vwap(parts: Sequence[StoredBar], volume: float) -> float | None:
    """None where nothing was traded or a part that traded does not know its own."""
    traded = [part for part in parts if part.volume > 0]
    if not volume > 0 or any(part.vwap is None for part in traded):
        return None
    return _total((part.vwap or 0.0) * part.volume for part in traded) / volume


def _total(values: Iterable[float]) -> float:
    """One after the other, as PostgreSQL adds; newer Pythons' `sum` compensates and differs."""
    return functools.reduce(operator.add, values)


class BarRun(Protocol):
    """Bars of one instrument and interval, one per start, oldest first, as one query has found them.

    Most are asked for again and again and have not changed: what was made of some of them before is found
    by their `key`.
    """

    def __len__(self) -> int: ...

    @property
    def starts(self) -> Starts:
        """(n,), ns UTC."""

    def key(self, first: int, last: int) -> bytes:
        """Of the bars from `first` to before `last`: equal keys of one query's runs, equal bars."""

    def told(self, first: int, last: int) -> list[Told]: ...


class ListedRun:
    """Of bars that are here already."""

    def __init__(self, bars: Sequence[StoredBar]) -> None:
        self._bars = bars
        self.starts: Starts = np.array([bar.ts_event for bar in bars], np.int64)

    def __len__(self) -> int:
        return len(self._bars)

    def key(self, first: int, last: int) -> bytes:
        return _encode_bars(self._bars[first:last])

    def told(self, first: int, last: int) -> list[Told]:
        return list(map(as_told, self._bars[first:last]))


class MemoryBars:
    """The projection in memory: `apply` ignores its connection."""

    name = "bars"
    kinds = KINDS

    def __init__(self) -> None:
        self._rows: dict[Key, StoredBar] = {}

    async def apply(self, connection: None, partition: str, recorded: Sequence[Recorded]) -> None:
        rows = newest(recorded)
        for row in rows:
            self._put(row)
        marked = [key for key in late(recorded) if key in self._rows]
        self._rows.update((key, tainted(self._rows[key])) for key in marked)
        for bucket in buckets_of([*map(key_of, rows), *marked]):
            self._roll_up(bucket)

    async def clear(self, connection: None) -> None:
        """Drop all rows, to be made again."""
        self._rows.clear()

    def _put(self, row: StoredBar) -> None:
        before = self._rows.get(key_of(row))
        if before is None or replaces(row, before):
            self._rows[key_of(row)] = row

    def _roll_up(self, bucket: Bucket) -> None:
        instrument, interval, start, end = bucket
        base = sorted(key for key in self._rows if key[:2] == (instrument, BASE))
        reached = base[-1][2] + NS_PER_MIN
        row = rolled_up(bucket, [self._rows[key] for key in base if start <= key[2] < end], reached)
        before = self._rows.get(key_of(row))
        if before is None or before.source is Source.ROLLED_UP:
            self._rows[key_of(row)] = row
        for key, row in list(self._rows.items()):
            if key[:2] == (instrument, interval) and key[2] + end - start <= reached and not row.closed:
                self._rows[key] = replace(row, closed=True)

    async def bars(
        self, instrument: str, interval: str, start: int, end: int, limit: int = MAX_ROWS
    ) -> list[StoredBar]:
        """start <= ts_event < end, oldest first, the first `limit`."""
        keys = sorted(key for key in self._rows if key[:2] == (instrument, interval))
        return [self._rows[key] for key in keys if start <= key[2] < end][:limit]

    async def run(self, instrument: str, interval: str, start: int, end: int, limit: int) -> BarRun:
        """The same bars as a run."""
        return ListedRun(await self.bars(instrument, interval, start, end, limit))

    async def nth_before(self, instrument: str, interval: str, before: int, count: int) -> int | None:
        """Start of the `count`th bar (from 1) counted back from before a time; None: there are fewer."""
        keys = sorted(key for key in self._rows if key[:2] == (instrument, interval) and key[2] < before)
        return keys[-count][2] if count <= len(keys) else None
