"""Prices made comparable over splits: bars from before a split as if it had always been in force.

A split of `ratio` (new shares for one old: 4.0 for 4:1, 0.1 for a reverse split of 1:10) divides all
earlier prices by it and multiplies all earlier volumes, so that price times volume stays. What
is dated at or after `effective` is in the new shares already. Dividends are not adjusted for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain.indicators.bars import Bars, Floats, Integers
from domain.market.splits import Split


def factors(moments: Integers, splits: Sequence[Split]) -> Floats:
    """What prices of these moments are divided by and volumes multiplied by, (n,); 1 after the last split."""
    ordered = sorted(splits)
    later = np.ones(len(ordered) + 1)
    for place in range(len(ordered) - 1, -1, -1):
        later[place] = later[place + 1] * ordered[place].ratio
    effective = np.array([split.effective for split in ordered], np.int64)
    found: Floats = later[np.searchsorted(effective, moments, side="right")]
    return found


def adjusted(moments: Integers, bars: Bars, splits: Sequence[Split]) -> Bars:
    """The bars (n,) in the shares of today, sessions untouched; the very same where there is no split.

    `moments`: the time in whose shares each bar is, ns UTC.
    """
    if not splits:
        return bars
    by = factors(moments, splits)
    opened, high, low, close = (each / by for each in (bars.open, bars.high, bars.low, bars.close))
    return Bars(opened, high, low, close, bars.volume * by, bars.session)
