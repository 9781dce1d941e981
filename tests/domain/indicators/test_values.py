"""Defined results for strange input, and bounds that hold for any."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import Corrupt, OverLimit
from domain.indicators.bank import Bank, first_values
from domain.indicators.bars import Bars
from domain.indicators.corrections import CorrectableBank
from domain.indicators.history import history, values
from domain.indicators.spec import parse_spec
from tests.domain.indicators.series import EVERY_SPEC, one_bar_of, random_bars

RANGES = {
    "rsi": (0, 100),
    "stoch": (0, 100),
    "stochf": (0, 100),
    "mfi": (0, 100),
    "adx": (0, 100),
    "willr": (-100, 0),
}


@pytest.fixture
def bars() -> Bars:
    return random_bars(np.random.default_rng(11), 240, 3)


def changed(bars: Bars, bar: int, **values: float) -> Bars:
    columns = {name: getattr(bars, name).copy() for name in values}
    for name, value in values.items():
        columns[name][bar] = value
    return bars._replace(**columns)


@pytest.mark.parametrize("spec", EVERY_SPEC)
def test_the_first_value_comes_after_the_bars_that_the_catalogue_says(spec: str, bars: Bars) -> None:
    traded = bars._replace(volume=bars.volume + 1.0)
    for output, first in zip(history(parse_spec(spec), traded), first_values(parse_spec(spec)), strict=True):
        assert np.isnan(output[:first]).all()
        assert np.isfinite(output[first:]).all()


@pytest.mark.parametrize("spec", EVERY_SPEC)
def test_no_bars_give_no_values_and_one_bar_is_enough_to_begin(spec: str, bars: Bars) -> None:
    for length in (0, 1):
        few = Bars(*(column[:length, 0] for column in bars))
        for output in history(parse_spec(spec), few):
            assert output.shape == (length,)


@pytest.mark.parametrize("spec", EVERY_SPEC)
@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf, 1e300])
def test_a_damaged_bar_has_no_value_and_leaves_no_trace(spec: str, damage: float, bars: Bars) -> None:
    traded = bars._replace(volume=bars.volume + 1.0)
    hurt = changed(traded, 100, open=damage, high=damage, low=damage, close=damage)
    without = Bars(*(np.delete(column, 100, axis=0) for column in traded))
    for output, expected in zip(
        history(parse_spec(spec), hurt), history(parse_spec(spec), without), strict=True
    ):
        assert np.isnan(output[100]).all()
        assert np.array_equal(np.delete(output, 100, axis=0), expected, equal_nan=True)


@pytest.mark.parametrize("name", RANGES)
def test_oscillators_stay_in_their_range(name: str, bars: Bars) -> None:
    least, most = RANGES[name]
    for spec in (each for each in EVERY_SPEC if parse_spec(each).name == name):
        for output in history(parse_spec(spec), bars):
            found = output[np.isfinite(output)]
            assert found.size and found.min() >= least - 1e-9 and found.max() <= most + 1e-9


@pytest.mark.parametrize("spec", ["sma(20)", "wma(20)", "stddev(20)", "bbands(20,2)", "cci(20)", "vwap(20)"])
def test_a_wild_price_has_no_influence_once_it_has_left_the_window(spec: str, bars: Bars) -> None:
    """A running sum would keep the rounding error of 1e17 for good."""
    traded = bars._replace(volume=bars.volume + 1.0)
    wild = changed(traded, 60, open=1e17, high=1e17, low=1e17, close=1e17)
    for output, expected in zip(
        history(parse_spec(spec), wild), history(parse_spec(spec), traded), strict=True
    ):
        assert np.array_equal(output[81:], expected[81:])


def test_standard_deviation_of_almost_equal_prices_keeps_its_digits() -> None:
    close = 1e6 + np.tile([0.0, 1e-6, 2e-6, 1e-6], 20)
    found = values(parse_spec("stddev(4)"), Bars.of_prices(close))
    exact = np.array([np.std(close[bar - 3 : bar + 1] - close[bar]) for bar in range(3, len(close))])
    assert found[3:] == pytest.approx(exact, rel=1e-12)


def test_negative_prices_are_computed_with() -> None:
    """Oil for May 2020 closed at -37.63."""
    found = values(parse_spec("sma(3)"), Bars.of_prices(np.array([1.5, -37.63, 10.0, 12.0])))
    assert found[2:] == pytest.approx([(1.5 - 37.63 + 10.0) / 3, (-37.63 + 22.0) / 3])


def test_without_volume_there_is_no_vwap_and_obv_stands_still(bars: Bars) -> None:
    idle = bars._replace(volume=np.zeros_like(bars.volume))
    assert np.isnan(values(parse_spec("vwap"), idle)).all()
    assert np.isnan(values(parse_spec("vwap(5)"), idle)).all()
    assert (values(parse_spec("obv"), idle) == 0.0).all()
    assert (values(parse_spec("mfi(14)"), idle)[14:] == 0.0).all()


FLOWS = ("obv", "mfi(3)", "mfi(14)", "vwap", "vwap(3)", "ema(3, vwap(2))")


@pytest.mark.parametrize("spec", FLOWS)
@pytest.mark.parametrize("unknown", [np.nan, -5.0, np.inf, 1e300])
def test_a_bar_of_unknown_volume_counts_with_its_price_and_without_flow(
    spec: str, unknown: float, bars: Bars
) -> None:
    traded = bars._replace(volume=bars.volume + 1.0)
    for output, expected in zip(
        history(parse_spec(spec), changed(traded, 100, volume=unknown)),
        history(parse_spec(spec), changed(traded, 100, volume=0.0)),
        strict=True,
    ):
        assert np.array_equal(output, expected, equal_nan=True)


def test_the_move_after_a_bar_of_unknown_volume_is_the_one_from_its_price() -> None:
    """Up by 10 without a volume, then down by 1: the last volume flows out."""
    close, volume = np.array([100.0, 110.0, 109.0]), np.array([5.0, np.nan, 7.0])
    bars = Bars.of_prices(close)._replace(volume=volume)
    assert values(parse_spec("obv"), bars).tolist() == [5.0, 5.0, -2.0]
    assert values(parse_spec("mfi(2)"), bars)[2] == 0.0


def test_where_no_volume_is_known_nothing_is_told_of_it(bars: Bars) -> None:
    unknown = bars._replace(volume=np.full_like(bars.volume, np.nan))
    for spec in FLOWS:
        assert np.isnan(values(parse_spec(spec), unknown)).all()
    begun = changed(unknown, 200, volume=4.0)
    assert np.isnan(values(parse_spec("obv"), begun)[:200]).all()
    assert np.isfinite(values(parse_spec("obv"), begun)[200:]).all()
    assert np.isfinite(values(parse_spec("mfi(14)"), begun)[:, 0]).nonzero()[0].tolist() == list(
        range(200, 214)
    )


def test_a_period_beyond_the_data_gives_no_values_at_once(bars: Bars) -> None:
    for spec in ("sma(100000)", "wma(100000)", "stddev(100000)", "cci(100000)", "ema(100000)", "roc(100000)"):
        assert np.isnan(values(parse_spec(spec), bars)).all()


def test_rows_do_not_influence_each_other(bars: Bars) -> None:
    together, alone = Bank(parse_spec("rsi(14)"), 3), Bank(parse_spec("rsi(14)"), 1)
    for bar in range(60):
        rows = np.arange(3) if bar % 3 else np.array([1])
        found = together.update(rows, one_bar_of(bars, bar, rows))[0]
        mine = alone.update(np.array([0]), one_bar_of(bars, bar, np.array([1])))[0]
        assert np.array_equal(found[rows == 1], mine, equal_nan=True)


def test_rows_can_be_added_cleared_and_used_again(bars: Bars) -> None:
    bank, rows = Bank(parse_spec("bbands(5,2)"), 1), np.array([0])
    for bar in range(30):
        bank.update(rows, one_bar_of(bars, bar, rows))
    kept = bank.snapshot(0)
    bank.resize(4)
    assert bank.snapshot(0) == kept and bank.snapshot(3) == Bank(parse_spec("bbands(5,2)"), 1).snapshot(0)
    bank.clear(rows)
    assert bank.snapshot(0) == bank.snapshot(3)
    with pytest.raises(ValueError, match="cannot shrink"):
        bank.resize(2)


def test_state_of_another_figure_or_version_is_refused() -> None:
    bank = Bank(parse_spec("sma(5)"), 1)
    with pytest.raises(Corrupt):
        bank.restore(0, Bank(parse_spec("sma(6)"), 1).snapshot(0))
    old = bank.snapshot(0)
    with pytest.raises(Corrupt):
        bank.restore(0, type(old)(old.figure, old.version + 1, old.content))


def test_a_correction_deeper_than_what_is_kept_is_refused_and_changes_nothing(bars: Bars) -> None:
    bank, rows = CorrectableBank(parse_spec("ema(9)"), 1, depth=8), np.array([0])
    for bar in range(40):
        bank.update(rows, one_bar_of(bars, bar, rows))
    before = bank.snapshot(0)
    for back in (16, 39, 40, -1):
        with pytest.raises(OverLimit):
            bank.revert(0, back)
    assert bank.snapshot(0) == before
    other = CorrectableBank(parse_spec("ema(9)"), 1, depth=8)
    other.restore(0, before)
    assert other.revert(0, 7) == bank.revert(0, 7)
