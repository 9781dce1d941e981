"""A jump of the price which a split explains that was announced: no error, and nothing is tainted."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_S
from domain.market.splits import Split

JUMPS = frozenset({"decimal_slip", "outlier", "price_spike", "split"})
EARLY_NS, LATE_NS = 24 * 3600 * NS_PER_S, 7 * 24 * 3600 * NS_PER_S
"""The first trade in new shares comes with the next session; some providers name the day too late."""
TOLERANCE = 0.12
"""In log price, for the market's own move since the last trade in old shares."""


def explained(found: AnomalyFound, splits: Iterable[Split]) -> AnomalyFound:
    """The finding, or where it is the jump of one of these splits: a `split` that is a market event."""
    move = dict(found.evidence).get("return") if found.anomaly in JUMPS else None
    if move is None or not any(_fits(found.ts_event, move, split) for split in splits):
        return found
    return replace(found, anomaly="split", verdict="market_event")


def _fits(ts: int, move: float, split: Split) -> bool:
    soon = -EARLY_NS <= ts - split.effective <= LATE_NS
    return soon and abs(move + math.log(split.ratio)) <= TOLERANCE
