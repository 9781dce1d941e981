"""Poles: the sharp move before a flag or a pennant (Edwards & Magee, 10th ed. 2012, ch. 11)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from domain.patterns.swings import Pivot

MAX_POLE_STEP = 0.25
"""Of a pole's length: the largest step back within it."""
MIN_POLE_GAIN = 0.25
"""Of a pole's length: what it must gain to be begun further back."""
POLE = 2.3
"""A pole's least length, in heights (highest less lowest pivot) of what follows it."""
SHARPER = 1.3
"""A pole's least speed (price per bar), in mean speeds of the swings that follow it."""
LEAST_EASED = 0.3
"""Share of that speed that is asked of the longest poles."""


def pole_start(pivots: Sequence[Pivot]) -> Pivot:
    """Where the move into the last pivot began, small steps back within it overlooked."""
    end, start = pivots[-1], pivots[-2]
    for place in range(len(pivots) - 4, -1, -2):
        earlier, step = pivots[place], pivots[place + 1]
        length = end.side * (end.price - earlier.price)
        gain = end.side * (start.price - earlier.price)
        if gain < MIN_POLE_GAIN * length or end.side * (step.price - end.price) > 0:
            break
        if end.side * (step.price - start.price) > MAX_POLE_STEP * length:
            break
        start = earlier
    return start


def is_pole(
    start: Pivot, rest: Sequence[Pivot], least: float = POLE, sharper: float = SHARPER, *, eased: bool = False
) -> bool:
    """Whether the move from `start` to the first of `rest` is long against what follows it, and sharper.

    `eased`: of a pole of twice the least length half the speed is enough. A rest as long as its pole goes
    over as much way in as many bars.
    """
    end = rest[0]
    prices = [each.price for each in rest]
    length, bars = abs(end.price - start.price), end.row - start.row
    if length < least * (max(prices) - min(prices)):
        return False
    if eased:
        sharper *= max(LEAST_EASED, least * (max(prices) - min(prices)) / length)
    path = sum(abs(after - before) for before, after in pairwise(prices))
    return length * (rest[-1].row - end.row) >= sharper * path * bars
