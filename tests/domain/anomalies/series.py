"""Made series: a seeded walk of bars or trades, and what can happen to it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from domain.anomalies.bar_detector import BarDetector
from domain.anomalies.found import Finding
from domain.clock import NS_PER_MIN, NS_PER_S
from tests.builders import T0

BarRow = tuple[int, float, float, float, float, float]
"""start, open, high, low, close, volume"""
TradeRow = tuple[int, float, float]
"""time, price, size"""
Known = tuple[int, Finding]
"""(row on which it is known, finding)"""


def bars(count: int = 400, *, seed: int = 1, sigma: float = 0.002, spacing: int = NS_PER_MIN) -> list[BarRow]:
    rng = random.Random(seed)
    rows, close = [], 100.0
    for number in range(count):
        opened = close
        close = opened * math.exp(rng.gauss(0.0, sigma))
        high = max(opened, close) * math.exp(abs(rng.gauss(0.0, sigma / 3)))
        low = min(opened, close) * math.exp(-abs(rng.gauss(0.0, sigma / 3)))
        rows.append((T0 + number * spacing, opened, high, low, close, 100.0 * rng.lognormvariate(0.0, 0.3)))
    return rows


def trades(count: int = 3000, *, seed: int = 1, sigma: float = 0.0001) -> list[TradeRow]:
    """About four a second."""
    rng = random.Random(seed)
    rows, price, ts = [], 100.0, T0
    for _ in range(count):
        ts += int(rng.expovariate(4.0) * NS_PER_S)
        price *= math.exp(rng.gauss(0.0, sigma))
        rows.append((ts, round(price, 3), rng.lognormvariate(0.0, 0.8)))
    return rows


def times(factor: float, *, volume: float = 1.0) -> Callable[[BarRow], BarRow]:
    """All prices of a bar by a factor, its volume by another."""
    return lambda bar: (bar[0], *(price * factor for price in bar[1:5]), bar[5] * volume)  # type: ignore[return-value]


def changed(
    rows: Sequence[BarRow], change: Callable[[BarRow], BarRow], first: int, last: int
) -> list[BarRow]:
    """Rows first..last (inclusive) changed."""
    return [change(row) if first <= number <= last else row for number, row in enumerate(rows)]


def found_in(rows: Sequence[BarRow], *, timed: bool = True) -> list[Known]:
    detector = BarDetector(timed=timed)
    return [(number, each) for number, row in enumerate(rows) for each in detector.observe(*row)]


def told(known: Sequence[Known]) -> list[tuple[str, str, int]]:
    """(kind, class, row it is about)"""
    return [(each.kind, each.verdict, each.row) for _, each in known]
