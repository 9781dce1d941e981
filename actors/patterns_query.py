"""Chart and candlestick patterns in stored bars of one interval, found anew for every question.

The same detectors as a keeper's run over the closed bars of a window and of `BEFORE` bars before it, in
which figures begin that are told within. Nothing is kept or recorded. Where a scan begins decides little:
zigzags and the average range forget, but a figure of the first few hundred bars may be seen otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from actors.answers import BarRow
from domain.errors import Malformed, OverLimit
from domain.market.intervals import bar_start, interval_ns
from domain.patterns.candles import candle_names, candles_in
from domain.patterns.events import CHART_PATTERNS, PatternEvent
from domain.patterns.scanner import PatternScanner

BEFORE = 1_000
"""Bars read before the window: more than the longest figure has."""
MAX_WINDOW = 4_000
"""Intervals in one window; with those before it about 0.1 s of one core."""
CANDLE = "cdl_"


class PatternsAsked(Struct, frozen=True, array_like=True):
    """Changes of state known with a bar of start <= ts_event < end (ns UTC).

    `pattern` None: every chart pattern, and with `candles` every candlestick too. `rough`: see
    `PatternScanner`. `adjusted`: in bars, and so in prices, of the shares of today.
    """

    instrument: str
    interval: str
    start: int
    end: int
    pattern: str | None = None
    candles: bool = False
    rough: bool = False
    adjusted: bool = True

    @property
    def charts(self) -> bool:
        return self.pattern is None or not self.pattern.startswith(CANDLE)

    @property
    def candlesticks(self) -> bool:
        return self.candles if self.pattern is None else not self.charts

    @property
    def read_from(self) -> int:
        """Start of the first bar to read."""
        length = interval_ns(self.interval)
        return max(0, bar_start(self.start, length) - BEFORE * length)


class PatternsAnswer(Struct, frozen=True, array_like=True):
    """`events` in the order in which they became known; `figure` numbers count within this answer.

    `since`: start of the first bar looked at, None where there is none. `bars`: how many were.
    """

    events: list[PatternEvent]
    since: int | None
    bars: int


def check_asked(asked: PatternsAsked) -> None:
    """Raises Malformed for an unknown interval or pattern, OverLimit for a window that is too long."""
    length = interval_ns(asked.interval)
    if asked.charts and asked.pattern is not None and asked.pattern not in CHART_PATTERNS:
        raise Malformed(f"pattern is one of {', '.join(CHART_PATTERNS)}, or one of TA-Lib's as cdl_engulfing")
    if asked.end - asked.start > MAX_WINDOW * length:
        raise OverLimit(f"more than {MAX_WINDOW} bars of {asked.interval} from `from` to `to`")


def patterns_in(asked: PatternsAsked, rows: Sequence[BarRow]) -> PatternsAnswer:
    """`rows` oldest first, from `read_from` on; a bar that still forms is left out.

    Raises Unavailable where candlesticks are asked for and TA-Lib is not installed, Malformed for one
    that TA-Lib does not have.
    """
    closed = [row for row in rows if row.closed]
    found: list[PatternEvent] = []
    if asked.charts:
        scanner = PatternScanner(rough=asked.rough)
        for row in closed:
            found += scanner.observe(row.ts_event, row.open, row.high, row.low, row.close)
    if asked.candlesticks:
        found = sorted([*found, *_candlesticks(asked, closed)], key=_row_of)
    told = [each for each in found if asked.start <= each.ts < asked.end and _wanted(asked, each)]
    return PatternsAnswer(told, closed[0].ts_event if closed else None, len(closed))


def _candlesticks(asked: PatternsAsked, closed: Sequence[BarRow]) -> list[PatternEvent]:
    if asked.pattern is not None and asked.pattern not in candle_names():
        raise Malformed(f"TA-Lib has no {asked.pattern!r}; it has {', '.join(candle_names())}")
    prices = np.array([(row.open, row.high, row.low, row.close) for row in closed]).reshape(-1, 4)
    return candles_in([row.ts_event for row in closed], prices)


def _wanted(asked: PatternsAsked, event: PatternEvent) -> bool:
    return asked.pattern in (None, event.pattern)


def _row_of(event: PatternEvent) -> int:
    return event.row
