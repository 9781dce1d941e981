"""A chart turned upside down shows the mirror images, at the same bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.patterns.events import CHART_PATTERNS, PatternEvent
from tests.bench.patterns import scan
from tests.patterns_set import FIGURES, NOISE, random_walk, samples

PAIRS = (
    ("head_and_shoulders", "inverse_head_and_shoulders"),
    ("double_top", "double_bottom"),
    ("triple_top", "triple_bottom"),
    ("ascending_triangle", "descending_triangle"),
    ("rising_wedge", "falling_wedge"),
    ("bull_flag", "bear_flag"),
    ("bull_pennant", "bear_pennant"),
    ("support", "resistance"),
)
MIRROR = {name: name for name in CHART_PATTERNS} | dict(PAIRS) | {there: here for here, there in PAIRS}
STEPS = 2.0**20
"""Prices are whole multiples of one part in so many, so that turning them upside down rounds nothing."""


def on_a_grid(bars: np.ndarray) -> np.ndarray:
    return np.round(bars / bars[0, 0] * STEPS) / STEPS


def upside_down(bars: np.ndarray) -> np.ndarray:
    """Prices p as c - p: high and low change places. On the grid nothing is rounded."""
    level = np.ceil(bars.max()) + 1.0
    return np.column_stack((level - bars[:, 0], level - bars[:, 2], level - bars[:, 1], level - bars[:, 3]))


def told(events: list[PatternEvent]) -> list[tuple[object, ...]]:
    return sorted(
        (each.row, each.pattern, each.state, each.reason or "", each.direction, len(each.anchors))
        for each in events
    )


def mirrored(events: list[PatternEvent]) -> list[tuple[object, ...]]:
    return sorted(
        (each.row, MIRROR[each.pattern], each.state, each.reason or "", -each.direction, len(each.anchors))
        for each in events
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_chart_upside_down_shows_the_mirror_images(seed: int) -> None:
    bars = on_a_grid(random_walk(400, np.random.default_rng(seed)))
    assert told(scan(upside_down(bars))) == mirrored(scan(bars))


@pytest.mark.parametrize("pattern", sorted(FIGURES))
def test_a_drawn_figure_upside_down_is_its_mirror_image(pattern: str) -> None:
    charts = [on_a_grid(sample.bars) for sample in samples(pattern, 3, NOISE["middle"], seed=7)]
    assert [told(scan(upside_down(bars))) for bars in charts] == [mirrored(scan(bars)) for bars in charts]
    assert any(scan(bars) for bars in charts)
