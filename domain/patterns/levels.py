"""Support, resistance and trend lines: three touches of one line, with bounces between.

Source: Edwards & Magee, Technical Analysis of Stock Trends (10th ed. 2012), ch. 13 (support and
resistance) and 14 (trend lines: the third touch makes a line valid). A level is `forming` when the third
touch has become a pivot, `confirmed` when price has bounced from it by half the figure's mean swing, and
`invalidated` once a bar closes beyond it. Levels have no target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.patterns.events import Anchor
from domain.patterns.figures import Candidate
from domain.patterns.geometry import Closes, Line, largest_miss, mean_leg, score, through
from domain.patterns.swings import Pivot

MAX_MISS = 0.15
"""A touch's distance from the line, in mean swings."""
MAX_FLAT, MIN_SLOPE = 0.25, 0.6
"""Rise from first to last touch, in mean swings: of a level at most, of a trend line at least."""
MAX_ROUGHNESS = 0.164
BOUNCE = 0.5
MIN_BALANCE = 0.33


def levels(pivots: Sequence[Pivot], closes: Closes) -> Iterator[Candidate]:
    """The level or trend line on whose third touch the last pivot lies."""
    if len(pivots) < 5:
        return
    part = pivots[-5:]
    touches, side = part[::2], part[-1].side
    gaps = (touches[1].row - touches[0].row, touches[2].row - touches[1].row)
    balance = min(gaps) / max(gaps)
    if balance < MIN_BALANCE:
        return
    swing = mean_leg(part)
    line = through(touches)
    miss = largest_miss(line, touches) / swing
    rise = (line.at(part[-1].row) - line.at(part[0].row)) / swing
    flat, sloping = abs(rise) <= MAX_FLAT, -side * rise >= MIN_SLOPE
    if miss > MAX_MISS or not (flat or sloping):
        return
    roughness = closes.roughness(part)
    if roughness > MAX_ROUGHNESS:
        return
    grades = (1.0 - 0.5 * miss / MAX_MISS, 1.0 - 0.5 * roughness / MAX_ROUGHNESS, 0.5 + 0.5 * balance)
    if flat:
        level = Line(part[-1].row, sum(each.price for each in touches) / 3.0)
        yield _drawn("resistance" if side > 0 else "support", touches, level, swing, score(grades))
    else:
        yield _drawn("trend_line", touches, line, swing, score(grades))


def _drawn(name: str, touches: Sequence[Pivot], line: Line, swing: float, confidence: float) -> Candidate:
    direction = -touches[-1].side
    span = touches[-1].row - touches[0].row
    return Candidate(
        name,
        direction,
        tuple(Anchor(each.row, each.ts, each.price, "touch") for each in touches),
        line.moved(direction * BOUNCE * swing),
        line,
        swing,
        0.0,
        None,
        touches[-1].row + max(5, span // 2),
        confidence,
    )
