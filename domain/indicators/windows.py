"""Figures over the last `period` inputs in O(1) per bar, without ever subtracting what left.

A running sum that adds the new and subtracts the old keeps the rounding error of everything it ever
held: one price of 1e17 by mistake spoils it for good. Here time is cut into blocks of `period` bars. Within
the current block figures grow from its begin (prefix); when a block ends, the figures of all of its
tails are computed once (suffix), which costs O(1) per bar on average. Every window is a tail of the
last block and the begin of the current one, so its figure is one combination of the two, and what has
left the window has no influence. (The idea for extremes: van Herk 1992; Gil and Werman 1993; for any
associative figure: the two-stack queue.)

The ring holds the last block's tails from the next slot on and the current block's inputs before it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from domain.indicators.bars import Floats, Integers
from domain.indicators.stages import OneBar, Pace, Stage

WIDE = 64
"""Numbers side by side from which a loop over a block's places beats NumPy's own accumulation."""


class Window(Stage):
    """`first` is the count of bars before the first value. Subclasses say what is kept of a block."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__()
        self.period = period
        self.first = after + period - 1
        self._after = after

    def slot(self, pace: OneBar) -> Integers:
        """Place in the current block, from 0; any number before the first input."""
        slot: Integers = (pace.count - self._after) % self.period
        return slot

    def ended(self, pace: OneBar, slot: Integers) -> Integers:
        """Symbols whose block ends with this bar; none where nothing is kept."""
        if not pace.keep:
            return pace.rows[:0]
        ended: Integers = pace.rows[(slot == self.period - 1) & (pace.count >= self._after)]
        return ended

    def warm(self, pace: OneBar, values: Floats) -> Floats:
        return values if pace.oldest >= self.first else np.where(pace.count >= self.first, values, np.nan)

    def blocks(self, x: Floats) -> Floats:
        """(blocks, period, symbols) of the inputs; the last block is filled up with zeros."""
        given = x[self._after :]
        count = -(-len(given) // self.period)
        if count * self.period == len(given):
            return given.reshape(count, self.period, x.shape[1])
        filled = np.zeros((count * self.period, x.shape[1]))
        filled[: len(given)] = given
        return filled.reshape(count, self.period, x.shape[1])

    def spread(self, x: Floats, windows: Floats) -> Floats:
        """Figures of all whole windows, oldest first, at the bars where they end."""
        out = np.empty(x.shape)
        out[: self.first] = np.nan
        out[self.first :] = windows[: max(0, len(x) - self.first)]
        return out


def ending(blocks: Floats) -> Floats:
    """(windows, symbols): of a (blocks, period, symbols) prefix figure, from the first whole window on."""
    _, period, symbols = blocks.shape
    return blocks.reshape(-1, symbols)[period - 1 :]


def beginning(blocks: Floats) -> Floats:
    """(windows, symbols): of a suffix figure, of the window that begins there; partner of `ending`."""
    _, period, symbols = blocks.shape
    flat = blocks.reshape(-1, symbols)
    return flat[: len(flat) - period + 1]


def tails(ufunc: np.ufunc, block: Floats) -> Floats:
    """`ufunc` of every tail of (period, symbols): element i covers i to the end."""
    turned: Floats = ufunc.accumulate(block[::-1], axis=0)[::-1]
    return turned


def head_figures(ufunc: np.ufunc, blocks: Floats) -> Floats:
    """`ufunc` of every head of (blocks, period, symbols): place i covers the begin to i."""
    if blocks.shape[0] * blocks.shape[2] < WIDE:
        figures: Floats = ufunc.accumulate(blocks, axis=1)
        return figures
    return _accumulated(ufunc, blocks, range(blocks.shape[1]))


def tail_figures(ufunc: np.ufunc, blocks: Floats) -> Floats:
    """`ufunc` of every tail of (blocks, period, symbols): place i covers i to the end."""
    if blocks.shape[0] * blocks.shape[2] < WIDE:
        turned: Floats = ufunc.accumulate(blocks[:, ::-1], axis=1)[:, ::-1]
        return turned
    return _accumulated(ufunc, blocks, range(blocks.shape[1] - 1, -1, -1))


def _accumulated(ufunc: np.ufunc, blocks: Floats, places: range) -> Floats:
    """What `ufunc.accumulate` gives over the places in this order, all blocks and symbols side by side."""
    out = np.empty(blocks.shape)
    out[:, places[0]] = blocks[:, places[0]]
    for before, place in pairwise(places):
        ufunc(out[:, before], blocks[:, place], out=out[:, place])
    return out


class Folded(Window):
    """Sum, greatest or least input: any one-number figure that a ufunc combines."""

    def __init__(self, ufunc: np.ufunc, period: int, after: int = 0) -> None:
        super().__init__(period, after)
        self._ufunc = ufunc
        self._head = self.allot()
        self._ring = self.allot(period)

    def __call__(self, pace: Pace, x: Floats) -> Floats:
        return self.step(pace, x) if isinstance(pace, OneBar) else self.run(x)

    def step(self, pace: OneBar, x: Floats) -> Floats:
        heads, ring = self.arrays[self._head], self.arrays[self._ring]
        slot = self.slot(pace)
        head = np.where(slot == 0, x, self._ufunc(pace.read(heads), x))
        tail = pace.read_slot(ring, (slot + 1) % self.period)
        whole = np.where(slot == self.period - 1, head, self._ufunc(tail, head))
        pace.write(heads, head)
        pace.write_slot(ring, slot, x)
        if (ended := self.ended(pace, slot)).size:
            ring[:, ended] = tails(self._ufunc, ring[:, ended])
        return self.warm(pace, whole)

    def run(self, x: Floats) -> Floats:
        if len(x) <= self.first:
            return np.full(x.shape, np.nan)
        blocks, whole = self.blocks(x), len(x) - self.first
        heads = ending(head_figures(self._ufunc, blocks))[:whole]
        out = np.empty(x.shape)
        out[: self.first] = np.nan
        found = out[self.first :]
        self._ufunc(beginning(tail_figures(self._ufunc, blocks))[:whole], heads, out=found)
        found[:: self.period] = heads[:: self.period]
        return out


def window_sum(period: int, after: int = 0) -> Folded:
    return Folded(np.add, period, after)


def highest(period: int, after: int = 0) -> Folded:
    return Folded(np.maximum, period, after)


def lowest(period: int, after: int = 0) -> Folded:
    return Folded(np.minimum, period, after)


class Weighted(Window):
    """Sum of the inputs times 1 (oldest) to `period` (newest)."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period, after)
        self._head_sum = self.allot()
        self._head = self.allot()
        self._tail_ring = self.allot(period)
        self._ring = self.allot(period)

    def __call__(self, pace: Pace, x: Floats) -> Floats:
        return self.step(pace, x) if isinstance(pace, OneBar) else self.run(x)

    def step(self, pace: OneBar, x: Floats) -> Floats:
        sums, heads = self.arrays[self._head_sum], self.arrays[self._head]
        tail_ring, ring = self.arrays[self._tail_ring], self.arrays[self._ring]
        slot = self.slot(pace)
        weighted = x * (slot + 1.0)
        total = np.where(slot == 0, x, pace.read(sums) + x)
        head = np.where(slot == 0, weighted, pace.read(heads) + weighted)
        tail = pace.read_slot(tail_ring, (slot + 1) % self.period)
        older = self.period - 1.0 - slot
        whole = np.where(older == 0.0, head, tail + (head + older * total))
        pace.write(sums, total)
        pace.write(heads, head)
        pace.write_slot(ring, slot, x)
        if (ended := self.ended(pace, slot)).size:
            tail_ring[:, ended] = tails(np.add, tails(np.add, ring[:, ended]))
        return self.warm(pace, whole)

    def run(self, x: Floats) -> Floats:
        if len(x) <= self.first:
            return np.full(x.shape, np.nan)
        blocks = self.blocks(x)
        weights = np.arange(1.0, self.period + 1.0)[:, None]
        totals = ending(head_figures(np.add, blocks))
        heads = ending(head_figures(np.add, blocks * weights))
        older = self.period - 1.0 - ((np.arange(len(heads)) - 1) % self.period)[:, None]
        whole = beginning(tail_figures(np.add, tail_figures(np.add, blocks))) + (heads + older * totals)
        whole[:: self.period] = heads[:: self.period]
        return self.spread(x, whole)


class Moments(Window):
    """Mean and population variance (divisor: period) of the window.

    Sums of first and second powers about a member of the window, the block's first input for the
    head and the last for the tails, combined as in Chan, Golub and LeVeque, Updating formulae and a
    pairwise algorithm, 1979, eq. 2.1. Equal inputs give exactly their value and exactly 0.
    """

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period, after)
        self._pivot, self._first_power, self._second_power = self.allot(), self.allot(), self.allot()
        self._last_pivot = self.allot()
        self._inputs, self._tail_first, self._tail_second = (self.allot(period) for _ in range(3))

    def __call__(self, pace: Pace, x: Floats) -> tuple[Floats, Floats]:
        return self.step(pace, x) if isinstance(pace, OneBar) else self.run(x)

    def step(self, pace: OneBar, x: Floats) -> tuple[Floats, Floats]:
        state, slot = self.arrays, self.slot(pace)
        fresh = slot == 0
        pivot = np.where(fresh, x, pace.read(state[self._pivot]))
        off = x - pivot
        first = np.where(fresh, off, pace.read(state[self._first_power]) + off)
        second = np.where(fresh, off * off, pace.read(state[self._second_power]) + off * off)
        after = (slot + 1) % self.period
        tail = (
            pace.read(state[self._last_pivot]),
            pace.read_slot(state[self._tail_first], after),
            pace.read_slot(state[self._tail_second], after),
        )
        mean, variance = self._combined(tail, (pivot, first, second), (slot + 1).astype(np.float64))
        for place, values in ((self._pivot, pivot), (self._first_power, first), (self._second_power, second)):
            pace.write(state[place], values)
        pace.write_slot(state[self._inputs], slot, x)
        if (ended := self.ended(pace, slot)).size:
            self._turn(ended)
        return self.warm(pace, mean), self.warm(pace, variance)

    def _turn(self, ended: Integers) -> None:
        state = self.arrays
        inputs = state[self._inputs][:, ended]
        off = inputs - inputs[-1]
        state[self._last_pivot][ended] = inputs[-1]
        state[self._tail_first][:, ended] = tails(np.add, off)
        state[self._tail_second][:, ended] = tails(np.add, off * off)

    def _combined(
        self, tail: tuple[Floats, Floats, Floats], head: tuple[Floats, Floats, Floats], newer: Floats
    ) -> tuple[Floats, Floats]:
        """(mean, variance) of `period - newer` inputs in the tail and `newer` in the head."""
        older = self.period - newer
        off_head, spread_head = _central(head, newer)
        off_tail, spread_tail = _central(tail, np.maximum(older, 1.0))
        apart = (head[0] - tail[0]) + (off_head - off_tail)
        mean = tail[0] + (off_tail + apart * (newer / self.period))
        spread = spread_tail + spread_head + apart * apart * (older * newer / self.period)
        alone = older == 0.0
        return np.where(alone, head[0] + off_head, mean), np.where(alone, spread_head, spread) / self.period

    def run(self, x: Floats) -> tuple[Floats, Floats]:
        if len(x) <= self.first:
            return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
        blocks = self.blocks(x)
        pivot = np.broadcast_to(blocks[:, :1], blocks.shape)
        last = np.broadcast_to(blocks[:, -1:], blocks.shape)
        off_head, off_tail = blocks - pivot, blocks - last
        head = (
            ending(pivot),
            ending(head_figures(np.add, off_head)),
            ending(head_figures(np.add, off_head * off_head)),
        )
        tail = (
            beginning(last),
            beginning(tail_figures(np.add, off_tail)),
            beginning(tail_figures(np.add, off_tail * off_tail)),
        )
        newer = ((np.arange(len(head[0])) - 1) % self.period + 1).astype(np.float64)[:, None]
        mean, variance = self._combined(tail, head, newer)
        return self.spread(x, mean), self.spread(x, variance)


def _central(powers: tuple[Floats, Floats, Floats], count: Floats) -> tuple[Floats, Floats]:
    """(mean less the pivot, sum of squared distances from the mean) of (pivot, first, second power)."""
    _, first, second = powers
    off = first / count
    return off, np.maximum(second - first * off, 0.0)


class MeanDistance(Window):
    """Mean of |input - centre| over the window. Costs O(period) per bar: the centre moves with it."""

    def __init__(self, period: int, after: int = 0) -> None:
        super().__init__(period, after)
        self._ring = self.allot(period)

    def __call__(self, pace: Pace, x: Floats, centre: Floats) -> Floats:
        return self.step(pace, x, centre) if isinstance(pace, OneBar) else self.run(x, centre)

    def step(self, pace: OneBar, x: Floats, centre: Floats) -> Floats:
        ring, slot = self.arrays[self._ring], self.slot(pace)
        pace.write_slot(ring, slot, x)
        total = np.zeros(x.shape)
        for back in range(self.period - 1, 0, -1):
            total += np.abs(pace.read_slot(ring, (slot - back) % self.period) - centre)
        total += np.abs(x - centre)
        return self.warm(pace, total / self.period)

    def run(self, x: Floats, centre: Floats) -> Floats:
        out = np.full(x.shape, np.nan)
        if len(x) <= self.first:
            return out
        total = np.zeros((len(x) - self.first, x.shape[1]))
        for back in range(self.period - 1, -1, -1):
            total += np.abs(x[self.first - back : len(x) - back] - centre[self.first :])
        out[self.first :] = total / self.period
        return out
