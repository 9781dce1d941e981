"""What is said about a pattern."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

State = Literal["forming", "confirmed", "target_hit", "invalidated"]

DETECTOR_VERSION = 4
"""Raised whenever the same bars may give other events: recorded ones of before stand."""

CHART_PATTERNS = (
    *("head_and_shoulders", "inverse_head_and_shoulders"),
    *("double_top", "double_bottom", "triple_top", "triple_bottom"),
    *("ascending_triangle", "descending_triangle", "symmetrical_triangle"),
    *("rising_wedge", "falling_wedge"),
    *("bull_flag", "bear_flag", "bull_pennant", "bear_pennant"),
    *("channel", "trend_line", "support", "resistance"),
)


class Anchor(Struct, frozen=True, array_like=True, gc=False):
    """A point of the figure: the bar (`row` counts bars from 0, `ts` is its start) and the price there."""

    row: int
    ts: int
    price: float
    role: str


class PatternEvent(Struct, frozen=True):
    """A pattern's `state` became known with the bar `row`, at its close.

    `figure` numbers the figures of one scanner from 1 and is the same through one figure's life; a
    candlestick, which has no life, is 0. `anchors` oldest first. `target` is a price, None where the
    pattern has none or its direction is open. `confidence` in [0, 1]: see docs/patterns.md. `reason` of
    an invalidation: `stop` (closed beyond the far side), `expired` (took too long), `superseded` (became
    another figure). `direction`: 1 up, -1 down, 0 open.
    """

    kind: ClassVar[str] = "pattern"
    figure: int
    pattern: str
    state: State
    row: int
    ts: int
    anchors: tuple[Anchor, ...]
    target: float | None
    confidence: float
    direction: int
    reason: str | None = None
    version: int = DETECTOR_VERSION
