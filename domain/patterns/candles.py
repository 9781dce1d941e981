"""Candlestick patterns, computed by TA-Lib itself: its 61 functions `CDL...` on the last few bars.

Every function looks back only, at most `WINDOW` bars with TA-Lib's default settings (trends and body
sizes are averages over 10 bars at most). So a bounded window gives what the whole series would; a comparison
that hangs on the last bit of an average may differ, since TA-Lib sums from the window's begin.
TA-Lib is imported when the first scanner is made, so that everything else works without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from domain.errors import Unavailable
from domain.indicators.bars import Floats
from domain.patterns.bar import is_usable
from domain.patterns.events import Anchor, PatternEvent

WINDOW = 32
"""Bars; twice the longest look-back among the functions, so that two-stage ones (Hikkake) see their first."""
STRONGEST = 100
"""What TA-Lib answers for a plain pattern; 200 marks a Hikkake that was confirmed."""


class CandleState(Struct, frozen=True, array_like=True):
    row: int
    bars: tuple[tuple[float, float, float, float], ...]


class CandleScanner:
    """One bar in, the candlestick patterns that end in it out, as confirmed events without target.

    Raises Unavailable where TA-Lib is not installed. A bar that cannot be drawn is left out.
    """

    def __init__(self) -> None:
        self._functions = _functions()
        self._row = self._held = 0
        self._bars: Floats = np.full((4, WINDOW), np.nan)

    def observe(self, ts: int, opened: float, high: float, low: float, close: float) -> list[PatternEvent]:
        row = self._row
        self._row = row + 1
        if not is_usable(opened, high, low, close):
            return []
        self._bars[:, :-1] = self._bars[:, 1:]
        self._bars[:, -1] = opened, high, low, close
        self._held = min(self._held + 1, WINDOW)
        columns = [np.ascontiguousarray(column[WINDOW - self._held :]) for column in self._bars]
        events = []
        for name, function in self._functions:
            value = int(function(*columns)[-1])
            if value:
                events.append(_event(name, value, row, ts, high if value < 0 else low))
        return events

    def snapshot(self) -> CandleState:
        held = self._bars[:, WINDOW - self._held :].T.tolist()
        return CandleState(self._row, tuple((bar[0], bar[1], bar[2], bar[3]) for bar in held))

    def restore(self, state: CandleState) -> None:
        self._row, self._held = state.row, len(state.bars)
        self._bars = np.full((4, WINDOW), np.nan)
        if state.bars:
            self._bars[:, WINDOW - self._held :] = np.array(state.bars).T


def candles_in(starts: Sequence[int], bars: Floats) -> list[PatternEvent]:
    """What a scanner says of bars (n, 4: open, high, low, close; oldest first), a call per function.

    Raises Unavailable where TA-Lib is not installed.
    """
    usable = [row for row, bar in enumerate(bars.tolist()) if is_usable(*bar)]
    if not usable:
        return []
    columns = [np.ascontiguousarray(column) for column in bars[usable].T]
    events = []
    for name, function in _functions():
        values = function(*columns)
        for place in np.flatnonzero(values).tolist():
            row, value = usable[place], int(values[place])
            price = bars[row, 1 if value < 0 else 2]
            events.append(_event(name, value, row, starts[row], float(price)))
    return sorted(events, key=lambda event: event.row)


def candle_names() -> list[str]:
    """`cdl_...`, sorted. Raises Unavailable where TA-Lib is not installed."""
    return [name for name, _ in _functions()]


def _event(name: str, value: int, row: int, ts: int, price: float) -> PatternEvent:
    """TA-Lib grades 80, 100 and 200: as a confidence of 0.8 and 1."""
    role = "bullish" if value > 0 else "bearish"
    confidence = min(1.0, abs(value) / STRONGEST)
    anchors = (Anchor(row, ts, price, role),)
    return PatternEvent(0, name, "confirmed", row, ts, anchors, None, confidence, 1 if value > 0 else -1)


def _functions() -> list[tuple[str, Callable[..., Any]]]:
    try:
        import talib
    except ImportError as error:
        raise Unavailable(f"candlestick patterns need TA-Lib: {error}") from None
    names: list[str] = talib.__function_groups__["Pattern Recognition"]
    return [(f"cdl_{name[3:].lower()}", getattr(talib, name)) for name in sorted(names)]
