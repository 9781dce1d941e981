"""What an order book says at a glance. Prices in quote currency, sizes in base units.

Levels are (price, size), best first. Every figure is None where a side it needs is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.market.observations import Level

IMBALANCE_LEVELS = 10
NEAR_MID = 0.01
"""Depth is counted within 1 % of the mid price."""
IMPACT_NOTIONAL = 10_000.0
"""The order, in quote currency, whose price impact is shown."""
HALF_SPREAD_BPS = 10.0
"""A spread of 10 basis points halves the tightness in the liquidity score."""
HALF_DEPTH_NOTIONAL = 100_000.0
"""A depth near mid of 100,000 units of quote currency gives half the depth in the liquidity score."""


class Book(Protocol):
    """What a folded book lets its readers see."""

    @property
    def usable(self) -> bool: ...

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]: ...


Levels = Sequence[Level]


def spread(bids: Levels, asks: Levels) -> float | None:
    """Best ask minus best bid."""
    return asks[0][0] - bids[0][0] if bids and asks else None


def mid(bids: Levels, asks: Levels) -> float | None:
    return (bids[0][0] + asks[0][0]) / 2.0 if bids and asks else None


def spread_bps(bids: Levels, asks: Levels) -> float | None:
    """Spread in basis points (hundredths of a percent) of the mid; None where the mid is not positive."""
    middle, width = mid(bids, asks), spread(bids, asks)
    return 10_000.0 * width / middle if middle and width is not None and middle > 0.0 else None


def micro_price(bids: Levels, asks: Levels) -> float | None:
    """Mid weighted by the opposite side's size: (bid * ask_size + ask * bid_size) / both sizes.

    Source: Gatheral and Oomen, Zero-intelligence realized variance estimation, 2010, section 2.
    """
    if not bids or not asks:
        return None
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    total = bid_size + ask_size
    return (bid * ask_size + ask * bid_size) / total if total > 0.0 else None


def imbalance(bids: Levels, asks: Levels, levels: int = IMBALANCE_LEVELS) -> float | None:
    """(bid size - ask size) / both over the best levels, in [-1, 1]; positive: more is bid."""
    if not bids or not asks:
        return None
    bid_size = sum(size for _, size in bids[:levels])
    ask_size = sum(size for _, size in asks[:levels])
    total = bid_size + ask_size
    return (bid_size - ask_size) / total if total > 0.0 else None


def depth_near_mid(bids: Levels, asks: Levels, within: float = NEAR_MID) -> tuple[float, float] | None:
    """(bid, ask) base units quoted within a share of the mid, 0.01 meaning 1 %, bounds included."""
    middle = mid(bids, asks)
    if middle is None:
        return None
    low, high = middle * (1.0 - within), middle * (1.0 + within)
    return _size(bids, low, high), _size(asks, low, high)


def _size(levels: Levels, low: float, high: float) -> float:
    return sum(size for price, size in levels if low <= price <= high)


def fill_price(levels: Levels, size: float) -> float | None:
    """Average price of taking `size` base units from one side; None where it holds less, or size <= 0."""
    left, paid = size, 0.0
    if left <= 0.0:
        return None
    for price, available in levels:
        taken = min(left, available)
        paid += taken * price
        left -= taken
        if left <= 0.0:
            return paid / size
    return None


def price_impact_pct(side: Levels, middle: float | None, size: float) -> float | None:
    """Distance of the average fill from the mid in percent of the mid (5.0 means 5 %), never negative."""
    price = fill_price(side, size)
    if price is None or middle is None or middle <= 0.0:
        return None
    return 100.0 * abs(price - middle) / middle


def liquidity_score(bids: Levels, asks: Levels) -> float | None:
    """In [0, 1]: sqrt(tightness * depth), our own definition.

    tightness = 1 / (1 + spread_bps / 10); depth = D / (D + 100,000) with D the lesser side's quoted
    value (price times size, in quote currency) within 1 % of the mid. Comparable only between
    instruments of the same quote currency.
    """
    width, near = spread_bps(bids, asks), depth_near_mid(bids, asks)
    middle = mid(bids, asks)
    if width is None or near is None or middle is None:
        return None
    tightness = 1.0 / (1.0 + max(0.0, width) / HALF_SPREAD_BPS)
    value = min(near) * middle
    depth: float = value / (value + HALF_DEPTH_NOTIONAL)
    return float((tightness * depth) ** 0.5)


def book_figures(book: Book, depth: int = 1000) -> dict[str, float | None]:
    """All figures over the best `depth` levels; all None while the book is not usable."""
    bids, asks = book.top(depth) if book.usable else ((), ())
    middle = mid(bids, asks)
    near = depth_near_mid(bids, asks)
    size = IMPACT_NOTIONAL / middle if middle and middle > 0.0 else 0.0
    return {
        "spread": spread(bids, asks),
        "spread_bps": spread_bps(bids, asks),
        "mid": middle,
        "micro_price": micro_price(bids, asks),
        "imbalance": imbalance(bids, asks),
        "bid_depth_1pct": near[0] if near else None,
        "ask_depth_1pct": near[1] if near else None,
        "buy_impact_pct": price_impact_pct(asks, middle, size),
        "sell_impact_pct": price_impact_pct(bids, middle, size),
        "liquidity_score": liquidity_score(bids, asks),
    }
