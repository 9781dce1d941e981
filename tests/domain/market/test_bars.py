"""Trades to bars: forming, closing, late and corrected."""

from __future__ import annotations

import pytest

from domain.errors import Malformed
from domain.market.bars import NEVER, BarBuilder
from domain.market.decisions import BarClosed, BarCorrected, LateTrade
from domain.partition import PartitionSettings
from tests.builders import INSTRUMENT, PROVIDER, T0, a_bar, a_gap, a_trade, at
from tests.domain.folding import Folding, only

SECOND = PartitionSettings(intervals=("1s",))


def shape(bar: BarClosed | BarCorrected) -> tuple[float, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades


def test_a_bar_closes_when_the_clock_reaches_its_end_plus_the_allowance():
    folding = Folding(SECOND)
    folding.fold(
        a_trade(10, 1, ts=at(0.1)), a_trade(12, 2, ts=at(0.5)), a_trade(11, 1, ts=at(0.9)), clock=at(0.9)
    )
    assert folding.beat(at(2) - 1) == []
    assert folding.beat(at(2)) == [
        BarClosed(
            provider=PROVIDER,
            instrument=INSTRUMENT,
            ts_event=T0,
            ts_recv=at(2),
            interval="1s",
            open=10.0,
            high=12.0,
            low=10.0,
            close=11.0,
            volume=4.0,
            trades=3,
            vwap=(10.0 + 24.0 + 11.0) / 4.0,
            tainted=True,  # nobody knows what traded before we listened
        )
    ]


def test_the_bars_in_which_an_instruments_trades_begin_are_tainted_and_the_next_are_not():
    folding = Folding(PartitionSettings(intervals=("1s", "1m")))
    folding.fold(a_trade(10, ts=at(58.5)), a_trade(11, ts=at(59.5)), a_trade(12, ts=at(60.5)), clock=at(61))
    folding.beat(at(121))
    assert {(bar.interval, bar.ts_event): bar.tainted for bar in folding.recorded(BarClosed)} == {
        ("1s", at(58)): True,
        ("1s", at(59)): False,
        ("1m", T0): True,
        ("1s", at(60)): False,
        ("1m", at(60)): False,
    }
    assert folding.replayed().snapshot() == folding.partition.snapshot()


def test_a_trade_at_the_end_of_an_interval_belongs_to_the_next():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, ts=at(1) - 1), a_trade(20, ts=at(1)), clock=at(1))
    closed = only(folding.beat(at(3)), BarClosed)
    assert [(bar.ts_event, bar.close) for bar in closed] == [(T0, 10.0), (at(1), 20.0)]


def test_an_interval_without_trades_makes_no_bar():
    folding = Folding(SECOND)
    folding.fold(a_trade(ts=at(0)), clock=at(0))
    folding.fold(a_trade(ts=at(5)), clock=at(5))
    folding.beat(at(60))
    assert [bar.ts_event for bar in folding.recorded(BarClosed)] == [at(0), at(5)]


def test_bars_due_at_once_close_in_deadline_order_over_instruments_and_intervals():
    folding = Folding()
    folding.fold(
        a_trade(ts=at(59.5), instrument="B.SIM"),
        a_trade(ts=at(59.5), instrument="A.SIM"),
        a_trade(ts=at(58.5), instrument="B.SIM"),
        clock=at(59.5),
    )
    closed = only(folding.beat(at(70)), BarClosed)
    assert [(bar.instrument, bar.interval, bar.ts_event) for bar in closed] == [
        ("B.SIM", "1s", at(58)),
        ("A.SIM", "1s", at(59)),
        ("A.SIM", "1m", T0),
        ("B.SIM", "1s", at(59)),
        ("B.SIM", "1m", T0),
    ]


def test_timers_run_before_the_events_of_the_batch_that_moves_the_clock():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, ts=at(0)), clock=at(0))
    late = a_trade(11, ts=at(0.5))
    recorded = folding.fold(late, clock=at(2))
    assert [type(event).__name__ for event in recorded] == ["BarClosed", "Trade", "BarCorrected"]


def test_a_late_trade_inside_the_allowance_amends_the_forming_bar():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, ts=at(0.5)), a_trade(20, ts=at(1.2)), clock=at(1.2))
    assert folding.fold(a_trade(9, 3, ts=at(0.7)), clock=at(1.5)) == [a_trade(9, 3, ts=at(0.7))]
    assert [shape(bar) for bar in folding.keeper.builders["1s"].forming()] == [
        (10.0, 10.0, 9.0, 9.0, 4.0, 2),
        (20.0, 20.0, 20.0, 20.0, 1.0, 1),
    ]


def test_an_earlier_trade_may_become_the_open_but_never_the_close():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, ts=at(0.5)), a_trade(11, ts=at(0.8)), a_trade(12, ts=at(0.2)), clock=at(0.9))
    bar = folding.keeper.builders["1s"].forming()[0]
    assert (bar.open, bar.close) == (12.0, 11.0)


def test_among_trades_of_the_same_time_arrival_decides_open_and_close():
    folding = Folding(SECOND)
    folding.fold(*[a_trade(price, ts=at(0.5)) for price in (10, 11, 12)], clock=at(0.5))
    bar = folding.keeper.builders["1s"].forming()[0]
    assert (bar.open, bar.close) == (10.0, 12.0)


def test_a_trade_for_a_closed_bar_corrects_it_with_the_next_revision():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, 1, ts=at(0.5)), clock=at(0.5))
    folding.beat(at(2))
    first = only(folding.fold(a_trade(14, 1, ts=at(0.9)), clock=at(2.5)), BarCorrected)
    second = only(folding.fold(a_trade(6, 2, ts=at(0.1)), clock=at(2.6)), BarCorrected)
    assert [(bar.revision, shape(bar), bar.vwap) for bar in first + second] == [
        (1, (10.0, 14.0, 10.0, 14.0, 2.0, 2), 12.0),
        (2, (6.0, 14.0, 6.0, 14.0, 4.0, 3), 9.0),
    ]
    held = folding.keeper.builders["1s"].closed
    assert [(bar.revision, shape(bar)) for bar in held] == [(2, (6.0, 14.0, 6.0, 14.0, 4.0, 3))]


def test_a_late_first_trade_closes_the_newest_bar_at_once():
    folding = Folding(SECOND)
    recorded = folding.fold(a_trade(10, ts=at(0)), clock=at(30))
    assert [(bar.ts_event, bar.revision) for bar in only(recorded, BarClosed)] == [(at(0), 0)]
    assert folding.keeper.builders["1s"].forming() == ()
    assert folding.keeper.deadline == NEVER


def test_a_bar_born_after_newer_ones_is_published_as_a_correction_of_revision_0():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, ts=at(5)), clock=at(5))
    folding.beat(at(7))
    recorded = folding.fold(a_trade(8, ts=at(1)), a_trade(9, ts=at(1.5)), clock=at(8))
    assert only(recorded, BarClosed) == []
    assert [(bar.ts_event, bar.revision, bar.close) for bar in only(recorded, BarCorrected)] == [
        (at(1), 0, 8.0),
        (at(1), 1, 9.0),
    ]
    assert [bar.ts_event for bar in folding.keeper.builders["1s"].closed] == [at(1), at(5)]


def test_a_trade_older_than_the_ring_is_recorded_as_late():
    folding = Folding(PartitionSettings(intervals=("1s",), keep_bars=2))
    for second in range(4):
        folding.fold(a_trade(10, ts=at(second)), clock=at(second))
    folding.beat(at(10))
    recorded = folding.fold(a_trade(7, 3, ts=at(1.5), trade_id="x7"), clock=at(11))
    assert only(recorded, LateTrade) == [
        LateTrade(
            provider=PROVIDER,
            instrument=INSTRUMENT,
            ts_event=at(1.5),
            ts_recv=at(11),
            interval="1s",
            bar_start=at(1),
            trade_id="x7",
            price=7.0,
            size=3.0,
        )
    ]
    assert folding.keeper.late_trades == 1
    assert [bar.ts_event for bar in folding.keeper.builders["1s"].closed] == [at(2), at(3)]


def test_the_ring_of_closed_bars_is_bounded():
    folding = Folding(PartitionSettings(intervals=("1s",), keep_bars=3))
    for second in range(20):
        folding.fold(a_trade(ts=at(second)), clock=at(second))
    folding.beat(at(30))
    builder = folding.keeper.builders["1s"]
    assert [bar.ts_event for bar in builder.closed] == [at(17), at(18), at(19)]
    assert builder.closed_total == 20


def test_history_newest_first_loses_no_trade():
    folding = Folding(PartitionSettings(intervals=("1s",), keep_bars=2))
    seconds = [9, 8, 7, 6, 5]
    recorded = folding.fold(*[a_trade(ts=at(second)) for second in seconds], clock=at(60))
    bars = [bar.ts_event for bar in recorded if isinstance(bar, BarClosed | BarCorrected)]
    late = [trade.ts_event for trade in only(recorded, LateTrade)]
    assert sorted(bars + late) == [at(second) for second in sorted(seconds)]


def test_a_volume_of_nothing_has_no_average_price():
    folding = Folding(SECOND)
    folding.fold(a_trade(10, 0, ts=at(0)), clock=at(0))
    assert [bar.vwap for bar in only(folding.beat(at(2)), BarClosed)] == [None]


def test_the_allowance_can_be_set():
    folding = Folding(PartitionSettings(intervals=("1s",), allowance_ns=0))
    folding.fold(a_trade(ts=at(0)), clock=at(0))
    assert len(only(folding.beat(at(1)), BarClosed)) == 1


def test_bars_of_a_provider_are_kept_apart():
    folding = Folding()
    folding.fold(a_bar(500, interval="1m"), a_bar(501, interval="1m"), a_bar(9, interval="1d"), clock=T0)
    folding.fold(a_bar(1, interval="1m", ts=at(-60)), clock=T0)
    assert {name: bar.close for name, bar in folding.keeper.latest.bars.items()} == {"1m": 501.0, "1d": 9.0}
    assert folding.keeper.builders["1m"].forming() == ()


def test_bars_that_trades_may_be_missing_from_are_tainted():
    folding = Folding(SECOND)
    folding.fold(a_trade(ts=at(0)), clock=at(0.1))
    folding.fold(a_gap("trades", ts=at(0.2)), clock=at(0.2))
    folding.fold(a_trade(ts=at(3.5)), a_trade(ts=at(4)), clock=at(4))
    folding.beat(at(10))
    tainted = {bar.ts_event: bar.tainted for bar in folding.recorded(BarClosed)}
    assert tainted == {at(0): True, at(3): True, at(4): False}


def test_a_builder_knows_only_the_named_intervals():
    with pytest.raises(Malformed, match="'7m'"):
        BarBuilder(INSTRUMENT, "7m")
