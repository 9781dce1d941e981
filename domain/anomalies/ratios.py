"""Round ratios between two prices: what a misplaced point or an unadjusted split leaves behind."""

from __future__ import annotations

import math

SLIPS = (10.0, 100.0, 1000.0, 10_000.0)
SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
"""New shares for one old; the inverse is a reverse split. The common ones of exchange notices."""
SLIP_TOLERANCE = 0.05
SPLIT_TOLERANCE = 0.035
"""In log price. Prices go on moving while a ratio is measured, so callers widen it by volatility."""

LEAST_SPLIT = math.log(1.4)
"""Of a gap, in log price: from here on it may be a split of any ratio with a move of the market on top."""
CREDIBLE = math.log(3.0)
"""A gap of more needs more than one busy moment to be believed."""


def slip(log_ratio: float, sigma: float = 0.0) -> float | None:
    """The power of ten (or its inverse) that a log price ratio is; None where it is none.

    `sigma`: usual log move between the two prices.
    """
    return _nearest(log_ratio, SLIPS, max(SLIP_TOLERANCE, min(3.0 * sigma, 0.15)))


def split(log_ratio: float, sigma: float = 0.0) -> float | None:
    """The split ratio by which prices changed: 0.25 after a 4:1 split, 10 after a 1:10 reverse split."""
    return _nearest(log_ratio, SPLITS, max(SPLIT_TOLERANCE, min(3.0 * sigma, 0.12)))


def _nearest(log_ratio: float, ratios: tuple[float, ...], tolerance: float) -> float | None:
    size = abs(log_ratio)
    best = min(ratios, key=lambda ratio: abs(size - math.log(ratio)))
    if abs(size - math.log(best)) > tolerance:
        return None
    return best if log_ratio > 0 else 1.0 / best
