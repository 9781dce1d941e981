"""Indicators that weigh prices by volume.

A bar whose volume is not known (NaN) counts with its prices and without any flow, so that the next
difference is the one from its price. Where no volume has been known there is no value.
"""

from __future__ import annotations

import numpy as np

from domain.indicators import stages, windows
from domain.indicators.bars import Floats
from domain.indicators.kernel import ROUNDING, Kernel, ratio
from domain.indicators.stages import Pace


class Obv(Kernel):
    """Begins with the first bar's volume, as in TA-Lib."""

    needs = ("close", "volume")

    def __init__(self) -> None:
        self._past = stages.Lag(1)
        self._total = stages.Total()
        self._known = stages.Total()
        self.first = (0,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        close, told = inputs
        volume, never = _flow(told), np.zeros(close.shape, bool)
        past = self._past(pace, close)
        signed = np.where(close > past, volume, np.where(close < past, -volume, 0.0))
        signed = np.where(np.isnan(past), volume, signed)
        known = self._known(pace, _is_known(told), never)
        return (np.where(known == 0.0, np.nan, self._total(pace, signed, never)),)


class Mfi(Kernel):
    """Prices below 0 make flows below 0: kept within 0..100, 0 where they sum to less, as in TA-Lib."""

    needs = ("hlc3", "volume")

    def __init__(self, period: int) -> None:
        self._past = stages.Lag(1)
        self._up = windows.window_sum(period, 1)
        self._down = windows.window_sum(period, 1)
        self._known = windows.window_sum(period, 1)
        self.first = (period,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        typical, told = inputs
        past = self._past(pace, typical)
        flow = typical * _flow(told)
        move = typical - past
        moved = np.abs(move) > ROUNDING * np.abs(typical)
        up = self._up(pace, np.where(moved & (move > 0.0), flow, 0.0))
        down = self._down(pace, np.where(moved & (move < 0.0), flow, 0.0))
        index = np.clip(ratio(up, up + down, 100.0), 0.0, 100.0)
        known = self._known(pace, _is_known(told))
        return (np.where(known == 0.0, np.nan, np.where(up + down < 0.0, 0.0, index)),)


class SessionVwap(Kernel):
    """No value until something has been traded in the session."""

    needs = ("hlc3", "volume", "session")

    def __init__(self) -> None:
        self._past = stages.Lag(1)
        self._value = stages.Total()
        self._volume = stages.Total()
        self.first = (0,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        typical, told, session = inputs
        volume = _flow(told)
        opened = session != self._past(pace, session)
        value = self._value(pace, typical * volume, opened)
        traded = self._volume(pace, volume, opened)
        return (np.where(traded == 0.0, np.nan, value / traded),)


class RollingVwap(Kernel):
    """No value while nothing was traded in the window."""

    needs = ("hlc3", "volume")

    def __init__(self, period: int) -> None:
        self._value = windows.window_sum(period)
        self._volume = windows.window_sum(period)
        self.first = (period - 1,)

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        typical, told = inputs
        volume = _flow(told)
        value, traded = self._value(pace, typical * volume), self._volume(pace, volume)
        return (np.where(traded == 0.0, np.nan, value / traded),)


def _flow(volume: Floats) -> Floats:
    """Nothing where it is not known."""
    return np.where(np.isnan(volume), 0.0, volume)


def _is_known(volume: Floats) -> Floats:
    return np.where(np.isnan(volume), 0.0, 1.0)


def vwap(period: int | None = None) -> Kernel:
    return SessionVwap() if period is None else RollingVwap(period)
