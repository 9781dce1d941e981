"""Live == history == peeked == restored, to the bit, however the bars are grouped into calls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.indicators.bank import Bank
from domain.indicators.bars import Bars
from domain.indicators.corrections import CorrectableBank
from domain.indicators.history import history
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import EVERY_SPEC, one_bar_of, random_bars

BARS, SYMBOLS = 70, 5
SEEDS = st.integers(0, 2**32 - 1)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return np.array_equal(left, right, equal_nan=True)


def fed_live(spec: str, bars: Bars, rng: np.random.Generator) -> list[np.ndarray]:
    """Bar by bar, symbols split over calls at random, each call peeked at and restored before."""
    bank = Bank(parse_spec(spec), SYMBOLS)
    outputs = [np.full(bars.close.shape, np.nan) for _ in bank.outputs]
    for bar in range(len(bars.close)):
        order = rng.permutation(SYMBOLS)
        cut = rng.integers(0, SYMBOLS + 1)
        for rows in (order[:cut], order[cut:]):
            fresh = Bank(parse_spec(spec), SYMBOLS)
            for row in range(SYMBOLS):
                fresh.restore(row, bank.snapshot(row))
            bank = fresh
            peeked = bank.peek(rows, one_bar_of(bars, bar, rows))
            found = bank.update(rows, one_bar_of(bars, bar, rows))
            for output, values, provisional in zip(outputs, found, peeked, strict=True):
                output[bar, rows] = values
                assert same(values, provisional)
    return outputs


@pytest.mark.parametrize("spec", EVERY_SPEC)
@settings(max_examples=1, deadline=None)
@given(seed=SEEDS)
def test_a_bank_fed_bar_by_bar_equals_history_to_the_bit(spec: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bars = random_bars(rng, BARS, SYMBOLS, missing=0.03)
    whole = history(parse_spec(spec), bars)
    for live, past in zip(fed_live(spec, bars, rng), whole, strict=True):
        assert same(live, past)


@pytest.mark.parametrize("spec", EVERY_SPEC)
@settings(max_examples=3, deadline=None)
@given(seed=SEEDS)
def test_history_of_many_symbols_equals_that_of_each(spec: str, seed: int) -> None:
    """Twenty columns go row by row, one goes in Python floats."""
    bars = random_bars(np.random.default_rng(seed), BARS, 20, missing=0.02)
    wide = history(parse_spec(spec), bars)
    for symbol in range(0, 20, 7):
        alone = history(parse_spec(spec), Bars(*(column[:, symbol] for column in bars)))
        for both, one in zip(wide, alone, strict=True):
            assert same(both[:, symbol], one)


@pytest.mark.parametrize("spec", EVERY_SPEC)
@settings(max_examples=2, deadline=None)
@given(seed=SEEDS, length=st.integers(0, BARS))
def test_no_value_depends_on_later_bars(spec: str, seed: int, length: int) -> None:
    bars = random_bars(np.random.default_rng(seed), BARS, 2)
    begun = history(parse_spec(spec), Bars(*(column[:length] for column in bars)))
    for whole, part in zip(history(parse_spec(spec), bars), begun, strict=True):
        assert same(whole[:length], part)


@pytest.mark.parametrize("spec", EVERY_SPEC)
@settings(max_examples=2, deadline=None)
@given(seed=SEEDS, back=st.integers(0, 7), extra=st.integers(0, 16))
def test_a_corrected_bar_gives_the_values_of_a_run_that_had_it_right(
    spec: str, seed: int, back: int, extra: int
) -> None:
    right = random_bars(np.random.default_rng(seed), 40 + extra, 2)
    wrong_at = len(right.close) - 1 - back
    wrong = Bars(*(column.copy() for column in right))
    wrong.close[wrong_at, 0] *= 1.5
    bank = CorrectableBank(parse_spec(spec), 2, depth=8)
    both, first = np.arange(2), np.array([0])
    for bar in range(len(right.close)):
        bank.update(both, one_bar_of(wrong, bar, both))
    again = bank.revert(0, back)
    assert back < again <= 16
    expected = history(parse_spec(spec), right)
    for bar in range(len(right.close) - again, len(right.close)):
        found = bank.update(first, one_bar_of(right, bar, first))
        for values, whole in zip(found, expected, strict=True):
            assert same(values, whole[bar, :1])
    assert bank.bank.snapshot(1) == _fed(spec, right).snapshot(1)
    assert bank.bank.snapshot(0) == _fed(spec, right).snapshot(0)


def _fed(spec: str, bars: Bars) -> Bank:
    bank, rows = Bank(parse_spec(spec), 2), np.arange(2)
    for bar in range(len(bars.close)):
        bank.update(rows, one_bar_of(bars, bar, rows))
    return bank
