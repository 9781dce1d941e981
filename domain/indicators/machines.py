"""Recurrences over several numbers that turn: Parabolic SAR's stop, SuperTrend's bands.

`advance` moves many symbols by one bar, `advance_one` one symbol in Python floats: the same operations
(a property test holds them together), the second for long histories of few symbols.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from domain.indicators.bars import Floats
from domain.indicators.stages import FEW_COLUMNS, FOREVER, OneBar, Pace, Stage

Columns = tuple[Floats, ...]
Numbers = tuple[float, ...]


class Machine(Stage):
    """`numbers` of state and `outputs` per symbol. A turn forgets the past, but none has to come."""

    settles = FOREVER

    def __init__(self, numbers: int, outputs: int) -> None:
        super().__init__()
        self._outputs = outputs
        for _ in range(numbers):
            self.allot()

    def advance(self, count: Floats, state: Columns, inputs: Columns) -> tuple[Columns, Columns]:
        """(new state, outputs) of one bar; `count`: bars before it, per symbol."""
        raise NotImplementedError

    def advance_one(self, count: int, state: Numbers, inputs: Numbers) -> tuple[Numbers, Numbers]:
        """The same for one symbol."""
        raise NotImplementedError

    def __call__(self, pace: Pace, *inputs: Floats) -> Columns:
        return self.step(pace, inputs) if isinstance(pace, OneBar) else self.run(inputs)

    def step(self, pace: OneBar, inputs: Columns) -> Columns:
        state = tuple(pace.read(array) for array in self.arrays)
        new, outputs = self.advance(pace.count.astype(np.float64), state, inputs)
        for array, values in zip(self.arrays, new, strict=True):
            pace.write(array, values)
        return outputs

    def run(self, inputs: Columns) -> Columns:
        outputs = tuple(np.empty(inputs[0].shape) for _ in range(self._outputs))
        if inputs[0].shape[1] < FEW_COLUMNS:
            for place in range(inputs[0].shape[1]):
                self._run_column(
                    tuple(each[:, place] for each in outputs), tuple(each[:, place] for each in inputs)
                )
        else:
            self._run_rows(outputs, inputs)
        return outputs

    def _run_column(self, outputs: Columns, inputs: Columns) -> None:
        state: Numbers = (0.0,) * len(self.arrays)
        shown: list[Numbers] = []
        for count, bar in enumerate(zip(*(each.tolist() for each in inputs), strict=True)):
            state, values = self.advance_one(count, state, bar)
            shown.append(values)
        for array, numbers in zip(outputs, zip(*shown, strict=True), strict=True):
            array[:] = numbers

    def _run_rows(self, outputs: Columns, inputs: Columns) -> None:
        bars, symbols = inputs[0].shape
        state: Columns = tuple(np.zeros(symbols) for _ in self.arrays)
        for bar in range(bars):
            count = np.full(symbols, float(bar))
            state, values = self.advance(count, state, tuple(each[bar] for each in inputs))
            for array, row in zip(outputs, values, strict=True):
                array[bar] = row


class SarMachine(Machine):
    """State: side (1 long, -1 short), extreme point, stop, acceleration, last high, last low.

    A short position is a long one with prices negated and high and low exchanged, so that one text
    serves both.
    """

    def __init__(self, step: float, most: float) -> None:
        super().__init__(6, 1)
        self._step = min(step, most)
        self._most = most

    def advance(self, count: Floats, state: Columns, inputs: Columns) -> tuple[Columns, Columns]:
        high, low = inputs
        side, extreme, stop, pace, past_high, past_low = state
        begins = count == 1.0
        if begins.any():
            fell = (past_low > low) & (high - past_high < past_low - low)
            first_side = np.where(fell, -1.0, 1.0)
            side = np.where(begins, first_side, side)
            extreme = np.where(begins, np.where(fell, low, high), extreme)
            stop = np.where(begins, np.where(fell, past_high, past_low), stop)
            pace = np.where(begins, self._step, pace)
            past_high, past_low = np.where(begins, high, past_high), np.where(begins, low, past_low)
        shown, side, extreme, stop, pace = self._moved(
            side, extreme, stop, pace, inputs, (past_high, past_low)
        )
        return (side, extreme, stop, pace, high, low), (np.where(count < 1.0, np.nan, shown),)

    def advance_one(self, count: int, state: Numbers, inputs: Numbers) -> tuple[Numbers, Numbers]:
        high, low = inputs
        side, extreme, stop, pace, past_high, past_low = state
        if count == 0:
            return (side, extreme, stop, pace, high, low), (math.nan,)
        if count == 1:
            fell = past_low > low and high - past_high < past_low - low
            side, extreme, stop = (-1.0, low, past_high) if fell else (1.0, high, past_low)
            pace, past_high, past_low = self._step, high, low
        top, bottom, past_top, past_bottom = high, low, past_high, past_low
        if side < 0.0:
            top, bottom, past_top, past_bottom = -low, -high, -past_low, -past_high
        peak, floor, shown = side * extreme, side * stop, stop
        if bottom <= floor:
            ceiling = max(past_top, top, peak)
            floor = max(past_top, top, ceiling + self._step * (bottom - ceiling))
            shown, extreme, stop = side * ceiling, side * bottom, side * floor
            return (-side, extreme, stop, self._step, high, low), (shown,)
        if top > peak:
            peak, pace = top, min(pace + self._step, self._most)
        floor = min(past_bottom, bottom, floor + pace * (peak - floor))
        return (side, side * peak, side * floor, pace, high, low), (shown,)

    def _moved(
        self, side: Floats, extreme: Floats, stop: Floats, pace: Floats, bar: Columns, past: Columns
    ) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """(shown stop, side, extreme point, next stop, acceleration)."""
        is_long = side > 0.0
        top, bottom = _turned(is_long, *bar)
        past_top, past_bottom = _turned(is_long, *past)
        peak, floor = side * extreme, side * stop
        turns = bottom <= floor
        ceiling = np.maximum(np.maximum(past_top, top), peak)
        turned_stop = np.maximum(np.maximum(past_top, top), ceiling + self._step * (bottom - ceiling))
        higher = np.maximum(peak, top)
        faster = np.where(top > peak, np.minimum(pace + self._step, self._most), pace)
        kept_stop = np.minimum(np.minimum(past_bottom, bottom), floor + faster * (higher - floor))
        return (
            side * np.where(turns, ceiling, floor),
            np.where(turns, -side, side),
            side * np.where(turns, bottom, higher),
            side * np.where(turns, turned_stop, kept_stop),
            np.where(turns, self._step, faster),
        )


def _turned(is_long: NDArray[np.bool_], high: Floats, low: Floats) -> tuple[Floats, Floats]:
    """(high, low) as a long position sees them."""
    return np.where(is_long, high, -low), np.where(is_long, low, -high)


class BandMachine(Machine):
    """State: upper band, lower band, direction (0 before the first), last close."""

    def __init__(self) -> None:
        super().__init__(4, 2)

    def advance(self, count: Floats, state: Columns, inputs: Columns) -> tuple[Columns, Columns]:
        upper, lower, close = inputs
        past_upper, past_lower, direction, past_close = state
        begins = direction == 0.0
        upper = np.where(begins | (upper < past_upper) | (past_close > past_upper), upper, past_upper)
        lower = np.where(begins | (lower > past_lower) | (past_close < past_lower), lower, past_lower)
        turned = np.where(
            (direction > 0.0) & (close < lower),
            -1.0,
            np.where((direction < 0.0) & (close > upper), 1.0, direction),
        )
        direction = np.where(np.isnan(upper), 0.0, np.where(begins, 1.0, turned))
        line = np.where(direction > 0.0, lower, upper)
        shown = np.where(direction == 0.0, np.nan, direction)
        return (upper, lower, direction, close), (line, shown)

    def advance_one(self, count: int, state: Numbers, inputs: Numbers) -> tuple[Numbers, Numbers]:
        upper, lower, close = inputs
        past_upper, past_lower, direction, past_close = state
        if upper != upper:
            return (upper, lower, 0.0, close), (upper, math.nan)
        if direction == 0.0:
            direction = 1.0
        else:
            upper = upper if upper < past_upper or past_close > past_upper else past_upper
            lower = lower if lower > past_lower or past_close < past_lower else past_lower
            if direction > 0.0 and close < lower:
                direction = -1.0
            elif direction < 0.0 and close > upper:
                direction = 1.0
        return (upper, lower, direction, close), (lower if direction > 0.0 else upper, direction)
