"""A second labelled set, drawn by other rules than `patterns_set.py`: figures as textbooks print them.

Proportions are those of the usual drawings, a few per cent off; the prior move may be of any length and
begin on one of the figure's lines; between the points prices wander as Brownian bridges do instead of
keeping to a straight leg with noise on it. Triangles and wedges break out at 60 to 85 % of the way to
their apex (Edwards & Magee, ch. 8: between half and three quarters, and weaker the later).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from tests.patterns_set import IMPLIED, Points, Sample

WANDER = 0.05
"""Standard deviation in the middle of a leg, in heights of the figure."""
UNEVEN = 0.02
"""Of a drawing's prices, in heights."""
LEGS = (5, 8, 15, 30, 60)
"""Bars."""
Range = tuple[float, float]


def textbook(pattern: str, count: int, seed: int) -> Iterator[Sample]:
    for number in range(count):
        rng = np.random.default_rng([seed, sorted(TEXTBOOK).index(pattern), number])
        yield _sample(pattern, rng, LEGS[number % len(LEGS)])


def _sample(pattern: str, rng: np.random.Generator, leg: int) -> Sample:
    points = TEXTBOOK[pattern](rng)
    rows = [round((time - points[0][0]) * leg) for time, _ in points]
    path = np.concatenate([[points[0][1]], *_bridges(rng, rows, [price for _, price in points])])
    before, after = (np.cumsum(rng.normal(0.0, WANDER / 2, bars)) for bars in (60, 40))
    close = np.concatenate([path[0] - before[::-1], path, path[-1] + after])
    begin = len(before) + rows[1]
    return Sample(
        pattern,
        _bars(rng, 100.0 + 10.0 * close),
        begin,
        begin + rows[-2] - rows[1],
        IMPLIED[pattern],
    )


def _bridges(rng: np.random.Generator, rows: list[int], prices: list[float]) -> Iterator[np.ndarray]:
    """From point to point, each first point left out."""
    for (start, begin), (stop, end) in pairwise(zip(rows, prices, strict=True)):
        bars = max(1, stop - start)
        share = np.arange(1, bars + 1) / bars
        walk = np.cumsum(rng.normal(size=bars))
        yield begin + (end - begin) * share + 2.0 * WANDER / np.sqrt(bars) * (walk - share * walk[-1])


def _bars(rng: np.random.Generator, close: np.ndarray) -> np.ndarray:
    """(n,) -> (n, 4); opens at the last close, wicks of a quarter of a per cent."""
    opened = np.concatenate((close[:1], close[:-1]))
    wick = np.abs(rng.normal(0.0, 0.25, (2, len(close))))
    return np.column_stack(
        (opened, np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1], close)
    )


def _zigzag(*prices: float) -> Callable[[np.random.Generator], Points]:
    """From where the prior move began to where the break ends; legs of 0.7 to 1.3 units."""

    def points(rng: np.random.Generator) -> Points:
        times = np.cumsum([0.0, *rng.uniform(0.7, 1.3, len(prices) - 1)])
        off = [0.0, *rng.normal(0.0, UNEVEN, len(prices) - 2), 0.0]
        return [(time, price + by) for time, price, by in zip(times, prices, off, strict=True)]

    return points


def _converging(upper: Range, lower: Range, breaks: int) -> Callable[[np.random.Generator], Points]:
    """Five or more touches of two lines from their prices at the begin to those at the apex.

    `breaks`: 1 upward, -1 downward, 0 whichever way comes after the last touch.
    """

    def points(rng: np.random.Generator) -> Points:
        touches, high = int(rng.integers(5, 8)), bool(rng.integers(2))
        apex = touches * rng.uniform(1.25, 1.6)
        wish = breaks or (-1 if (touches % 2 == 1) == high else 1)
        touches += ((touches % 2 == 1) == high) == (wish > 0)
        times = np.cumsum([0.0, *rng.uniform(0.8, 1.2, touches)])
        body: Points = []
        for time in times[:-1]:
            begin, end = upper if high else lower
            body.append((time, begin + (end - begin) * time / apex))
            high = not high
        run = rng.uniform(0.4, 2.0)
        rise = run if body[0][1] < body[1][1] else -run
        begin, end = upper if wish > 0 else lower
        out = begin + (end - begin) * times[-1] / apex + 0.9 * wish
        return [(-max(0.5, run), body[0][1] + rise), *body, (times[-1] + 0.3, out)]

    return points


TEXTBOOK: dict[str, Callable[[np.random.Generator], Points]] = {
    "head_and_shoulders": _zigzag(0.0, 1.0, 0.5, 1.5, 0.5, 1.0, -0.6),
    "inverse_head_and_shoulders": _zigzag(1.5, 0.5, 1.0, 0.0, 1.0, 0.5, 2.1),
    "double_top": _zigzag(-0.6, 1.0, 0.4, 1.0, -0.4),
    "double_bottom": _zigzag(1.6, 0.0, 0.6, 0.0, 1.4),
    "triple_top": _zigzag(-0.6, 1.0, 0.4, 1.0, 0.4, 1.0, -0.4),
    "triple_bottom": _zigzag(1.6, 0.0, 0.6, 0.0, 0.6, 0.0, 1.4),
    "ascending_triangle": _converging((1.0, 1.0), (0.0, 1.0), 1),
    "descending_triangle": _converging((1.0, 0.0), (0.0, 0.0), -1),
    "symmetrical_triangle": _converging((1.0, 0.5), (0.0, 0.5), 0),
    "rising_wedge": _converging((1.0, 2.3), (0.0, 2.3), -1),
    "falling_wedge": _converging((1.0, -1.3), (0.0, -1.3), 1),
    "bull_flag": _zigzag(0.0, 3.0, 2.5, 2.9, 2.4, 2.8, 2.3, 5.2),
    "bear_flag": _zigzag(3.0, 0.0, 0.5, 0.1, 0.6, 0.2, 0.7, -2.2),
    "bull_pennant": _zigzag(0.0, 3.0, 2.4, 2.9, 2.5, 2.8, 2.6, 5.2),
    "bear_pennant": _zigzag(3.0, 0.0, 0.6, 0.1, 0.5, 0.2, 0.4, -2.2),
}
