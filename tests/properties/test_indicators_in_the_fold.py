"""Indicators that a partition keeps up: replay == live, snapshot + tail == full replay, to the byte."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.envelope import Batch
from domain.errors import Conflict, Malformed
from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.sessions import UTC_DAYS
from domain.indicators.spec import parse_spec
from domain.market.decisions import BarClosed
from domain.partition import MarketPartition, PartitionSettings
from tests.builders import INSTRUMENT, PROVIDER, a_trade, at
from tests.properties.test_fold_replay import batches, live, replay

SPECS = ("sma(2)@1s", "rsi(2)@1s", "ema(3)")
ARMED = PartitionSettings(keep_bars=40, indicators=SPECS)


def armed() -> MarketPartition:
    return MarketPartition("market/00", ARMED)


@settings(max_examples=60, deadline=None)
@given(sent=batches())
def test_a_replay_ends_in_the_same_bytes(sent: Sequence[Batch]) -> None:
    partition = armed()
    log = live(sent, partition)
    assert replay(log, armed()).snapshot() == partition.snapshot()


@settings(max_examples=60, deadline=None)
@given(sent=batches(), cut=st.integers(0, 12))
def test_a_snapshot_and_its_tail_equal_the_full_replay(sent: Sequence[Batch], cut: int) -> None:
    partition = armed()
    log = live(sent, partition)
    begun = replay(log[:cut], armed())
    restored = MarketPartition.restore(begun.snapshot(), ARMED)
    assert replay(log[cut:], restored).snapshot() == partition.snapshot()


@settings(max_examples=40, deadline=None)
@given(sent=batches(), cut=st.integers(0, 12))
def test_a_state_read_in_slices_is_that_of_its_moment(sent: Sequence[Batch], cut: int) -> None:
    partition = armed()
    live(sent[:cut], partition)
    whole, exposure = partition.snapshot(), partition.expose()
    live(sent[cut:], partition)
    assert exposure.whole() == whole


def trading(seconds: int) -> list[Batch]:
    return [
        Batch(PROVIDER, 1, second + 1, at(second), (a_trade(100.0 + second * 7 % 11, ts=at(second)),))
        for second in range(seconds)
    ]


def test_values_are_those_of_the_closed_bars() -> None:
    partition = armed()
    told: dict[int, float] = {}
    closed: list[BarClosed] = []
    for batch in trading(30):
        _, events = partition.observe(batch)
        closed += [event for event in events if isinstance(event, BarClosed) and event.interval == "1s"]
        told.update(
            (each.ts_event, each.value) for each in partition.indicator_values if each.spec == "rsi(2)"
        )
    starts = np.array([bar.ts_event for bar in closed])
    columns = np.array([(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in closed]).T
    expected = values(parse_spec("rsi(2)"), Bars(*columns, UTC_DAYS.days(starts)))
    assert len(closed) > 20
    np.testing.assert_array_equal([told[start] for start in starts.tolist()], expected)


def test_without_specs_nothing_is_kept() -> None:
    plain = MarketPartition("market/00", PartitionSettings())
    live(trading(10), plain)
    keeper = plain.keeper(INSTRUMENT)
    assert keeper is not None and keeper.snapshot().indicators == b"" and plain.indicator_values == []


def test_a_snapshot_of_other_specs_does_not_fit() -> None:
    partition = armed()
    live(trading(10), partition)
    with pytest.raises(Conflict):
        MarketPartition.restore(partition.snapshot(), PartitionSettings(keep_bars=40, indicators=("sma(3)",)))


def test_a_faulty_spec_is_refused_at_once() -> None:
    with pytest.raises(Malformed, match="did you mean"):
        MarketPartition("market/00", PartitionSettings(indicators=("rsl(14)",)))
