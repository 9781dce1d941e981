"""Range, direction and trend: ATR, ADX, Parabolic SAR, SuperTrend."""

from __future__ import annotations

import numpy as np

from domain.indicators import stages
from domain.indicators.bars import Floats
from domain.indicators.kernel import Kernel, ratio
from domain.indicators.machines import BandMachine, SarMachine
from domain.indicators.stages import Pace

HIGH_LOW_CLOSE = ("high", "low", "close")


def true_range(high: Floats, low: Floats, past_close: Floats) -> Floats:
    """Wilder 1978, p. 21: the greatest of the bar's range and its distances from the last close."""
    result: Floats = np.maximum(high - low, np.maximum(np.abs(high - past_close), np.abs(low - past_close)))
    return result


class Atr(Kernel):
    needs = HIGH_LOW_CLOSE

    def __init__(self, period: int) -> None:
        self._past = stages.Lag(1)
        self._average = stages.Wilder(period, 1)
        self.first = (period,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        return (self._average(pace, true_range(high, low, self._past(pace, close))),)


class Adx(Kernel):
    """The directional indicators begin at bar `period`, ADX at bar 2 * period - 1 (from 0)."""

    needs = HIGH_LOW_CLOSE
    outputs = ("adx", "plus_di", "minus_di")

    def __init__(self, period: int) -> None:
        self._high, self._low, self._close = stages.Lag(1), stages.Lag(1), stages.Lag(1)
        self._up, self._down, self._range = (stages.WilderSum(period, 1) for _ in range(3))
        self._average = stages.WilderHeld(period, period)
        self.first = (2 * period - 1, period, period)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        rise = high - self._high(pace, high)
        fall = self._low(pace, low) - low
        up = self._up(pace, np.where((rise > 0.0) & (rise > fall), rise, 0.0))
        down = self._down(pace, np.where((fall > 0.0) & (rise < fall), fall, 0.0))
        spread = self._range(pace, true_range(high, low, self._close(pace, close)))
        plus, minus = ratio(up, spread, 100.0), ratio(down, spread, 100.0)
        both = plus + minus
        index = np.where((spread == 0.0) | (both == 0.0), np.nan, 100.0 * (np.abs(minus - plus) / both))
        return self._average(pace, index), plus, minus


class Psar(Kernel):
    """First side by the first two bars' directional movement, as in TA-Lib."""

    needs = ("high", "low")

    def __init__(self, step: float, most: float) -> None:
        self._machine = SarMachine(step, most)
        self.first = (1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        return self._machine(pace, *inputs)


class Supertrend(Kernel):
    """Rises at first, as in TA-Lib. `direction` is 1 (line below the price) or -1."""

    needs = HIGH_LOW_CLOSE
    outputs = ("line", "direction")

    def __init__(self, period: int, multiplier: float) -> None:
        self._past = stages.Lag(1)
        self._average = stages.Wilder(period, 1)
        self._bands = BandMachine()
        self._multiplier = multiplier
        self.first = (period, period)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        reach = self._average(pace, true_range(high, low, self._past(pace, close))) * self._multiplier
        middle = (high + low) / 2.0
        return self._bands(pace, middle + reach, middle - reach, close)
