"""Channels around the price: Keltner, Donchian, Ichimoku."""

from __future__ import annotations

from domain.indicators import stages, windows
from domain.indicators.bars import Floats
from domain.indicators.kernel import Kernel
from domain.indicators.stages import Pace
from domain.indicators.trend import HIGH_LOW_CLOSE, true_range

BANDS = ("upper", "middle", "lower")


class Keltner(Kernel):
    """Both averages are seeded so that they begin at the same bar, as in TA-Lib's KC."""

    needs = HIGH_LOW_CLOSE
    outputs = BANDS

    def __init__(self, period: int, atr_period: int, multiplier: float) -> None:
        begin = max(period - 1, atr_period)
        self._past = stages.Lag(1)
        self._middle = stages.Ema(period, begin - period + 1)
        self._range = stages.Wilder(atr_period, begin - atr_period + 1)
        self._multiplier = multiplier
        self.first = (begin,) * 3

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        middle = self._middle(pace, (high + low + close) / 3.0)
        reach = self._range(pace, true_range(high, low, self._past(pace, close))) * self._multiplier
        return middle + reach, middle, middle - reach


class Donchian(Kernel):
    needs = ("high", "low")
    outputs = BANDS

    def __init__(self, period: int) -> None:
        self._highest = windows.highest(period)
        self._lowest = windows.lowest(period)
        self.first = (period - 1,) * 3

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        upper, lower = self._highest(pace, inputs[0]), self._lowest(pace, inputs[1])
        return upper, (upper + lower) / 2.0, lower


class Middle:
    """Middle of the highest high and the lowest low."""

    def __init__(self, period: int) -> None:
        self.highest = windows.highest(period)
        self.lowest = windows.lowest(period)

    def __call__(self, pace: Pace, high: Floats, low: Floats) -> Floats:
        return (self.highest(pace, high) + self.lowest(pace, low)) / 2.0


class Ichimoku(Kernel):
    """What is drawn over a bar, never what lies ahead of it.

    The spans over a bar were computed `base` bars before. `chikou` is the close, which charts draw
    `base` bars back: compare it with the price there.
    """

    needs = HIGH_LOW_CLOSE
    outputs = ("tenkan", "kijun", "senkou_a", "senkou_b", "chikou")

    def __init__(self, conversion: int, base: int, span: int) -> None:
        self._middles = tuple(Middle(period) for period in (conversion, base, span))
        self._ahead_a = stages.Lag(base, max(conversion, base) - 1)
        self._ahead_b = stages.Lag(base, span - 1)
        self.first = (conversion - 1, base - 1, self._ahead_a.first, self._ahead_b.first, 0)

    def stages(self) -> tuple[stages.Stage, ...]:
        windows_ = (stage for middle in self._middles for stage in (middle.highest, middle.lowest))
        return (*windows_, *super().stages())

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        high, low, close = inputs
        tenkan, kijun, span = (middle(pace, high, low) for middle in self._middles)
        ahead_a = self._ahead_a(pace, (tenkan + kijun) / 2.0)
        return tenkan, kijun, ahead_a, self._ahead_b(pace, span), close
