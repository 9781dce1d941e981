"""What an anomaly is: its kind, its class, how severe, and the numbers that were compared."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

AnomalyKind = Literal[
    "bad_value",
    "crossed_quotes",
    "decimal_slip",
    "fat_finger",
    "frozen_feed",
    "halt",
    "large_trade",
    "one_sided_flow",
    "outlier",
    "price_spike",
    "split",
    "spread_blowout",
    "trade_burst",
    "volume_surge",
]
AnomalyClass = Literal["market_event", "data_error", "unclear"]
Evidence = dict[str, float]
"""Name -> number: what was measured beside what is usual or was needed."""

DETECTOR_VERSION = 4
"""Raised whenever the same input may give other findings: recorded anomalies of before stand."""

TAINTING = frozenset({"bad_value", "crossed_quotes", "decimal_slip", "frozen_feed", "split"})
"""Kinds that taint what derives from the value unless their class is a market event."""


class Finding(Struct, frozen=True):
    """What a detector says. `row` counts the values it was given, from 0, and `ts` is ns UTC: both of the
    value that the finding is about, which may lie before the one that made it known.

    `severity` in [0, 1]: see `severity`.
    """

    kind: AnomalyKind
    verdict: AnomalyClass
    severity: float
    row: int
    ts: int
    evidence: Evidence


class AnomalyFound(Struct, frozen=True):
    """A recorded anomaly. `ts_event` is the time of what it is about, `ts_recv` the feed clock when known.

    `about`: trade id, or None. `about_offset`: position in its partition of the observation it is about, None
    where that is not known. `verdict` is the class. `evidence`: (name, number).
    """

    kind: ClassVar[str] = "anomaly_found"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    anomaly: AnomalyKind
    verdict: AnomalyClass
    severity: float
    evidence: tuple[tuple[str, float], ...]
    about: str | None = None
    about_offset: int | None = None
    version: int = DETECTOR_VERSION

    @property
    def taints(self) -> bool:
        """What derives from the observation cannot be relied on."""
        return self.verdict == "data_error" or (self.anomaly in TAINTING and self.verdict != "market_event")


def severity(score: float, threshold: float) -> float:
    """How far beyond a threshold, in [0.25, 1]: 0.25 at it, 0.63 at twice, 0.93 at ten times.

    `1 - 0.75 * threshold / score`; both positive. Scores of different kinds are not comparable, their
    severities are: each says how many times the threshold was exceeded.
    """
    if not score > threshold:
        return 0.25
    return round(1.0 - 0.75 * threshold / score, 4)
