"""Columns of bars, and the series that can be read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST = 1e100
"""Beyond it a number is taken for damage; within it sums of squares cannot overflow."""


class Bars(NamedTuple):
    """Columns of one shape: (symbols,) one bar each; (bars,) or (bars, symbols), oldest first: history.

    Prices in quote currency per unit, `volume` in base units. `session` changes where a new trading
    session begins (its day number); only session VWAP reads it.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: Integers

    @classmethod
    def of_prices(cls, close: Floats) -> Bars:
        """Bars that have nothing but one price each, as a series of trades or of daily closes."""
        nothing = np.full(close.shape, np.nan)
        return cls(close, close, close, close, nothing, np.zeros(close.shape, np.int64))

    def map(self, function: Callable[[NDArray[np.generic]], NDArray[np.generic]]) -> Bars:
        """Every column through a function that keeps the columns' shapes equal."""
        return Bars(*(function(column) for column in self))  # type: ignore[arg-type]  # column types as before


SOURCES: Mapping[str, Callable[[Bars], Floats]] = MappingProxyType(
    {
        "open": lambda bars: bars.open,
        "high": lambda bars: bars.high,
        "low": lambda bars: bars.low,
        "close": lambda bars: bars.close,
        "volume": lambda bars: bars.volume,
        "hl2": lambda bars: (bars.high + bars.low) / 2.0,
        "hlc3": lambda bars: (bars.high + bars.low + bars.close) / 3.0,
        "ohlc4": lambda bars: (bars.open + bars.high + bars.low + bars.close) / 4.0,
        "hlcc4": lambda bars: (bars.high + bars.low + 2.0 * bars.close) / 4.0,
    }
)
"""`source=` names. hl2, hlc3 and hlcc4 are TA-Lib's MEDPRICE, TYPPRICE and WCLPRICE."""


def column(bars: Bars, name: str) -> Floats:
    """A source, or `session` as float64 (exact: day numbers are small)."""
    if name == "session":
        return bars.session.astype(np.float64)
    return SOURCES[name](bars)


FLOW = "flow"
"""The volume where an indicator weighs prices by it: NaN where unknown, which takes no bar away."""


def flow(bars: Bars) -> Floats:
    """Volumes that can be computed with, NaN for the others."""
    known: Floats = np.where((bars.volume >= 0.0) & (bars.volume <= LARGEST), bars.volume, np.nan)
    return known


def usable(inputs: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """Where every input but the flow is a number that can be computed with; shape as the inputs."""
    good: NDArray[np.bool_] | None = None
    for name, values in inputs.items():
        if name == FLOW:
            continue
        fits = np.abs(values) <= LARGEST
        if name == "volume":
            fits &= values >= 0.0
        good = fits if good is None else good & fits
    if good is None:
        raise ValueError("no inputs")
    return good
