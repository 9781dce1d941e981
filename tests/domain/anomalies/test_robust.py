"""Robust statistics and round ratios against numbers from elsewhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.anomalies.found import severity
from domain.anomalies.ratios import slip, split
from domain.anomalies.robust import Usual, location_and_scale


def test_the_scale_gives_the_modified_z_score() -> None:
    """0.6745 (x - median) / MAD, by hand: median 3.15, deviations' median 0.1."""
    values = [3.0, 3.1, 3.15, 3.05, 3.2, 3.3, 9.0]
    median, sigma = location_and_scale(values)
    assert median == 3.15
    assert (9.0 - median) / sigma == pytest.approx(0.6745 * 5.85 / 0.1, rel=1e-4)


def test_where_most_values_are_equal_the_mean_deviation_serves() -> None:
    median, sigma = location_and_scale([1.0] * 9 + [2.0])
    assert (median, sigma) == (1.0, pytest.approx(1.253314 * 0.1))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_window_forgets_what_is_older(values: list[float]) -> None:
    usual = Usual(8)
    for value in values:
        usual.add(value)
    assert (usual.median, usual.sigma) == location_and_scale(values[-8:])
    again = Usual(8)
    again.restore(usual.snapshot())
    usual.add(0.5)
    again.add(0.5)
    assert usual.snapshot() == again.snapshot()


@pytest.mark.parametrize(
    ("ratio", "slips", "splits"),
    [
        (10.0, 10.0, 10.0),
        (0.01, 0.01, None),
        (1 / 7, None, 1 / 7),
        (0.49, None, 0.5),
        (1.3, None, None),
        (11.0, None, None),
        (9.7, 10.0, 10.0),
    ],
)
def test_round_ratios(ratio: float, slips: float | None, splits: float | None) -> None:
    logged = math.log(ratio)
    assert slip(logged) == (None if slips is None else pytest.approx(slips))
    assert split(logged) == (None if splits is None else pytest.approx(splits))


def test_severity_rises_from_a_quarter_to_one() -> None:
    assert severity(8.0, 8.0) == 0.25
    assert severity(16.0, 8.0) == 0.625
    assert 0.99 < severity(1e9, 8.0) <= 1.0
    assert severity(1.0, 0.0) == 1.0
