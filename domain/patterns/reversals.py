"""Head and shoulders, double and triple tops, and their mirror images.

Everything is written for tops; bottoms are tops of negated prices. Distances are in heights: from the
neckline to the head or to the mean top.

Sources: Lo, Mamaysky & Wang, Foundations of Technical Analysis, Journal of Finance 55 (2000), pp.
1715-1719 (definitions 1 and 5: which extremes compare how); Edwards & Magee, Technical Analysis of Stock
Trends (1948; 10th ed. 2012), ch. 6-9 (neckline, measured target); Bulkowski, Encyclopedia of Chart
Patterns (2nd ed. 2005), chapters on double tops and triple tops (prior rise, confirmation by a close
below the lowest valley).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.patterns.events import Anchor
from domain.patterns.figures import TRIGGER_MARGIN, Candidate
from domain.patterns.geometry import GRAIN, Closes, Line, even_in_time, ratio_of, score
from domain.patterns.poles import is_pole, pole_start
from domain.patterns.swings import Pivot

LEVEL_TOLERANCE = 0.20
"""Tops (and valleys) of one level differ by at most this share of the height."""
SHOULDER_TOLERANCE = 0.40
"""Shoulders may differ by more: of the height of the head."""
HEAD_MARGIN = 0.14
"""The head exceeds both shoulders by at least this share of the height."""
MAX_ASYMMETRY = 3.0
"""Longest over shortest of the distances in time between tops (or of the two halves)."""
MAX_ROUGHNESS = {"head_and_shoulders": 0.16, "triple": 0.16, "double": 0.13}
"""The fewer swings, the smoother they must be to stand out from chance."""
MIN_SPAN = 8
"""Bars from the first top to the last: fewer cannot be told from chance."""
PRIOR_RISE = 0.38
"""How far below the neckline the rise into a double or triple top began, in heights."""
PRIOR_RISE_HEAD = 0.15
"""The same of a head and shoulders, whose left shoulder stands on part of the rise."""
REST_POLE, REST_SHARPER = 3.2, 1.0
"""Length in heights and speed of a rise after which the tops may as well be a rest (a flag)."""
REST_MARGIN = {"head_and_shoulders": 0.20, "triple": 0.30, "double": 0.32}
REST_ROUGHNESS = {"head_and_shoulders": 0.16, "triple": 0.16, "double": 0.095}
"""Then a break against the rise shows that it is none: it must go this far beyond the neckline (heights; and
by how much the tops fell, as a flag's do), from a figure no rougher than this."""
SWINGS = {"head_and_shoulders": 5, "triple": 5, "double": 3}
NAMES = {
    ("head_and_shoulders", 1): "head_and_shoulders",
    ("head_and_shoulders", -1): "inverse_head_and_shoulders",
    ("double", 1): "double_top",
    ("double", -1): "double_bottom",
    ("triple", 1): "triple_top",
    ("triple", -1): "triple_bottom",
}


def reversals(pivots: Sequence[Pivot], closes: Closes) -> Iterator[Candidate]:
    """Candidates that end in the last pivot, the one with more swings first."""
    if len(pivots) < 4:
        return
    side = pivots[-1].side
    prices = [side * each.price for each in pivots[-6:]]
    middle, last = prices[-3], prices[-1]
    level = abs(last - middle) <= LEVEL_TOLERANCE * ((last + middle) / 2.0 - min(prices))
    headed = len(prices) == 6 and prices[1] < middle > last
    if not (level or headed):
        return  # most pivots: told from six prices alone
    upright = [Pivot(each.row, each.ts, price, 1, 0) for each, price in zip(pivots[-6:], prices, strict=True)]
    if headed:
        yield from _head_and_shoulders(upright, side, closes, pivots)
    if level and len(prices) == 6:
        yield from _triple(upright, side, closes, pivots)
    if level:
        yield from _double(upright[-4:], side, closes, pivots)


def _head_and_shoulders(
    upright: Sequence[Pivot], side: int, closes: Closes, pivots: Sequence[Pivot]
) -> Iterator[Candidate]:
    start, left, valley1, head, valley2, right = upright
    neck = _line(valley1, valley2)
    base = neck.at(head.row)
    height = head.price - base
    if height <= 0.0:
        return
    shoulders = (left.price - neck.at(left.row)) / height, (right.price - neck.at(right.row)) / height
    tilt = abs(valley1.price - valley2.price) / height
    lean = abs(left.price - right.price) / height
    if (head.price - max(left.price, right.price)) / height < HEAD_MARGIN or min(shoulders) < 0.2:
        return
    if lean > SHOULDER_TOLERANCE or tilt > SHOULDER_TOLERANCE:
        return
    if (neck.at(start.row) - start.price) / height < PRIOR_RISE_HEAD:
        return
    halves = _balance(head.row - left.row, right.row - head.row)
    grades = (1.0 - 0.5 * lean / SHOULDER_TOLERANCE, 1.0 - 0.5 * tilt / SHOULDER_TOLERANCE)
    yield from _drawn(
        "head_and_shoulders", side, pivots, closes, neck, base, height, head.price, halves, grades
    )


def _triple(
    upright: Sequence[Pivot], side: int, closes: Closes, pivots: Sequence[Pivot]
) -> Iterator[Candidate]:
    start, top1, valley1, top2, valley2, top3 = upright
    tops = (top1.price, top2.price, top3.price)
    floor = min(valley1.price, valley2.price)
    height = sum(tops) / 3.0 - floor
    if height <= 0.0:
        return
    uneven, tilt = (max(tops) - min(tops)) / height, abs(valley1.price - valley2.price) / height
    if uneven > LEVEL_TOLERANCE or tilt > SHOULDER_TOLERANCE or (floor - start.price) / height < PRIOR_RISE:
        return
    halves = _balance(top2.row - top1.row, top3.row - top2.row)
    grades = (1.0 - 0.5 * uneven / LEVEL_TOLERANCE, 1.0 - 0.5 * tilt / SHOULDER_TOLERANCE)
    neck = Line(valley1.row, floor)
    yield from _drawn("triple", side, pivots, closes, neck, floor, height, max(tops), halves, grades)


def _double(
    upright: Sequence[Pivot], side: int, closes: Closes, pivots: Sequence[Pivot]
) -> Iterator[Candidate]:
    start, top1, valley, top2 = upright
    height = (top1.price + top2.price) / 2.0 - valley.price
    if height <= 0.0:
        return
    uneven = abs(top1.price - top2.price) / height
    rise = (valley.price - start.price) / height
    if uneven > LEVEL_TOLERANCE or rise < PRIOR_RISE:
        return
    halves = _balance(valley.row - top1.row, top2.row - valley.row)
    grades = (1.0 - 0.5 * uneven / LEVEL_TOLERANCE, 0.5 + min(0.5, 0.5 * rise))
    neck = Line(valley.row, valley.price)
    top = max(top1.price, top2.price)
    yield from _drawn("double", side, pivots, closes, neck, valley.price, height, top, halves, grades)


def _drawn(
    shape: str,
    side: int,
    pivots: Sequence[Pivot],
    closes: Closes,
    neck: Line,
    base: float,
    height: float,
    top: float,
    halves: float,
    grades: tuple[float, ...],
) -> Iterator[Candidate]:
    """`neck`, `height` above `base` (the neckline below the head) and `top` upright; `pivots`: all known.

    `halves` in (0, 1], 1 where both are of one length.
    """
    if halves < 1.0 / MAX_ASYMMETRY:
        return
    body = pivots[-SWINGS[shape] :]
    span = body[-1].row - body[0].row
    before = pivots[: len(pivots) - len(body) + 1]
    if span < MIN_SPAN or not even_in_time(body) or _is_step(pivots, body):
        return
    may_rest = _may_rest(pivots, body)
    most = (REST_ROUGHNESS if may_rest else MAX_ROUGHNESS)[shape]
    entry = closes.entry(before[-2], body[0], side * neck.at(body[0].row))
    roughness = closes.roughness((entry, *body) if entry.row < body[0].row else body, GRAIN)
    if roughness > most:
        return
    drift = max(0.0, side * (body[0].price - body[-1].price) / height)
    yield Candidate(
        NAMES[shape, side],
        -side,
        _anchors(shape, body),
        Line(neck.row, side * neck.price, side * neck.slope),
        Line(body[-1].row, side * top),
        height,
        height,
        None,
        body[-1].row + max(5, span),
        score((1.0 - 0.5 * roughness / MAX_ROUGHNESS[shape], 0.5 + 0.5 * halves, *grades)),
        ratio_of(side * base, side * (base + height)),
        REST_MARGIN[shape] + drift if may_rest else TRIGGER_MARGIN,
    )


def _may_rest(pivots: Sequence[Pivot], body: Sequence[Pivot]) -> bool:
    """Whether a pole leads into its first top."""
    count = len(pivots) - len(body)
    return is_pole(pole_start(pivots[: count + 1]), body, REST_POLE, REST_SHARPER)


def _is_step(pivots: Sequence[Pivot], body: Sequence[Pivot]) -> bool:
    """Whether tops take back part of a pole down."""
    count = len(pivots) - len(body)
    return count >= 2 and is_pole(pole_start(pivots[:count]), (pivots[count - 1], *body))


def _anchors(shape: str, body: Sequence[Pivot]) -> tuple[Anchor, ...]:
    roles: tuple[str, ...]
    if shape == "head_and_shoulders":
        roles = ("left_shoulder", "neckline", "head", "neckline", "right_shoulder")
    elif body[-1].side > 0:
        roles = ("top", "neckline") * 3
    else:
        roles = ("bottom", "neckline") * 3
    return tuple(Anchor(each.row, each.ts, each.price, role) for each, role in zip(body, roles, strict=False))


def _line(first: Pivot, second: Pivot) -> Line:
    return Line(first.row, first.price, (second.price - first.price) / (second.row - first.row))


def _balance(first: int, second: int) -> float:
    """Shorter over longer of two lengths in bars, [0, 1]."""
    return min(first, second) / max(first, second, 1)
