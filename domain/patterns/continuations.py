"""Two boundary lines: triangles, wedges, flags, pennants, channels.

The last five to seven pivots touch an upper and a lower line. With the width at the first pivot as the
unit, `u` and `l` are how far the lines rise from the first pivot to the last, `narrowing` the share of the
larger width that is lost, and `lean` = (u + l) / (l - u) says which way a converging figure points:
0 symmetrical, 1 a flat top (ascending), -1 a flat bottom, beyond that both lines run one way (a wedge).

Sources: Lo, Mamaysky & Wang, Journal of Finance 55 (2000), pp. 1717-1718 (triangles and rectangles: five
consecutive extremes); Edwards & Magee, Technical Analysis of Stock Trends (10th ed. 2012), ch. 8 (triangles),
10 and 11 (wedges, flags, pennants; a break after three quarters of the way to the apex means little), 15
(channels); Bulkowski, Encyclopedia of Chart Patterns (2nd ed. 2005), chapters on flags, pennants, wedges
(targets).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from domain.patterns.events import Anchor
from domain.patterns.figures import Candidate
from domain.patterns.geometry import (
    GRAIN,
    Closes,
    Line,
    even_in_time,
    largest_miss,
    ratio_of,
    score,
    through,
)
from domain.patterns.poles import is_pole, pole_start
from domain.patterns.swings import Pivot

MAX_MISS = 0.095
"""A pivot's distance from its line, in widths at the first pivot."""
CLOSER = 0.5
"""Of a longer figure's miss: what a shorter one may have at most to be taken in its stead."""
MIN_LEG_RATIO = 0.25
"""Of neighbouring legs, in price."""
MIN_NARROWING, MIN_NARROWING_WEDGE, MIN_NARROWING_POLE = 0.34, 0.38, 0.32
MAX_NARROWING, MAX_WIDENING, MAX_WIDENING_POLE = 0.22, 0.28, 0.55
"""Narrowing from which a figure converges (else its lines are parallel); how much parallel lines may widen:
more after a pole, where the swings are small beside noise. Between the two limits of narrowing a figure
without a pole is neither."""
SYMMETRICAL, WEDGE, STEEP = 0.46, 1.7, 6.0
"""|lean| below the first: symmetrical; above the second: a wedge; between: one line is flat;
above the third: too close to a channel to be a wedge."""
MAX_DRIFT = 0.25
"""Of the width: what a flag may drift with its pole instead of against it."""
MAX_RETRACE = 0.5
"""Of the pole that a flag or pennant may take back."""
MAX_ROUGHNESS = 0.17
ROUGHNESS_PER_RETRACE, LEAST_ROUGHNESS, MOST_ROUGHNESS = 0.75, 0.12, 0.22
"""After a pole the limit is this share of the retrace, within bounds: noise alone makes small rests."""
MAX_MISS_POLE = 0.28
POLED_UNIT = 1.6
"""Widths that count as the height of a flag or pennant where margins are measured: small beside noise."""
FEWEST_TOUCHES = 4
"""Of a flag, which must then be far slower than its pole: so few come by chance."""
CHANNEL_PIVOTS = 6
CHANNEL_BOUNCE = 0.65


class Wedge(Struct, frozen=True):
    """The lines through `pivots` and their shape; prices per width where not said otherwise.

    `width` (price) at the first pivot.
    """

    pivots: tuple[Pivot, ...]
    upper: Line
    lower: Line
    width: float
    rise_upper: float
    rise_lower: float
    narrowing: float
    miss: float

    @property
    def lean(self) -> float:
        return (self.rise_upper + self.rise_lower) / (self.rise_lower - self.rise_upper)

    @property
    def first(self) -> int:
        return self.pivots[0].row

    @property
    def last(self) -> int:
        return self.pivots[-1].row


def continuations(pivots: Sequence[Pivot], closes: Closes) -> Iterator[Candidate]:
    """The longest figure that ends in the last pivot; a channel only where nothing else fits.

    A triangle or wedge gives way to a shorter one whose pivots lie far closer to its lines: what is left out
    is where the move into the figure began, and no touch of it.
    """
    channel: Candidate | None = None
    chosen: Candidate | None = None
    miss = 0.0
    for count in (7, 6, 5, 4):
        if len(pivots) <= count:
            continue
        part, before = pivots[-count:], pole_start(pivots[: len(pivots) - count + 1])
        poled = is_pole(before, part, eased=count > FEWEST_TOUCHES)
        shape = _shape_of(part, poled=poled)
        if shape is None or (chosen is not None and (poled or shape.miss > CLOSER * miss)):
            continue
        found = _with_pole(shape, before, closes) if poled else _without_pole(shape, closes)
        if found is None:
            continue
        if found.pattern == "channel":
            channel = channel or found
            continue
        chosen, miss = found, shape.miss
        if poled:
            break
    drawn = chosen or channel
    if drawn is not None:
        yield drawn


def _shape_of(part: Sequence[Pivot], *, poled: bool) -> Wedge | None:
    """None where the pivots make no figure. Lines are fitted last: most pivots fail before."""
    if not even_in_time(part) or not (poled or (len(part) > 4 and _is_even(part))):
        return None
    shape = _shape(part)
    return shape if shape is None or poled or shape.miss <= MAX_MISS else None


def _shape(pivots: Sequence[Pivot]) -> Wedge | None:
    """None where the pivots do not lie on two lines that bound the prices between them."""
    highs, lows = pivots[::2], pivots[1::2]
    if pivots[0].side < 0:
        highs, lows = lows, highs
    upper, lower = through(highs), through(lows)
    first, last = pivots[0].row, pivots[-1].row
    width, end = upper.at(first) - lower.at(first), upper.at(last) - lower.at(last)
    if width <= 0.0 or end <= 0.05 * width:
        return None
    narrowing = (width - end) / max(width, end)
    miss = max(largest_miss(upper, highs), largest_miss(lower, lows)) / width
    rises = ((upper.at(last) - upper.at(first)) / width, (lower.at(last) - lower.at(first)) / width)
    if miss > MAX_MISS_POLE or narrowing < -MAX_WIDENING_POLE:
        return None
    return Wedge(tuple(pivots), upper, lower, width, *rises, narrowing, miss)


def _is_even(pivots: Sequence[Pivot]) -> bool:
    """Whether no leg is a mere wiggle beside its neighbour, in price."""
    legs = [abs(after.price - before.price) for before, after in pairwise(pivots)]
    return all(
        after >= MIN_LEG_RATIO * before and before >= MIN_LEG_RATIO * after
        for before, after in pairwise(legs)
    )


def _with_pole(shape: Wedge, before: Pivot, closes: Closes) -> Candidate | None:
    """A flag or a pennant: a rest after a sharp move, which then goes on."""
    first = shape.pivots[0]
    side = first.side
    pole = abs(first.price - before.price)
    far = max(side * (first.price - each.price) for each in shape.pivots)
    if far > MAX_RETRACE * pole:
        return None
    drift = side * (shape.rise_upper + shape.rise_lower) / 2.0
    if shape.narrowing >= MIN_NARROWING_POLE:
        if abs(shape.lean) > WEDGE or len(shape.pivots) < 5:
            return None
        name = "bull_pennant" if side > 0 else "bear_pennant"
    else:
        if drift > MAX_DRIFT:
            return None
        name = "bull_flag" if side > 0 else "bear_flag"
    trigger, stop = (shape.upper, shape.lower) if side > 0 else (shape.lower, shape.upper)
    deadline = shape.last + max(5, shape.last - shape.first)
    rough = min(max(ROUGHNESS_PER_RETRACE * far / pole, LEAST_ROUGHNESS), MOST_ROUGHNESS)
    return _drawn(name, side, shape, closes, trigger, stop, pole, None, deadline, before, rough)


def _without_pole(shape: Wedge, closes: Closes) -> Candidate | None:
    if shape.narrowing >= MIN_NARROWING:
        return _converging(shape, closes)
    if -MAX_WIDENING <= shape.narrowing <= MAX_NARROWING and len(shape.pivots) >= CHANNEL_PIVOTS:
        return _channel(shape, closes)
    return None


def _converging(shape: Wedge, closes: Closes) -> Candidate | None:
    """A triangle or a wedge."""
    apex = shape.first + (shape.last - shape.first) / shape.narrowing
    deadline = int(min(apex, shape.last + 1.0 * (shape.last - shape.first))) + 2
    upper, lower, lean = shape.upper, shape.lower, shape.lean
    if abs(lean) < SYMMETRICAL:
        return _drawn("symmetrical_triangle", 0, shape, closes, upper, lower, shape.width, None, deadline)
    up, name = lean > 0.0, ""
    if abs(lean) < WEDGE:
        name = "ascending_triangle" if up else "descending_triangle"
        lines = (upper, lower) if up else (lower, upper)
        return _drawn(name, 1 if up else -1, shape, closes, *lines, shape.width, None, deadline)
    if abs(lean) > STEEP or shape.narrowing < MIN_NARROWING_WEDGE:
        return None
    lines = (lower, upper) if up else (upper, lower)
    prices = [each.price for each in shape.pivots]
    objective = min(prices) if up else max(prices)
    name = "rising_wedge" if up else "falling_wedge"
    return _drawn(name, -1 if up else 1, shape, closes, *lines, 0.0, objective, deadline)


def _channel(shape: Wedge, closes: Closes) -> Candidate | None:
    """Confirmed when price, having touched a line, is most of the way to the other; its aim is that line."""
    last = shape.pivots[-1]
    direction = -last.side
    stop, aim = (shape.lower, shape.upper) if direction > 0 else (shape.upper, shape.lower)
    width = aim.at(last.row) - stop.at(last.row)
    trigger = stop.moved(CHANNEL_BOUNCE * width)
    deadline = shape.last + max(5, (shape.last - shape.first) // 2)
    remaining = (1.0 - CHANNEL_BOUNCE) * abs(width)
    drawn = _drawn("channel", direction, shape, closes, trigger, stop, remaining, None, deadline)
    lines = ratio_of(aim.at(last.row), stop.at(last.row))
    return drawn and replace(drawn, ratio=lines ** (1.0 - CHANNEL_BOUNCE))


def _drawn(
    name: str,
    direction: int,
    shape: Wedge,
    closes: Closes,
    trigger: Line,
    stop: Line,
    height: float,
    objective: float | None,
    deadline: int,
    before: Pivot | None = None,
    rough: float = MAX_ROUGHNESS,
) -> Candidate | None:
    roughness = closes.roughness(shape.pivots, 0.0 if before is None else GRAIN)
    missed = MAX_MISS if before is None else MAX_MISS_POLE
    if roughness > rough:
        return None
    measured = (shape.upper.at(shape.first), shape.lower.at(shape.first))
    anchors = tuple(
        Anchor(each.row, each.ts, each.price, "upper" if each.side > 0 else "lower") for each in shape.pivots
    )
    if before is not None:
        anchors = (Anchor(before.row, before.ts, before.price, "pole"), *anchors)
        measured = (before.price, shape.pivots[0].price)
    grades = (1.0 - 0.5 * roughness / rough, 1.0 - 0.5 * shape.miss / missed)
    touches = min(1.0, 0.4 + 0.1 * len(shape.pivots))
    return Candidate(
        name,
        direction,
        anchors,
        trigger,
        stop,
        shape.width if before is None else POLED_UNIT * shape.width,
        height,
        objective,
        deadline,
        score((*grades, touches)),
        ratio_of(*measured),
    )
