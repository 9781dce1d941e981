"""Bars across splits."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import Malformed
from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.spec import parse_spec
from domain.market.adjust import adjusted, factors
from domain.market.splits import Split

DAY = 86_400 * 10**9
STARTS = DAY * np.arange(6)


def bars_of(close: list[float], volume: list[float]) -> Bars:
    prices = np.array(close)
    return Bars(prices, prices + 1, prices - 1, prices, np.array(volume), np.arange(len(close)))


def test_apple_s_two_last_splits_multiply_for_what_lies_before_both() -> None:
    """7:1 on 9 June 2014, 4:1 on 31 August 2020 (Apple, Investor Relations, stock split FAQ): 28 to 1."""
    splits = [Split(effective=4 * DAY, ratio=4.0), Split(effective=2 * DAY, ratio=7.0)]
    assert factors(STARTS, splits).tolist() == [28.0, 28.0, 4.0, 4.0, 1.0, 1.0]


def test_the_bar_that_begins_with_the_split_is_in_new_shares_already() -> None:
    close, volume = [400.0, 404.0, 101.5, 103.0, 102.0, 101.0], [10.0, 20.0, 90.0, 80.0, 70.0, 60.0]
    found = adjusted(STARTS, bars_of(close, volume), [Split(2 * DAY, 4.0)])
    assert found.close.tolist() == [100.0, 101.0, 101.5, 103.0, 102.0, 101.0]
    assert found.high.tolist()[:3] == [100.25, 101.25, 102.5]
    assert found.volume.tolist() == [40.0, 80.0, 90.0, 80.0, 70.0, 60.0]


def test_turnover_stays_and_a_reverse_split_raises_prices() -> None:
    bars = bars_of([1.0, 1.1, 10.5, 10.0, 9.0, 9.5], [1000.0, 900.0, 90.0, 80.0, 70.0, 60.0])
    found = adjusted(STARTS, bars, [Split(2 * DAY, 0.1)])
    assert found.close[0] == pytest.approx(10.0)
    np.testing.assert_allclose(found.close * found.volume, bars.close * bars.volume)


def test_an_average_over_a_split_no_longer_falls_with_it() -> None:
    raw = bars_of([400.0, 400.0, 100.0, 100.0, 100.0, 100.0], [1.0] * 6)
    spec = parse_spec("sma(4)")
    assert values(spec, raw)[3] == 250.0
    assert values(spec, adjusted(STARTS, raw, [Split(2 * DAY, 4.0)]))[3:].tolist() == [100.0] * 3


def test_without_splits_nothing_is_touched() -> None:
    bars = bars_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6)
    assert adjusted(STARTS, bars, []) is bars


@pytest.mark.parametrize("ratio", [0.0, -2.0, float("nan"), float("inf"), 1e-9])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(Malformed):
        Split(0, ratio)
