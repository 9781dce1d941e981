"""Values that cannot be true, whatever the market does."""

from __future__ import annotations

import math

from domain.indicators.bars import LARGEST

ROUNDING = 1e-9
"""Relative: prices that went through binary arithmetic may stick out of their range by so much."""

SMALLEST = 1.0 / LARGEST
"""As good as 0: ratios of what lies between the two can be formed."""

FAULT_CODES = {
    "price_not_finite": 1.0,
    "price_not_positive": 2.0,
    "high_below_low": 3.0,
    "close_outside_range": 4.0,
    "volume_negative": 5.0,
    "volume_not_finite": 6.0,
}
"""As numbers in the evidence of `bad_value`."""


def bar_fault(opened: float, high: float, low: float, close: float, volume: float) -> str | None:
    """What is impossible about a bar. A volume of NaN means that none is known."""
    for price in (opened, high, low, close):
        fault = price_fault(price)
        if fault is not None:
            return fault
    slack = ROUNDING * high
    if high < low - slack:
        return "high_below_low"
    if not (low - slack <= min(opened, close) and max(opened, close) <= high + slack):
        return "close_outside_range"
    return None if math.isnan(volume) else size_fault(volume)


def trade_fault(price: float, size: float) -> str | None:
    """What is impossible about a trade; a size of 0 is none of it."""
    return price_fault(price) or ("volume_not_finite" if math.isnan(size) else size_fault(size))


def price_fault(price: float) -> str | None:
    if not abs(price) < LARGEST:
        return "price_not_finite"
    return None if price > SMALLEST else "price_not_positive"


def size_fault(size: float) -> str | None:
    if size < 0.0:
        return "volume_negative"
    return None if size < LARGEST else "volume_not_finite"
