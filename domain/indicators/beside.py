"""Several specs over the same bars, each of its own interval: one column per spec, a row per bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from domain.indicators.bars import Bars, Floats, Integers
from domain.indicators.history import history
from domain.indicators.resample import carried, known_at
from domain.indicators.spec import Spec


class Series(NamedTuple):
    """Bars (n,), oldest first, with their starts and ends in ns UTC, and the interval they are of."""

    interval: str | None
    starts: Integers
    ends: Integers
    bars: Bars


def spec_columns(specs: Sequence[Spec], base: Series, coarser: Callable[[str], Series]) -> list[Floats]:
    """Values at the base's bars, NaN where there is none; figures that share their state run once.

    `coarser` gives the closed bars of a spec's own interval where it is not the base's.
    """
    series: dict[str, Series] = {}
    computed: dict[tuple[Spec, str | None], tuple[Floats, ...]] = {}
    columns = []
    for spec in specs:
        interval = None if spec.interval in (None, base.interval) else spec.interval
        if interval is not None and interval not in series:
            series[interval] = coarser(interval)
        own = base if interval is None else series[interval]
        key = spec.figure, interval
        if key not in computed:
            computed[key] = history(spec, own.bars)
        values = computed[key][spec.place]
        columns.append(values if interval is None else carried(values, known_at(base.ends, own.ends)))
    return columns
