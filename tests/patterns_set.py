"""A labelled set of drawn patterns: seeded, with noise, distractors and random walks.

A figure is drawn as a path through points with random proportions (within the definitions of
docs/patterns.md, never through the detectors' own thresholds), preceded by a prior move, followed by the
break and by a drift. On it lies noise: an AR(1) wobble plus white noise, of a standard deviation that
is a share of the figure's height (`NOISE`). Bars get wicks. Around the figure prices walk at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

NOISE = {"low": 0.015, "middle": 0.03, "high": 0.06}
"""Standard deviation of the noise as a share of the figure's height."""
POLED = 0.5
"""The noise of flags and pennants is this share of it: their height is the pole, theirs is a third of it."""
Points = list[tuple[float, float]]
"""(bars since the figure's begin, price in figure heights)."""


class Sample(Struct, frozen=True):
    """`bars`: (n, 4) open, high, low, close. The figure lies in rows first..last, the break after it.

    `pattern` None: a negative. `implied`: what is also there by definition and counts neither way.
    """

    pattern: str | None
    bars: np.ndarray
    first: int
    last: int
    implied: frozenset[str] = frozenset()


def samples(pattern: str, count: int, noise: float, seed: int) -> Iterator[Sample]:
    for number in range(count):
        rng = np.random.default_rng([seed, sorted(FIGURES).index(pattern), number])
        yield drawn(pattern, noise, rng)


def drawn(pattern: str, noise: float, rng: np.random.Generator) -> Sample:
    """One figure. Mirror images are drawn upside down; what has one name for both, either way."""
    shape, flipped = FIGURES[pattern]
    if flipped is None:
        flipped = rng.random() < 0.5
    pace = rng.uniform(5.0, 14.0)
    before, body, after = shape(rng)
    path, first, last = _path(before, body, after, pace)
    noise *= POLED if pattern.endswith(("flag", "pennant")) else 1.0
    values = path + _wobble(len(path), noise, rng)
    walk = _walk(rng, noise)
    lead, tail = walk(int(rng.integers(15, 50))), walk(int(rng.integers(10, 40)))
    whole = np.concatenate((values[0] - lead[::-1], values, values[-1] + tail))
    bars = _bars(-whole if flipped else whole, noise, rng)
    return Sample(pattern, bars, first + len(lead), last + len(lead), IMPLIED.get(pattern, frozenset()))


def _path(before: Points, body: Points, after: Points, pace: float) -> tuple[np.ndarray, int, int]:
    """Straight legs; times are in units of `pace` bars."""
    points = before + body + after
    rows = np.round(np.array([time for time, _ in points]) * pace).astype(int)
    rows -= rows[0]
    prices = np.interp(np.arange(rows[-1] + 1), rows, [price for _, price in points])
    return prices, int(rows[len(before)]), int(rows[len(before) + len(body) - 1])


def _wobble(length: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """AR(1) of coefficient 0.7 and white noise, half of the variance each."""
    shocks = rng.normal(0.0, noise * np.sqrt(0.5 * (1 - 0.49)), length)
    slow = np.zeros(length)
    for row in range(1, length):
        slow[row] = 0.7 * slow[row - 1] + shocks[row]
    return slow + rng.normal(0.0, noise * np.sqrt(0.5), length)


def _walk(rng: np.random.Generator, noise: float) -> Callable[[int], np.ndarray]:
    """Random walks whose steps are like the noise's."""
    return lambda length: np.cumsum(rng.normal(0.0, 1.2 * noise, length))


def _bars(path: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Heights to prices, with opens at the last close and wicks.

    One height is 4 to 25 % of the lowest close. Straight legs stay straight in price, so that an image
    turned upside down is the same figure: on a logarithmic scale a falling channel would be a wedge here.
    """
    unit = rng.uniform(0.04, 0.25)
    close = 1.0 + unit * (path - path.min())
    opened = np.concatenate((close[:1], close[:-1]))
    wick = unit * np.abs(rng.normal(0.0, 0.5 * noise, (2, len(close))))
    bars = np.column_stack((opened, np.maximum(opened, close) + wick[0], np.minimum(opened, close), close))
    bars[:, 2] -= wick[1]
    return np.array(rng.uniform(0.5, 5000.0) * bars)


def random_walk(length: int, rng: np.random.Generator) -> np.ndarray:
    """Bars of a geometric walk, each bar of 8 steps; half of the walks have fat tails."""
    steps = rng.normal(size=8 * length) if rng.random() < 0.5 else rng.standard_t(4, 8 * length) / np.sqrt(2)
    prices = 100.0 * np.exp(np.cumsum(0.003 * steps)).reshape(length, 8)
    opened = np.concatenate(([100.0], prices[:-1, -1]))
    high, low = np.maximum(opened, prices.max(axis=1)), np.minimum(opened, prices.min(axis=1))
    return np.column_stack((opened, high, low, prices[:, -1]))


def distractor(noise: float, rng: np.random.Generator) -> Sample:
    """Something that is none of the patterns."""
    make = DISTRACTORS[int(rng.integers(len(DISTRACTORS)))]
    length = int(rng.integers(80, 220))
    path = make(rng, np.linspace(0.0, 1.0, length)) + _wobble(length, noise, rng)
    path = -path if rng.random() < 0.5 else path
    return Sample(None, _bars(path, noise, rng), 0, length - 1)


def _times(rng: np.random.Generator, count: int, begin: float = 0.0) -> list[float]:
    """Legs of 0.7 to 1.4 units."""
    return [begin, *(begin + np.cumsum(rng.uniform(0.7, 1.4, count)))]


def _points(rng: np.random.Generator, prices: list[float], begin: float = 0.0) -> Points:
    return list(zip(_times(rng, len(prices) - 1, begin), prices, strict=True))


def _rise_into(rng: np.random.Generator, to: float) -> Points:
    """A move up from below, of 1.0 to 2.0 units of time."""
    return [(-rng.uniform(1.0, 2.0), to)]


def _break_after(rng: np.random.Generator, body: Points, to: float, fade: float) -> Points:
    """From the last point to `to` and on to a rest."""
    time, price = body[-1]
    run = max(0.7, abs(price - to)) * rng.uniform(0.8, 1.3)
    return [(time + run, to), (time + run + rng.uniform(1.0, 2.0), to + fade)]


def _head_and_shoulders(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    shoulder = rng.uniform(0.45, 0.7)
    tilt = rng.uniform(-0.12, 0.12)
    left, right = shoulder + rng.uniform(-0.08, 0.08), shoulder + rng.uniform(-0.08, 0.08)
    body = _points(rng, [left - tilt, -tilt, 1.0, tilt, right + tilt])
    return _rise_into(rng, -rng.uniform(0.4, 1.0)), body, _break_after(rng, body, -rng.uniform(0.6, 1.3), 0.0)


def _double(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    body = _points(rng, [1.0, 0.0, 1.0 + rng.uniform(-0.06, 0.06)])
    return _rise_into(rng, -rng.uniform(0.5, 1.2)), body, _break_after(rng, body, -rng.uniform(0.5, 1.3), 0.0)


def _triple(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    uneven = rng.uniform(-0.05, 0.05, 4)
    body = _points(rng, [1.0, uneven[0], 1.0 + uneven[1], uneven[2], 1.0 + uneven[3]])
    return _rise_into(rng, -rng.uniform(0.4, 1.2)), body, _break_after(rng, body, -rng.uniform(0.5, 1.3), 0.0)


def _between(
    rng: np.random.Generator,
    upper: tuple[float, float],
    lower: tuple[float, float],
    touches: int,
    first_high: bool,
) -> Points:
    """Touches of two lines given by their prices at begin and end."""
    times = _times(rng, touches - 1)
    points = []
    for number, time in enumerate(times):
        begin, end = upper if (number % 2 == 0) == first_high else lower
        points.append((time, begin + (end - begin) * time / times[-1] + rng.uniform(-0.03, 0.03)))
    return points


def _triangle(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Ascending: flat top, rising lows, break upward after a last low."""
    body = _between(rng, (1.0, 1.0), (0.0, rng.uniform(0.55, 0.7)), int(rng.choice([5, 7])), False)
    body = body if rng.random() < 0.5 else body[1:]
    if len(body) < 5:
        body = _between(rng, (1.0, 1.0), (0.0, rng.uniform(0.55, 0.7)), 6, True)
    return _mild(rng, body), body, _break_after(rng, body, rng.uniform(1.6, 2.0), 0.0)


def _symmetrical(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    end = rng.uniform(0.28, 0.36)
    touches = int(rng.integers(5, 8))
    first_high = rng.random() < 0.5
    body = _between(rng, (1.0, 1.0 - end), (0.0, end), touches, bool(first_high))
    up = body[-1][1] < 0.5
    return _mild(rng, body), body, _break_after(rng, body, 1.4 if up else -0.4, 0.0)


def _wedge(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Rising: both lines rise, the lower one faster; break downward after a last high."""
    top = rng.uniform(0.5, 0.9)
    touches = int(rng.integers(5, 8))
    body = _between(rng, (1.0, 1.0 + top), (0.0, top + rng.uniform(0.55, 0.65)), touches, touches % 2 == 1)
    return _mild(rng, body), body, _break_after(rng, body, -rng.uniform(0.2, 0.6), 0.0)


def _channel(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    drift = rng.uniform(0.4, 2.0)
    touches = int(rng.integers(6, 9))
    body = _between(rng, (1.0, 1.0 + drift), (0.0, drift), touches, touches % 2 == 1)
    time, price = body[-1]
    return _mild(rng, body), body, [(time + 0.9, price - 0.8), (time + 2.5, price - 0.8 + 0.1)]


def _mild(rng: np.random.Generator, body: Points) -> Points:
    """A short, slow move into the figure: no pole."""
    rise = rng.uniform(0.5, 1.0)
    return [(-rng.uniform(0.8, 1.5), body[0][1] - rise if body[0][1] > body[1][1] else body[0][1] + rise)]


def _flag(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """A pole of 1, then a small channel against it, then on; times of the rest are short."""
    width, drift = rng.uniform(0.18, 0.28), -rng.uniform(0.02, 0.12)
    rest = _between(rng, (0.0, drift), (-width, drift - width), int(rng.choice([4, 6])), True)
    return _poled(rng, rest)


def _pennant(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    width = rng.uniform(0.25, 0.36)
    rest = _between(rng, (0.0, -0.32 * width), (-width, -0.68 * width), 6, True)
    return _poled(rng, rest)


def _poled(rng: np.random.Generator, rest: Points) -> tuple[Points, Points, Points]:
    body = [
        (time, 1.0 + price + (0.0 if number else -rest[0][1])) for number, (time, price) in enumerate(rest)
    ]
    time = body[-1][0]
    return [(-rng.uniform(0.8, 1.4), 0.0)], body, [(time + 1.0, 1.7), (time + 2.0, 1.8)]


def _support(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Three lows of one price, the second bounce much higher than the first; then another."""
    highs = rng.uniform(0.7, 0.9), rng.uniform(1.3, 1.6)
    body = _points(rng, [0.0, highs[0], rng.uniform(-0.04, 0.04), highs[1], rng.uniform(-0.04, 0.04)])
    return [(-1.0, rng.uniform(0.7, 1.6))], body, [(body[-1][0] + 1.2, 1.0), (body[-1][0] + 2.0, 0.9)]


def _trend_line(rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Three rising lows on one line, the second bounce much higher than the first; then another."""
    slope = rng.uniform(0.25, 0.45)
    times = _times(rng, 4)
    bounces = (0.0, rng.uniform(0.6, 0.8), 0.0, rng.uniform(1.3, 1.6), 0.0)
    prices = [slope * time + bounce for time, bounce in zip(times, bounces, strict=True)]
    body = list(zip(times, prices, strict=True))
    time, price = body[-1]
    return [(-1.0, rng.uniform(0.5, 1.0))], body, [(time + 1.2, price + 1.5), (time + 2.0, price + 1.6)]


Shape = Callable[[np.random.Generator], tuple[Points, Points, Points]]
FIGURES: dict[str, tuple[Shape, bool | None]] = {
    "head_and_shoulders": (_head_and_shoulders, False),
    "inverse_head_and_shoulders": (_head_and_shoulders, True),
    "double_top": (_double, False),
    "double_bottom": (_double, True),
    "triple_top": (_triple, False),
    "triple_bottom": (_triple, True),
    "ascending_triangle": (_triangle, False),
    "descending_triangle": (_triangle, True),
    "symmetrical_triangle": (_symmetrical, None),
    "rising_wedge": (_wedge, False),
    "falling_wedge": (_wedge, True),
    "bull_flag": (_flag, False),
    "bear_flag": (_flag, True),
    "bull_pennant": (_pennant, False),
    "bear_pennant": (_pennant, True),
    "channel": (_channel, None),
    "support": (_support, False),
    "resistance": (_support, True),
    "trend_line": (_trend_line, None),
}
_LINES = frozenset({"support", "resistance", "trend_line"})
IMPLIED = dict.fromkeys(FIGURES, _LINES)
IMPLIED["support"] |= {"double_bottom", "triple_bottom"}
IMPLIED["resistance"] |= {"double_top", "triple_top"}
"""Three touches of a line are that line; three lows of one price may be a triple bottom."""
DISTRACTORS: tuple[Callable[[np.random.Generator, np.ndarray], np.ndarray], ...] = (
    lambda rng, t: rng.uniform(1.0, 4.0) * t,
    lambda rng, t: rng.uniform(1.0, 2.0) * (1.0 - np.abs(2.0 * t - 1.0)),
    lambda rng, t: rng.uniform(0.5, 1.5) * t**3,
    lambda rng, t: np.where(t < rng.uniform(0.3, 0.7), 0.0, rng.uniform(0.5, 1.5)),
    lambda rng, t: t * np.interp(t, np.linspace(0, 1, 8), rng.permutation(np.linspace(-1, 1, 8))) * 1.5,
    lambda rng, t: np.interp(t, [0, 0.3, 0.5, 0.7, 1], [0, 1, 0.3, 1.6, rng.uniform(0.8, 1.4)]),
)
"""A trend, a single peak, an acceleration, a step, a broadening zigzag, a trend with one pause."""
