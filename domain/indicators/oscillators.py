"""Oscillators: momentum and the place of the price within its recent range."""

from __future__ import annotations

import numpy as np

from domain.indicators import stages, windows
from domain.indicators.bars import Floats
from domain.indicators.kernel import ROUNDING, Kernel, hidden_until, ratio
from domain.indicators.stages import Pace

CCI_SCALE = 0.015
"""Lambert's constant: puts about three quarters of the values within +-100."""


class Roc(Kernel):
    def __init__(self, period: int) -> None:
        self._past = stages.Lag(period)
        self.first = (period,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        past = self._past(pace, inputs[0])
        return (np.where(past == 0.0, 0.0, (inputs[0] / past - 1.0) * 100.0),)


class Rsi(Kernel):
    def __init__(self, period: int) -> None:
        self._past = stages.Lag(1)
        self._gain = stages.Wilder(period, 1)
        self._loss = stages.Wilder(period, 1)
        self.first = (period,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        change = inputs[0] - self._past(pace, inputs[0])
        gain = self._gain(pace, np.maximum(change, 0.0))
        loss = self._loss(pace, np.maximum(-change, 0.0))
        return (ratio(gain, gain + loss, 100.0),)


class FastStochastic(Kernel):
    """%K as it is, %D its simple average; both begin together, as in TA-Lib's STOCHF."""

    needs = ("high", "low", "close")
    outputs = ("k", "d")

    def __init__(self, k: int, d: int) -> None:
        self._highest = windows.highest(k)
        self._lowest = windows.lowest(k)
        self._d = windows.window_sum(d, k - 1)
        self._d_period = d
        self.first = (k + d - 2,) * 2

    def raw(self, pace: Pace, high: Floats, low: Floats, close: Floats) -> Floats:
        least = self._lowest(pace, low)
        return ratio(close - least, self._highest(pace, high) - least, 100.0)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        k = self.raw(pace, *inputs)
        d = self._d(pace, k) / self._d_period
        return hidden_until(k, d), d


class Stochastic(FastStochastic):
    """%K smoothed by a simple average, %D the average of that."""

    def __init__(self, k: int, smooth: int, d: int) -> None:
        super().__init__(k, d)
        self._smooth = windows.window_sum(smooth, k - 1)
        self._smooth_period = smooth
        self._d = windows.window_sum(d, k + smooth - 2)
        self.first = (k + smooth + d - 3,) * 2

    def raw(self, pace: Pace, high: Floats, low: Floats, close: Floats) -> Floats:
        return self._smooth(pace, super().raw(pace, high, low, close)) / self._smooth_period


class WilliamsR(Kernel):
    """A close outside its bars counts as at their edge, as in TA-Lib."""

    needs = ("high", "low", "close")

    def __init__(self, period: int) -> None:
        self._highest = windows.highest(period)
        self._lowest = windows.lowest(period)
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        most = self._highest(pace, high)
        place = ratio(most - close, most - self._lowest(pace, low), -100.0)
        return (np.clip(place, -100.0, 0.0) + 0.0,)


class Cci(Kernel):
    needs = ("hlc3",)

    def __init__(self, period: int) -> None:
        self._moments = windows.Moments(period)
        self._distance = windows.MeanDistance(period)
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        typical = inputs[0]
        mean, _ = self._moments(pace, typical)
        distance = self._distance(pace, typical, mean)
        flat = distance <= ROUNDING * np.abs(mean)
        return (np.where(flat, 0.0, (typical - mean) / (CCI_SCALE * distance)),)
