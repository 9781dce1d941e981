"""How far back a value depends on bars: what must be read before a window for its values to be right.

A window figure (sma, bbands, donchian ...) depends on the bars of its warm-up and no others. An
exponential average depends on every bar before it, ever less: `bars` then adds as many as it takes until
what lies before weighs less than 2^-48 (ema(n): about 16.6 (n + 1) bars; Wilder's, in rsi, atr and adx:
33.3 n). Session VWAP goes back to the begin of its session. On-balance volume, Parabolic SAR and
SuperTrend depend on the first bar there is.

Sums over a window are added in blocks counted from the first bar that is read, so that even a window
figure that was begun elsewhere may differ in the last digit; `tests/domain/indicators/test_reach.py`
holds all of them within 1e-9 of the values over the whole history.
"""

from __future__ import annotations

import math
from functools import lru_cache

from msgspec import Struct

from domain.indicators.bank import first_values
from domain.indicators.catalog import make_kernel
from domain.indicators.spec import Spec
from domain.indicators.stages import FOREVER

CASCADE = 1.5
"""Averages of averages settle later than the slowest of them: k bars leave k times a single one's share."""


class Reach(Struct, frozen=True):
    """`bars` before a bar that its value depends on. `session`: also all of its session's bars.
    `forever`: all bars from the first on, whatever `bars` says."""

    bars: int
    session: bool = False
    forever: bool = False


@lru_cache(maxsize=1_024)
def reach(spec: Spec) -> Reach:
    """Of the spec's figure and the figures within it, counted in bars of its own interval."""
    settling, session, forever = 0.0, False, False
    figure: Spec | str | None = spec
    while isinstance(figure, Spec):
        settles = _settles(figure)
        if settles < FOREVER:
            settling += settles
        elif figure.name == "vwap":
            session = True
        else:
            forever = True
        figure = figure.source
    return Reach(first_values(spec.figure)[spec.place] + math.ceil(settling), session, forever)


def _settles(figure: Spec) -> float:
    stages = make_kernel(figure.name, figure.parameters).stages()
    slowest = max((stage.settles for stage in stages), default=0.0)
    several = sum(stage.settles > 0.0 for stage in stages) > 1
    return CASCADE * slowest if several else slowest
