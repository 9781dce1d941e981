"""What is usual, unmoved by the unusual: rolling median and MAD.

Modified z-score (Iglewicz & Hoaglin, How to Detect and Handle Outliers, 1993, pp. 11-12):
M = 0.6745 (x - median) / MAD; where MAD is 0, (x - median) / (1.253314 MeanAD). The scale here is the
inverse: sigma = 1.4826 MAD, consistent with the standard deviation of normal data (Rousseeuw & Croux,
JASA 88, 1993). Applied to a window that slides it is the filter of Hampel (JASA 69, 1974).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from msgspec import Struct

MAD_TO_SIGMA = 1.4826
MEAN_AD_TO_SIGMA = 1.253314


class UsualState(Struct, frozen=True, array_like=True):
    values: tuple[float, ...]
    waiting: int
    median: float
    sigma: float


class Usual:
    """Median and robust sigma of the last `size` values, brought up to date every `every` values.

    `median` and `sigma` are those of the last refresh: a bounded lag buys a cheap `add`. Values must be
    finite. Until 8 values came `ready` is False.
    """

    __slots__ = ("_at", "_every", "_size", "_values", "_waiting", "median", "sigma")

    def __init__(self, size: int, every: int = 1) -> None:
        self._size = size
        self._every = every
        self._values = array("d")
        self._at = 0
        self._waiting = 0
        self.median = 0.0
        self.sigma = 0.0

    def __len__(self) -> int:
        return len(self._values)

    @property
    def ready(self) -> bool:
        return len(self._values) >= 8

    def add(self, value: float) -> None:
        values = self._values
        if len(values) < self._size:
            values.append(value)
        else:
            values[self._at] = value
            self._at = (self._at + 1) % self._size
        self._waiting += 1
        if self._waiting >= self._every or len(values) <= 8:
            self._waiting = 0
            self.median, self.sigma = location_and_scale(values)

    def shift(self, by: float) -> None:
        """Every value, and what was found of them, by so much: the same things in another measure."""
        for place, value in enumerate(self._values):
            self._values[place] = value + by
        self.median += by

    def z(self, value: float, floor: float = 0.0) -> float:
        """Distance from the median in sigmas of at least `floor`; 0 before there is a scale."""
        sigma = max(self.sigma, floor)
        return (value - self.median) / sigma if sigma > 0.0 else 0.0

    def largest(self) -> float:
        """Of the window; -inf while it is empty."""
        return max(self._values, default=-math.inf)

    def snapshot(self) -> UsualState:
        ordered = self._values[self._at :] + self._values[: self._at]
        return UsualState(tuple(ordered), self._waiting, self.median, self.sigma)

    def restore(self, state: UsualState) -> None:
        self._values = array("d", state.values)
        self._at = 0
        self._waiting, self.median, self.sigma = state.waiting, state.median, state.sigma


def location_and_scale(values: Sequence[float]) -> tuple[float, float]:
    """(median, robust sigma) of finite values; (0, 0) of none."""
    if not values:
        return 0.0, 0.0
    median = median_of(sorted(values))
    deviations = sorted(abs(value - median) for value in values)
    mad = median_of(deviations)
    if mad > 0.0:
        return median, MAD_TO_SIGMA * mad
    return median, MEAN_AD_TO_SIGMA * sum(deviations) / len(deviations)


def median_of(ordered: Sequence[float]) -> float:
    """Of sorted values, at least one."""
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2.0
