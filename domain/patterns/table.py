"""A whole table through the scanners, bar by bar."""

from __future__ import annotations

from collections.abc import Iterator

from domain.patterns.candles import CandleScanner
from domain.patterns.events import PatternEvent
from domain.patterns.scanner import PatternScanner
from domain.tables import Table


def events_of(
    table: Table, *, charts: bool = True, candles: bool = False, rough: bool = False
) -> Iterator[PatternEvent]:
    """In the order in which they became known; `ts` is the row number where the table has no times.

    `rough` as `PatternScanner` has it.

    Raises Unavailable where candles are asked for and TA-Lib is not installed.
    """
    chart_scanner = PatternScanner(rough=rough) if charts else None
    candle_scanner = CandleScanner() if candles else None
    starts = range(len(table)) if table.starts is None else table.starts.tolist()
    prices = (column.tolist() for column in table.bars[:4])
    for ts, opened, high, low, close in zip(starts, *prices, strict=True):
        if chart_scanner is not None:
            yield from chart_scanner.observe(ts, opened, high, low, close)
        if candle_scanner is not None:
            yield from candle_scanner.observe(ts, opened, high, low, close)
