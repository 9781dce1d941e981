"""Bars one by one in the shares of today; whole columns of them: `domain.market.adjust`."""

from __future__ import annotations

from collections.abc import Sequence

from actors.answers import BarRow
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.intervals import interval_ns
from domain.market.observations import Bar
from domain.market.splits import Split, factor, shares_of

Cells = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


def adjusted_cells(bar: BarRow | BarClosed | BarCorrected | Bar, splits: Sequence[Split]) -> Cells:
    """Adjusted by splits that are in force; as it is where there are none."""
    if not splits:
        return bar.open, bar.high, bar.low, bar.close, bar.volume
    already = isinstance(bar, BarRow | Bar) and bar.adjusted
    shares = shares_of(bar.ts_event, interval_ns(bar.interval), bar.ts_recv, adjusted=already)
    by = factor(shares, splits)
    return bar.open / by, bar.high / by, bar.low / by, bar.close / by, bar.volume * by
