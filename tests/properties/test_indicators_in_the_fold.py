"""Indicators that a partition keeps up: replay == live, snapshot + tail == full replay, to the byte."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_S
from domain.envelope import Admitted, Batch
from domain.errors import Conflict
from domain.indicators.armed import SENDER, Arming, IndicatorArmed, IndicatorDisarmed, WarmBar
from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.sessions import UTC_DAYS
from domain.indicators.spec import parse_spec
from domain.market.decisions import BarClosed
from domain.partition import FOLD_VERSION, MarketPartition, PartitionSettings
from tests.builders import INSTRUMENT, PROVIDER, a_trade, at
from tests.properties.test_fold_replay import INSTRUMENTS, batches

SETTINGS = PartitionSettings(keep_bars=40)
SPECS = (("1s", ("sma(2)", "rsi(2)", "macd(2,3,2).signal")), ("1m", ("ema(3)",)), ("5m", ("sma(2)",)))
NAMES = (INSTRUMENT, "ETH-USD.SIM")
Entry = tuple[Admitted, list[Any]]


def warm(count: int, length_s: int = 1) -> tuple[WarmBar, ...]:
    """Bars that closed before anything else happened."""
    return tuple(
        (at(0) - (count - number) * length_s * NS_PER_S, 10.0, 11.0 + number % 3, 9.0, 10.0 + number % 2, 2.0)
        for number in range(count)
    )


def an_order(interval: str, *specs: str, instrument: str = INSTRUMENT, bars: int = 0) -> IndicatorArmed:
    return IndicatorArmed(SENDER, instrument, at(0), at(0), interval, specs, bars=warm(bars))


def no_more(interval: str, *specs: str, instrument: str = INSTRUMENT) -> IndicatorDisarmed:
    return IndicatorDisarmed(SENDER, instrument, at(0), at(0), interval, specs)


@st.composite
def orders(draw: st.DrawFn) -> Arming:
    interval, known = draw(st.sampled_from(SPECS))
    specs = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
    name = draw(st.sampled_from(INSTRUMENTS))
    if draw(st.integers(0, 2)) == 0:
        return no_more(interval, *specs, instrument=name)
    return an_order(interval, *specs, instrument=name, bars=draw(st.integers(0, 4)))


@st.composite
def histories(draw: st.DrawFn) -> list[Batch | Arming]:
    """A run of batches with orders among them; the first figures are armed before anything comes."""
    steps: list[Batch | Arming] = [an_order(each, *specs, instrument=INSTRUMENTS[0]) for each, specs in SPECS]
    for batch in draw(batches()):
        steps += draw(st.lists(orders(), max_size=1))
        steps.append(batch)
    return steps


def step(partition: MarketPartition, what: Batch | Arming) -> list[Entry]:
    if isinstance(what, Batch):
        admitted, events = partition.observe(what)
    else:
        admitted, events = partition.arm([what], incarnation=1, clock=at(0))
    return [] if admitted is None else [(admitted, list(events))]


def live(steps: Sequence[Batch | Arming], partition: MarketPartition) -> list[Entry]:
    return [entry for what in steps for entry in step(partition, what)]


def replay(log: Sequence[Entry], partition: MarketPartition) -> MarketPartition:
    for admitted, events in log:
        partition.apply(admitted, events)
    return partition


def fresh() -> MarketPartition:
    return MarketPartition("market/00", SETTINGS)


def newest(partition: MarketPartition, name: str = INSTRUMENT) -> dict[str, tuple[int | None, float | None]]:
    return partition.indicators.newest(name)


@settings(max_examples=60, deadline=None)
@given(steps=histories())
def test_a_replay_ends_in_the_same_bytes(steps: Sequence[Batch | Arming]) -> None:
    partition = fresh()
    log = live(steps, partition)
    again = replay(log, fresh())
    assert again.snapshot() == partition.snapshot()
    assert all(newest(again, name) == newest(partition, name) for name in INSTRUMENTS)


@settings(max_examples=60, deadline=None)
@given(steps=histories(), cut=st.integers(0, 20))
def test_a_snapshot_and_its_tail_equal_the_full_replay(steps: Sequence[Batch | Arming], cut: int) -> None:
    partition = fresh()
    log = live(steps, partition)
    begun = replay(log[:cut], fresh())
    restored = MarketPartition.restore(begun.snapshot(), SETTINGS)
    assert restored.snapshot() == begun.snapshot()
    assert replay(log[cut:], restored).snapshot() == partition.snapshot()


@settings(max_examples=40, deadline=None)
@given(steps=histories(), cut=st.integers(0, 20))
def test_a_state_read_in_slices_is_that_of_its_moment(steps: Sequence[Batch | Arming], cut: int) -> None:
    partition = fresh()
    live(steps[:cut], partition)
    whole, exposure = partition.snapshot(), partition.expose()
    live(steps[cut:], partition)
    assert exposure.whole() == whole


@settings(max_examples=40, deadline=None)
@given(steps=histories())
def test_what_is_ordered_twice_is_done_once(steps: Sequence[Batch | Arming]) -> None:
    once, twice = fresh(), fresh()
    log = live(steps, once)
    twofold = [again for what in steps for again in ([what] if isinstance(what, Batch) else [what, what])]
    assert [events for _, events in live(twofold, twice)] == [events for _, events in log]
    assert once.snapshot() == twice.snapshot()


def trading(seconds: int, first: int = 0) -> list[Batch]:
    return [
        Batch(PROVIDER, 1, second + 1, at(second), (a_trade(100.0 + second * 7 % 11, ts=at(second)),))
        for second in range(first, first + seconds)
    ]


def closed_in(log: Sequence[Entry], interval: str) -> list[WarmBar]:
    bars = [event for _, events in log for event in events if isinstance(event, BarClosed)]
    return [
        (bar.ts_event, bar.open, bar.high, bar.low, bar.close, bar.volume)
        for bar in bars
        if bar.interval == interval
    ]


def last_value(spec: str, bars: Sequence[WarmBar]) -> float:
    starts = np.array([bar[0] for bar in bars])
    columns = np.array([bar[1:] for bar in bars]).T
    return float(values(parse_spec(spec), Bars(*columns, UTC_DAYS.days(starts)))[-1])


def test_the_value_is_that_of_the_warm_up_and_the_bars_that_closed_since() -> None:
    partition = fresh()
    live([an_order("1s", "rsi(14)", "sma(3)", bars=30)], partition)
    assert newest(partition)["sma(3)@1s"] == (warm(30)[-1][0], last_value("sma(3)", warm(30)))
    log = live(trading(40), partition)
    bars = [*warm(30), *closed_in(log, "1s")]
    assert len(bars) > 60
    for spec in ("rsi(14)", "sma(3)"):
        start, value = newest(partition)[f"{spec}@1s"]
        assert start == bars[-1][0] and value == pytest.approx(last_value(spec, bars), rel=1e-12)


def test_a_figure_armed_later_has_the_bars_before_and_no_value_of_what_it_lacks() -> None:
    partition = fresh()
    log = live([an_order("1s", "sma(3)"), *trading(5)], partition)
    bars = closed_in(log, "1s")
    live([an_order("1s", "sma(5)", bars=10)], partition)
    assert newest(partition)["sma(5)@1s"][1] == pytest.approx(last_value("sma(5)", [*warm(10), *bars]))
    live([an_order("1s", "sma(200)")], partition)
    assert newest(partition)["sma(200)@1s"] == (bars[-1][0], None)


def test_instruments_have_different_figures() -> None:
    partition = fresh()
    live([an_order("1s", "sma(3)", bars=5), an_order("1s", "ema(3)", instrument=NAMES[1], bars=5)], partition)
    assert set(newest(partition)) == {"sma(3)@1s"} and set(newest(partition, NAMES[1])) == {"ema(3)@1s"}
    live([no_more("1s", "sma(3)")], partition)
    assert newest(partition) == {} and set(newest(partition, NAMES[1])) == {"ema(3)@1s"}
    keeper = partition.keeper(INSTRUMENT)
    assert keeper is not None and keeper.snapshot().indicators == b""


def test_an_order_takes_no_instrument_from_its_feed() -> None:
    partition = fresh()
    live(trading(3), partition)
    due = partition.next_deadline(PROVIDER)
    live([an_order("1s", "sma(3)")], partition)
    keeper = partition.keeper(INSTRUMENT)
    assert keeper is not None and list(keeper.feeds.names) == [PROVIDER]
    assert due is not None and partition.next_deadline(PROVIDER) == due
    assert partition.last_sequence(SENDER) == (1, 1)


def test_the_next_owner_s_orders_are_admitted_and_an_older_one_s_are_not_in_the_log() -> None:
    partition = fresh()
    log = live([an_order("1s", "sma(3)")], partition)
    admitted, events = partition.arm([an_order("1s", "sma(4)")], incarnation=7, clock=at(9))
    assert admitted is not None and (admitted.incarnation, admitted.sequence) == (7, 1)
    assert replay([*log, (admitted, events)], fresh()).snapshot() == partition.snapshot()


def test_where_nothing_is_armed_nothing_is_kept_and_nothing_loaded() -> None:
    plain = fresh()
    live(trading(10), plain)
    keeper = plain.keeper(INSTRUMENT)
    assert keeper is not None and keeper.snapshot().indicators == b"" and not plain.indicators.live
    told = "import domain.partition, sys; print([m for m in sys.modules if m.endswith(('shelf', '.bank'))])"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_snapshot_with_other_settings_or_of_another_version_is_replayed_instead() -> None:
    partition = fresh()
    log = live([an_order("1s", "sma(3)"), *trading(5)], partition)
    snapshot = partition.snapshot()
    older = bytes([snapshot[0], FOLD_VERSION - 1]) + snapshot[2:]
    for unfit, fold in ((older, SETTINGS), (snapshot, PartitionSettings(keep_bars=41))):
        with pytest.raises(Conflict):
            MarketPartition.restore(unfit, fold)
    assert replay(log, fresh()).snapshot() == snapshot
