"""Prices made comparable over splits: bars from before a split as if it had always been in force.

A split of `ratio` (new shares for one old: 4.0 for 4:1, 0.1 for a reverse split of 1:10) divides all
earlier prices by it and multiplies all earlier volumes, so that price times volume stays. Bars that
start at or after `effective` are in the new shares already. Dividends are not adjusted for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from domain.errors import Malformed
from domain.indicators.bars import Bars, Floats, Integers

LARGEST_RATIO = 1e6


class Split(Struct, frozen=True, order=True):
    """`effective`: the first moment traded in new shares, ns UTC. Raises Malformed for no ratio at all."""

    effective: int
    ratio: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and 1.0 / LARGEST_RATIO <= self.ratio <= LARGEST_RATIO):
            raise Malformed(
                f"split ratio {self.ratio!r} is not from {1 / LARGEST_RATIO:g} to {LARGEST_RATIO:g}"
            )


def factors(starts: Integers, splits: Sequence[Split]) -> Floats:
    """What each bar's prices are divided by and its volume multiplied by, (n,); 1 after the last split."""
    ordered = sorted(splits)
    later = np.ones(len(ordered) + 1)
    for place in range(len(ordered) - 1, -1, -1):
        later[place] = later[place + 1] * ordered[place].ratio
    effective = np.array([split.effective for split in ordered], np.int64)
    found: Floats = later[np.searchsorted(effective, starts, side="right")]
    return found


def adjusted(starts: Integers, bars: Bars, splits: Sequence[Split]) -> Bars:
    """The bars (n,) in the shares of today, sessions untouched; the very same where there is no split."""
    if not splits:
        return bars
    by = factors(starts, splits)
    opened, high, low, close = (each / by for each in (bars.open, bars.high, bars.low, bars.close))
    return Bars(opened, high, low, close, bars.volume * by, bars.session)
