"""Bars one by one in the shares of today; whole columns of them: `domain.market.adjust`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from actors.answers import BarRow
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.intervals import interval_ns
from domain.market.observations import Bar
from domain.market.splits import Split, factor, in_force, shares_of

Cells = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


def newest_end(tails: Mapping[str, Sequence[BarRow]], now_ns: int) -> int:
    """Of all bars that a keeper has, by interval; now where it has none."""
    ends = [row.ts_event + interval_ns(row.interval) for rows in tails.values() for row in rows[-1:]]
    return max(ends, default=now_ns)


def in_force_now(
    splits: Sequence[Split], tails: Mapping[str, Sequence[BarRow]], now_ns: int
) -> tuple[Split, ...]:
    """Those of which the keeper's newest bar has shown prices."""
    if not splits:
        return ()
    return in_force(splits, newest_end(tails, now_ns))


def adjusted_rows(rows: Sequence[BarRow], splits: Sequence[Split]) -> list[BarRow]:
    """The rows in the shares of today, marked `adjusted` where that changed them."""
    return [_adjusted_row(row, splits) for row in rows] if splits else list(rows)


def _adjusted_row(row: BarRow, splits: Sequence[Split]) -> BarRow:
    by = _factor_of(row, splits)
    if by == 1.0:
        return row
    opened, high, low, close, volume = adjusted_cells(row, splits)
    vwap = None if row.vwap is None else row.vwap / by
    return replace(row, open=opened, high=high, low=low, close=close, volume=volume, vwap=vwap, adjusted=True)


def adjusted_cells(bar: BarRow | BarClosed | BarCorrected | Bar, splits: Sequence[Split]) -> Cells:
    """Adjusted by splits that are in force; as it is where there are none."""
    if not splits:
        return bar.open, bar.high, bar.low, bar.close, bar.volume
    by = _factor_of(bar, splits)
    return bar.open / by, bar.high / by, bar.low / by, bar.close / by, bar.volume * by


def _factor_of(bar: BarRow | BarClosed | BarCorrected | Bar, splits: Sequence[Split]) -> float:
    already = isinstance(bar, BarRow | Bar) and bar.adjusted
    return factor(shares_of(bar.ts_event, interval_ns(bar.interval), bar.ts_recv, adjusted=already), splits)
