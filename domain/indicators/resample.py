"""Figures of coarser bars beside finer ones: `sma(50)@1h` on 1m bars, without looking ahead.

A coarse bar's value is known once it has closed: from the first finer bar on that ends at or after its
end, until the next coarse bar closes. Before the first one there is no value.
"""

from __future__ import annotations

import numpy as np

from domain.indicators.bars import Bars, Floats, Integers


def coarser(starts: Integers, bars: Bars, interval_ns: int) -> tuple[Integers, Bars]:
    """Bars (n,), oldest first, as bars of a larger interval -> (their starts, they themselves).

    Prices that are no numbers are left out; a bar of nothing else has none. Volumes are added one by
    one, oldest first, as stored bars are. The last bar, and the first, may lack parts.
    """
    if not len(starts):
        return starts, bars
    buckets = starts - starts % interval_ns
    first = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    place = np.repeat(np.arange(len(first)), np.diff(first, append=len(starts)))
    nothing = np.full(len(first), np.nan)
    opened, close = nothing.copy(), nothing
    told = ~np.isnan(bars.open)
    opened[place[told][::-1]] = bars.open[told][::-1]
    told = ~np.isnan(bars.close)
    close[place[told]] = bars.close[told]
    return buckets[first], Bars(
        opened,
        np.fmax.reduceat(bars.high, first),
        np.fmin.reduceat(bars.low, first),
        close,
        _added(bars.volume, place, len(first)),
        bars.session[first],
    )


def _added(volume: Floats, place: Integers, count: int) -> Floats:
    told = ~np.isnan(volume)
    total = np.bincount(place[told], weights=volume[told], minlength=count)
    known = np.bincount(place[told], minlength=count) > 0
    result: Floats = np.where(known, total, np.nan)
    return result


def known_at(ends: Integers, coarse_ends: Integers) -> Integers:
    """For each end of a finer bar the place of the newest coarse bar that has closed by then, -1: none.

    Both rise. Coarse bars that have not closed must not be among them.
    """
    places: Integers = np.searchsorted(coarse_ends, ends, side="right") - 1
    return places


def carried(values: Floats, places: Integers) -> Floats:
    """Coarse values at the finer bars; NaN at -1."""
    if not len(values):
        return np.full(places.shape, np.nan)
    return np.where(places < 0, np.nan, values[places])
