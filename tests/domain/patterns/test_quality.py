"""Labelled figures are found, random walks mostly left alone: lower bounds on small seeded sets."""

from __future__ import annotations

import numpy as np
import pytest

from domain.patterns.events import CHART_PATTERNS
from tests.bench.patterns import Tally, scan, tallied, tallied_textbook
from tests.patterns_set import FIGURES, NOISE, random_walk
from tests.patterns_textbook import TEXTBOOK


@pytest.fixture(scope="module")
def tally() -> Tally:
    return tallied(12, NOISE["middle"], seed=11)


def test_the_set_draws_every_chart_pattern() -> None:
    assert set(FIGURES) == set(CHART_PATTERNS)


@pytest.mark.parametrize("pattern", CHART_PATTERNS)
def test_most_drawn_figures_are_found(pattern: str, tally: Tally) -> None:
    assert tally.recall(pattern) >= 0.65


@pytest.mark.parametrize("pattern", CHART_PATTERNS)
def test_most_of_what_is_said_is_true(pattern: str, tally: Tally) -> None:
    assert tally.precision(pattern) >= 0.6


def test_over_all_patterns_recall_and_precision_are_high(tally: Tally) -> None:
    found, drawn, false = (counter.total() for counter in (tally.found, tally.drawn, tally.false))
    assert found / drawn >= 0.85
    assert found / (found + false) >= 0.85


def test_figures_drawn_by_other_rules_are_found_as_well() -> None:
    tally = tallied_textbook(5, seed=11)
    assert tally.drawn.total() == 5 * len(TEXTBOOK)
    assert tally.found.total() / tally.drawn.total() >= 0.8
    assert tally.found.total() / (tally.found.total() + tally.false.total()) >= 0.8


def test_random_walks_confirm_few_figures() -> None:
    walks = [random_walk(1000, np.random.default_rng([1, number])) for number in range(6)]
    confirmed = sum(event.state == "confirmed" for walk in walks for event in scan(walk))
    assert 0 < confirmed <= 90
