"""The parts that indicators are made of, each in two forms that give the same bits.

`step` advances one bar of many symbols: arguments and result are (rows,), state lives in arrays whose
last axis is the symbol. `run` takes all bars of many symbols, (bars, symbols), oldest first, from the
very first one, and keeps nothing. Both do the same floating-point operations in the same order.

A stage counts bars since its indicator's first one. `after` says how many of them bring it no input
yet (what feeds it is warming up). Before its first value a stage gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from domain.indicators.bars import Floats, Integers

FOREVER = math.inf
SETTLED_BITS = 48
"""An exponential average has settled once what came before weighs less than 2^-48: then two of them that
began at different bars differ by the rounding of their last digits."""
FEW_COLUMNS = 12
"""Below it, running a recurrence column by column in Python floats beats NumPy's cost per call."""


class OneBar:
    """One bar of the given rows. `count`: bars that each row had before; `oldest` is the least of them.

    With `keep` false nothing is written: the result is provisional.
    """

    __slots__ = ("count", "keep", "oldest", "rows", "whole")

    def __init__(self, rows: Integers, count: Integers, *, whole: bool, keep: bool) -> None:
        self.rows = rows
        self.count = count
        self.oldest = int(count.min()) if count.size else 0
        self.whole = whole
        self.keep = keep

    def read(self, state: Floats) -> Floats:
        """(rows,) of a (symbols,) state; not to be written to."""
        return state if self.whole else state[self.rows]

    def write(self, state: Floats, values: Floats) -> None:
        if self.keep:
            state[slice(None) if self.whole else self.rows] = values

    def read_slot(self, ring: Floats, slot: Integers) -> Floats:
        """(rows,): each row's own slot of a (slots, symbols) ring."""
        values: Floats = ring.reshape(-1).take(slot * ring.shape[1] + self.rows)
        return values

    def write_slot(self, ring: Floats, slot: Integers, values: Floats) -> None:
        if self.keep:
            ring.reshape(-1)[slot * ring.shape[1] + self.rows] = values


class AllBars:
    """All bars of some symbols at once."""

    __slots__ = ()


Pace = OneBar | AllBars
ALL_BARS = AllBars()


class Stage:
    """Owns `arrays`, whose last axis is the symbol; they are all of its state.

    `settles`: beyond the inputs that its first value needs, how many bars back the state still depends
    on; FOREVER: to the first bar.
    """

    settles: float = 0.0

    def __init__(self) -> None:
        self.arrays: list[Floats] = []

    def allot(self, *leading: int) -> int:
        """A new state array (..., symbols); its place in `arrays`."""
        self.arrays.append(np.zeros((*leading, 0)))
        return len(self.arrays) - 1

    def resize(self, symbols: int) -> None:
        for place, old in enumerate(self.arrays):
            new = np.zeros((*old.shape[:-1], symbols))
            new[..., : old.shape[-1]] = old
            self.arrays[place] = new


class Lag(Stage):
    """The value `bars` bars ago."""

    def __init__(self, bars: int, after: int = 0) -> None:
        super().__init__()
        self.bars = bars
        self.first = after + bars
        self._after = after
        self._ring = self.allot(bars)

    def __call__(self, pace: Pace, x: Floats) -> Floats:
        return self.step(pace, x) if isinstance(pace, OneBar) else self.run(x)

    def step(self, pace: OneBar, x: Floats) -> Floats:
        ring = self.arrays[self._ring]
        slot = (pace.count - self._after) % self.bars
        past = pace.read_slot(ring, slot)
        pace.write_slot(ring, slot, x)
        return past if pace.oldest >= self.first else np.where(pace.count >= self.first, past, np.nan)

    def run(self, x: Floats) -> Floats:
        past = np.full(x.shape, np.nan)
        past[self.first :] = x[self._after : max(self._after, len(x) - self.bars)]
        return past


class Smoothing(Stage):
    """A recurrence over its own last value, seeded with the sum of the first inputs over a divisor.

    `seeds` inputs are summed one by one; the last of them gives the first value, or, where
    `silent_seed`, the input after it.
    """

    def __init__(self, seeds: int, divisor: float, after: int = 0, *, silent_seed: bool = False) -> None:
        super().__init__()
        self._seeds = seeds
        self._divisor = divisor
        self._after = after
        self.first = after + seeds - 1 + silent_seed
        self._value = self.allot()

    def settles_by(self, weight: float) -> None:
        """`weight` of the newest input, in (0, 1]."""
        self.settles = 0.0 if weight >= 1.0 else SETTLED_BITS * math.log(2.0) / -math.log1p(-weight)

    def __call__(self, pace: Pace, x: Floats) -> Floats:
        return self.step(pace, x) if isinstance(pace, OneBar) else self.run(x)

    def advance(self, value: float, x: float) -> float:
        """The next value; the same text serves floats and arrays."""
        raise NotImplementedError

    def advance_all(self, value: Floats, x: Floats) -> Floats:
        return self.advance(value, x)  # type: ignore[arg-type,return-value]  # the same text

    def step(self, pace: OneBar, x: Floats) -> Floats:
        state = self.arrays[self._value]
        value = pace.read(state)
        if pace.oldest >= self._after + self._seeds:
            value = self.advance_all(value, x)
            pace.write(state, value)
        else:
            value = self._seeded(pace.count - self._after, value, x)
            pace.write(state, value)
            value = np.where(pace.count < self.first, np.nan, value)
        return value

    def _seeded(self, index: Integers, value: Floats, x: Floats) -> Floats:
        """`index` of this input, negative before the first; the sum so far while seeding."""
        seed = self.seed(x)
        summed = np.where(index == 0, seed, value + seed)
        summed = np.where(index == self._seeds - 1, summed / self._divisor, summed)
        value = np.where(index < self._seeds, summed, self.advance_all(value, x))
        return np.where(index < 0, 0.0, value)

    def seed(self, x: Floats) -> Floats:
        return x

    def run(self, x: Floats) -> Floats:
        begin, end = self._after, self._after + self._seeds
        if len(x) < end:
            return np.full(x.shape, np.nan)
        out = np.empty(x.shape)
        value = np.zeros(x.shape[1])
        if self._seeds:
            value = np.add.accumulate(self.seed(x[begin:end]), axis=0)[-1] / self._divisor
            out[end - 1] = value
        if x.shape[1] < FEW_COLUMNS:
            self._run_columns(out, x, value, end)
        else:
            self._run_rows(out, x, value, end)
        out[: self.first] = np.nan
        return out

    def _run_columns(self, out: Floats, x: Floats, values: Floats, begin: int) -> None:
        for place, seed in enumerate(values.tolist()):
            out[begin:, place] = list(self._scan(seed, x[begin:, place].tolist()))

    def _scan(self, value: float, inputs: list[float]) -> Iterator[float]:
        advance = self.advance
        for x in inputs:
            value = advance(value, x)
            yield value

    def _run_rows(self, out: Floats, x: Floats, value: Floats, begin: int) -> None:
        for bar in range(begin, len(x)):
            value = self.advance_all(value, x[bar])
            out[bar] = value


class Ema(Smoothing):
    """Exponential average, weight 2 / (period + 1), seeded with the mean of the first `period` inputs."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period, period, after)
        self._weight = 2.0 / (period + 1)
        self.settles_by(self._weight)

    def advance(self, value: float, x: float) -> float:
        return (x - value) * self._weight + value


class Wilder(Smoothing):
    """Wilder's average, weight 1 / period, seeded with the mean of the first `period` inputs."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period, period, after)
        self._period = period
        self.settles_by(1.0 / period)

    def advance(self, value: float, x: float) -> float:
        return (value * (self._period - 1) + x) / self._period


class WilderSum(Smoothing):
    """Wilder's smoothed sum: less one period-th, plus the input; seeded with the first period - 1 inputs."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period - 1, 1.0, after, silent_seed=True)
        self._period = period
        self.settles_by(1.0 / period)

    def advance(self, value: float, x: float) -> float:
        return value - value / self._period + x


class WilderHeld(Wilder):
    """As Wilder, but an input of NaN leaves the value as it is; while seeding it counts as 0."""

    def seed(self, x: Floats) -> Floats:
        return np.where(np.isnan(x), 0.0, x)

    def advance(self, value: float, x: float) -> float:
        return value if x != x else (value * (self._period - 1) + x) / self._period

    def advance_all(self, value: Floats, x: Floats) -> Floats:
        held: Floats = np.where(np.isnan(x), value, (value * (self._period - 1) + x) / self._period)
        return held


class Total(Stage):
    """Running sum of all inputs; starts again where `restart` is true."""

    settles = FOREVER

    def __init__(self) -> None:
        super().__init__()
        self._value = self.allot()

    def __call__(self, pace: Pace, x: Floats, restart: NDArray[np.bool_]) -> Floats:
        return self.step(pace, x, restart) if isinstance(pace, OneBar) else self.run(x, restart)

    def step(self, pace: OneBar, x: Floats, restart: NDArray[np.bool_]) -> Floats:
        state = self.arrays[self._value]
        total = np.where(restart | (pace.count == 0), x, pace.read(state) + x)
        pace.write(state, total)
        return total

    def run(self, x: Floats, restart: NDArray[np.bool_]) -> Floats:
        out = np.empty(x.shape)
        for place in range(x.shape[1]):
            cuts = [0, *(np.flatnonzero(restart[1:, place]) + 1).tolist(), len(x)]
            for begin, end in pairwise(cuts):
                np.add.accumulate(x[begin:end, place], out=out[begin:end, place])
        return out
