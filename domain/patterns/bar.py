"""Which bars can be drawn."""

from __future__ import annotations

from domain.indicators.bars import LARGEST


def is_usable(opened: float, high: float, low: float, close: float) -> bool:
    """Whether a bar can be drawn: finite prices above 0, open and close within the range."""
    return 0.0 < low <= opened <= high < LARGEST and low <= close <= high
