"""Moving averages and what is made of them alone."""

from __future__ import annotations

import numpy as np

from domain.indicators import stages, windows
from domain.indicators.bars import Floats
from domain.indicators.kernel import Kernel, hidden_until
from domain.indicators.stages import Pace


class Sma(Kernel):
    def __init__(self, period: int) -> None:
        self._period = period
        self._sum = windows.window_sum(period)
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        return (self._sum(pace, inputs[0]) / self._period,)


class Ema(Kernel):
    def __init__(self, period: int) -> None:
        self._average = stages.Ema(period)
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        return (self._average(pace, inputs[0]),)


class Wma(Kernel):
    def __init__(self, period: int) -> None:
        self._sum = windows.Weighted(period)
        self._weights = period * (period + 1) / 2.0
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        return (self._sum(pace, inputs[0]) / self._weights,)


class Macd(Kernel):
    """TA-Lib's seeding: the fast average is seeded late, so that both begin at the same bar."""

    outputs = ("macd", "signal", "histogram")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self._fast = stages.Ema(fast, slow - fast)
        self._slow = stages.Ema(slow)
        self._signal = stages.Ema(signal, slow - 1)
        self.first = (slow + signal - 2,) * 3

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        line = self._fast(pace, inputs[0]) - self._slow(pace, inputs[0])
        signal = self._signal(pace, line)
        return hidden_until(line, signal), signal, line - signal


class Stddev(Kernel):
    def __init__(self, period: int, deviations: float) -> None:
        self._moments = windows.Moments(period)
        self._deviations = deviations
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        return (np.sqrt(self._moments(pace, inputs[0])[1]) * self._deviations,)


class Bbands(Kernel):
    outputs = ("upper", "middle", "lower")

    def __init__(self, period: int, deviations: float) -> None:
        self._moments = windows.Moments(period)
        self._deviations = deviations
        self.first = (period - 1,) * 3

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        middle, variance = self._moments(pace, inputs[0])
        width = np.sqrt(variance) * self._deviations
        return middle + width, middle, middle - width
