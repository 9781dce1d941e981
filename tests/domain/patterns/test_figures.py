"""Figures drawn with a ruler: each is told at the bar where a reader of the chart would see it."""

from __future__ import annotations

import numpy as np
import pytest

from domain.patterns.events import PatternEvent
from domain.patterns.figures import Candidate
from domain.patterns.geometry import Line
from tests.bench.patterns import scan
from tests.patterns_set import random_walk


def ruled(*points: tuple[int, float]) -> np.ndarray:
    """Closes on straight lines through (row, price), each bar opening at the last close."""
    rows = [row for row, _ in points]
    close = np.interp(np.arange(rows[-1] + 1), rows, [price for _, price in points])
    opened = np.concatenate((close[:1], close[:-1]))
    return np.column_stack((opened, np.maximum(opened, close), np.minimum(opened, close), close))


def life_of(pattern: str, bars: np.ndarray) -> list[PatternEvent]:
    return [event for event in scan(bars) if event.pattern == pattern]


HEAD = ((0, 80.0), (20, 106.0), (30, 100.0), (42, 112.0), (54, 100.0), (64, 106.0), (84, 86.0))


def test_head_and_shoulders_is_confirmed_below_the_neckline_and_aims_as_far_as_the_head_is_high() -> None:
    forming, confirmed, hit = life_of("head_and_shoulders", ruled(*HEAD))
    assert [event.state for event in (forming, confirmed, hit)] == ["forming", "confirmed", "target_hit"]
    roles = ["left_shoulder", "neckline", "head", "neckline", "right_shoulder"]
    assert [anchor.role for anchor in confirmed.anchors] == roles
    assert [anchor.row for anchor in confirmed.anchors] == [20, 30, 42, 54, 64]
    assert confirmed.target == 88.0 and confirmed.direction == -1
    assert confirmed.row == 72  # closes at 98; a close of 99 is not a tenth of the height below
    assert hit.row == 82


def test_the_inverse_is_the_mirror_image() -> None:
    mirrored = tuple((row, 200.0 - price) for row, price in HEAD)
    states = [(event.state, event.row) for event in life_of("inverse_head_and_shoulders", ruled(*mirrored))]
    assert states == [(event.state, event.row) for event in life_of("head_and_shoulders", ruled(*HEAD))]


def test_a_double_top_is_invalidated_by_a_new_high() -> None:
    bars = ruled((0, 80.0), (20, 110.0), (32, 100.0), (44, 110.0), (48, 106.0), (60, 120.0))
    forming, invalidated = life_of("double_top", bars)
    assert (forming.state, invalidated.state, invalidated.reason) == ("forming", "invalidated", "stop")
    assert forming.target == 90.0


def test_a_double_top_that_does_nothing_expires() -> None:
    bars = ruled((0, 80.0), (20, 110.0), (32, 100.0), (44, 110.0), (50, 104.0), (90, 104.0))
    forming, invalidated = life_of("double_top", bars)
    assert invalidated.reason == "expired"
    assert invalidated.row == forming.anchors[-1].row + 24 + 1


def test_a_third_top_makes_a_triple_top_of_a_double_top() -> None:
    legs = ((0, 80.0), (20, 110.0), (32, 100.0), (44, 110.0), (56, 100.0), (68, 110.0), (90, 86.0))
    bars = ruled(*legs)
    assert life_of("double_top", bars)[-1].reason == "superseded"
    assert [event.state for event in life_of("triple_top", bars)] == ["forming", "confirmed", "target_hit"]


def test_a_wiggle_on_a_long_leg_is_no_shoulder() -> None:
    def shaped(*rows: int) -> list[str]:
        prices = (99.0, 106.7, 105.4, 110.0, 104.4, 105.6, 98.0)
        return [
            event.state for event in life_of("head_and_shoulders", ruled(*zip(rows, prices, strict=True)))
        ]

    assert shaped(0, 44, 45, 58, 94, 95, 120) == []
    assert shaped(0, 44, 51, 62, 85, 92, 117)[:2] == ["forming", "confirmed"]


def test_where_the_move_into_a_triangle_began_is_no_touch_of_it() -> None:
    touches = ((26, 100.0), (40, 110.0), (58, 102.0), (71, 110.0), (85, 103.8), (98, 110.0), (115, 105.8))
    bars = ruled((0, 115.6), *touches, (133, 119.0))
    figures = [event for event in scan(bars) if event.pattern.endswith("triangle")]
    confirmed = next(event for event in figures if event.state == "confirmed")
    assert confirmed.pattern == "ascending_triangle"
    assert [anchor.row for anchor in confirmed.anchors] == [40, 58, 71, 85, 98, 115]


def test_a_symmetrical_triangle_tells_its_direction_when_it_breaks() -> None:
    legs = ((0, 96.0), (12, 110.0), (22, 90.0), (32, 107.0), (42, 93.0), (52, 104.0), (60, 96.5))
    for end, direction in ((120.0, 1), (80.0, -1)):
        forming, confirmed = life_of("symmetrical_triangle", ruled(*legs, (80, end)))[:2]
        assert (forming.direction, forming.target) == (0, None)
        assert (confirmed.state, confirmed.direction) == ("confirmed", direction)
        assert confirmed.target is not None and direction * (confirmed.target - 100.0) > 10.0


def test_a_support_is_told_once_and_ends_when_it_breaks() -> None:
    legs = (
        (0, 108.0),
        (10, 100.0),
        (20, 107.0),
        (32, 100.0),
        (44, 114.0),
        (60, 100.0),
        (70, 110.0),
        (90, 90.0),
    )
    life = life_of("support", ruled(*legs))
    assert [event.state for event in life] == ["forming", "confirmed", "invalidated"]
    assert life[0].target is None and life[-1].reason == "stop"


TALL_TOP = ((0, 10.0), (20, 300.0), (40, 100.0), (60, 300.0), (80, 10.0))
COIN = (
    *((0, 10.0), (20, 100.0), (40, 20.0), (58, 80.0), (76, 20.0), (92, 60.0), (108, 20.0), (122, 42.0)),
    *((136, 20.0), (150, 4.0)),
)
"""A descending triangle whose height is four times the price of its floor."""


def test_a_tall_figure_is_measured_by_ratios() -> None:
    """A fall from 300 to 100 and as much again, on a logarithmic chart, ends at 33; in prices at -100."""
    confirmed = next(each for each in life_of("double_top", ruled(*TALL_TOP)) if each.state == "confirmed")
    assert confirmed.target == pytest.approx(100.0 / 3.0, rel=1e-3)
    triangle = life_of("descending_triangle", ruled(*COIN))
    assert {event.state for event in triangle} >= {"forming", "confirmed"}
    assert all(event.target is not None and 0.0 < event.target < 20.0 for event in triangle)


def test_no_target_lies_at_or_below_nothing() -> None:
    for seed in range(20):
        walk = random_walk(600, np.random.default_rng(seed))
        wild = 0.01 * (walk / walk[0, 0]) ** 40.0  # a coin that rises and falls by powers of ten
        targets = [event.target for event in scan(wild) if event.target is not None]
        assert all(0.0 < target < np.inf for target in targets)


def test_a_measure_that_is_no_price_gives_no_target() -> None:
    line = Line(0, 5.0)
    plan = Candidate("bear_flag", -1, (), line, line, 1.0, 9.0, None, 9, 1.0, ratio=np.inf)
    assert plan.target_from(5.0, -1) is None and plan.target_from(5.0, 1) is None
    assert plan.target_from(-5.0, -1) is None and plan.target_from(50.0, -1) == 41.0


def confirmed_in(bars: np.ndarray) -> set[str]:
    return {event.pattern for event in scan(bars) if event.state == "confirmed"}


@pytest.mark.parametrize("fall", [10.0, 30.0, 60.0, 90.0])
def test_a_double_bottom_after_a_steep_fall_is_confirmed_by_a_clear_break_against_it(fall: float) -> None:
    """The fall is as sharp as three swings, so that the bottoms may as well be a rest before it goes on."""
    begin, leg = 110.0 + fall, 12
    rows = (0, max(4, int(fall / 2.5)))
    times = (*rows, rows[1] + leg, rows[1] + 2 * leg, rows[1] + 4 * leg)
    upward = ruled(*zip(times, (begin, 100.0, 110.0, 100.0, 120.0), strict=True))
    assert "double_bottom" in confirmed_in(upward)
    onward = ruled(*zip(times, (begin, 100.0, 110.0, 100.0, 80.0), strict=True))
    assert "double_bottom" not in confirmed_in(onward)


def test_two_tops_within_a_flag_are_no_double_top() -> None:
    flag = ((0, 70.0), (10, 100.0), (16, 95.0), (22, 99.0), (28, 94.0), (34, 98.0), (40, 93.0), (60, 130.0))
    assert confirmed_in(ruled(*flag)) == {"bull_flag"}


def test_a_flag_as_long_as_its_pole_is_no_channel() -> None:
    flag = ((0, 76.0), (24, 100.0), (29, 95.5), (34, 99.0), (38, 94.6), (43, 98.0), (48, 93.6), (67, 118.0))
    assert confirmed_in(ruled(*flag)) & {"bull_flag", "channel"} == {"bull_flag"}
    mirrored = ruled(*((row, 200.0 - price) for row, price in flag))
    assert confirmed_in(mirrored) & {"bear_flag", "channel"} == {"bear_flag"}


def test_a_pennant_as_long_as_its_pole_is_no_triangle() -> None:
    pennant = ((24, 100.0), (29, 96.3), (34, 99.4), (38, 96.9), (43, 98.8), (48, 97.5), (67, 114.0))
    confirmed = confirmed_in(ruled((0, 84.0), *pennant))
    assert confirmed & {"bull_pennant", "symmetrical_triangle"} == {"bull_pennant"}


RIPPLED = (
    *((0, 99.0), (58, 99.0), (60, 97.0), (72, 110.0), (84, 100.0), (96, 107.4), (101, 103.0), (103, 105.2)),
    *((108, 100.0), (120, 104.6), (132, 100.0), (139, 102.3), (151, 92.0)),
)
"""A descending triangle whose fourth leg stops on its way and turns for two bars."""


def test_a_triangle_with_a_ripple_outlives_the_false_break_of_a_smaller_one() -> None:
    outlived = 0
    for seed in range(20):
        bars = ruled(*RIPPLED) + np.random.default_rng(seed).normal(0.0, 0.25, (152, 1))
        events = scan(bars)
        assert "descending_triangle" in {event.pattern for event in events if event.state == "confirmed"}
        broken = {event.figure for event in events if event.state == "confirmed"}
        outlived += any(event.reason == "superseded" and event.figure in broken for event in events)
    assert outlived > 0
