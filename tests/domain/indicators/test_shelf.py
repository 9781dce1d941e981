"""The figures of a partition: grouping does not matter, snapshot + tail == full replay, to the bit."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Corrupt
from domain.indicators.shelf import BarEvent, IntervalState, Shelf, Value
from domain.indicators.spec import parse_spec
from domain.indicators.streaming import Streaming
from domain.market.decisions import BarClosed, BarCorrected
from tests.builders import a_trade

SPECS = [parse_spec(text) for text in ("sma(3)", "rsi(2)@1m", "macd(2,3,2).signal@1m", "ema(2)@1s", "obv@1s")]
INSTRUMENTS = ("A-USD.SIM", "B-USD.SIM", "C-USD.SIM")
LENGTHS = {"1m": NS_PER_MIN, "1s": NS_PER_S}
DEPTH = 4


def a_bar(
    instrument: str, interval: str, number: int, close: float, kind: type[BarEvent] = BarClosed
) -> BarEvent:
    return kind(
        provider="sim",
        instrument=instrument,
        ts_event=number * LENGTHS[interval],
        ts_recv=number * LENGTHS[interval],
        interval=interval,
        open=close,
        high=close + 1.0,
        low=close - 1.0,
        close=close,
        volume=close,
        trades=1,
        vwap=close,
        revision=int(kind is BarCorrected),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[object]:
    """Bars in the order a keeper decides them: starts rise per chain; corrections go back; trades between."""
    events: list[object] = []
    newest: dict[tuple[str, str], int] = {}
    for _ in range(draw(st.integers(1, 45))):
        name = draw(st.sampled_from(INSTRUMENTS)), draw(st.sampled_from(("1m", "1m", "1s")))
        close = draw(st.integers(1, 40)) / 4
        back = draw(st.integers(0, 24))
        if back > 16 and name in newest:
            number = max(0, newest[name] - (back - 17))
            events.append(a_bar(*name, number, close, BarCorrected))
        else:
            newest[name] = newest.get(name, 9) + draw(st.integers(1, 2))
            events.append(a_bar(*name, newest[name], close))
        if draw(st.booleans()):
            events.append(a_trade())
    return events


def told(shelf: Shelf, events: list[object], cuts: list[int]) -> list[Value]:
    places = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    return [value for begin, end in itertools.pairwise(places) for value in shelf.observe(events[begin:end])]


def states(shelf: Shelf) -> list[bytes]:
    return [msgspec.msgpack.encode(shelf.snapshot(name)) for name in INSTRUMENTS]


def texts(values: list[Value]) -> list[str]:
    return sorted(map(repr, values))


@settings(max_examples=40, deadline=None)
@given(events=logs(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_how_bars_are_grouped_makes_no_difference(events: list[object], cuts: list[int]) -> None:
    one, another = Shelf(SPECS, depth=DEPTH), Shelf(SPECS, depth=DEPTH)
    assert texts(told(one, events, [])) == texts(told(another, events, cuts))
    assert states(one) == states(another)


@settings(max_examples=40, deadline=None)
@given(events=logs(), cut=st.integers(0, 90))
def test_a_snapshot_and_its_tail_equal_the_full_replay(events: list[object], cut: int) -> None:
    cut %= len(events) + 1
    whole, begun, restored = (Shelf(SPECS, depth=DEPTH) for _ in range(3))
    begun.observe(events[:cut])
    for name in reversed(INSTRUMENTS):
        packed = msgspec.msgpack.encode(begun.snapshot(name))
        restored.restore(name, msgspec.msgpack.decode(packed, type=tuple[IntervalState, ...]))
    assert states(restored) == states(begun)
    assert texts(whole.observe(events[:cut]) + restored.observe(events[cut:])) == texts(
        Shelf(SPECS, depth=DEPTH).observe(events)
    )
    whole.observe(events[cut:])
    assert states(whole) == states(restored)


@settings(max_examples=30, deadline=None)
@given(events=logs())
def test_values_are_those_of_one_instrument_s_own_stream(events: list[object]) -> None:
    streams: dict[tuple[str, str, str], Streaming] = {}
    expected: list[str] = []
    for event in events:
        for spec in SPECS:
            if not isinstance(event, BarEvent) or (spec.interval or "1m") != event.interval:
                continue
            own = spec.without_interval
            stream = streams.setdefault(
                (event.instrument, event.interval, str(own)), Streaming(own, depth=DEPTH)
            )
            changes = stream.put(
                event.ts_event, (event.open, event.high, event.low, event.close, event.volume)
            )
            value = [
                (event.instrument, event.interval, str(own), at, event.revision, v) for at, v in changes[:1]
            ]
            expected += [repr(Value(*each)) for each in value]
    assert texts(Shelf(SPECS, depth=DEPTH).observe(events)) == sorted(expected)


def test_many_instruments_grow_the_banks() -> None:
    shelf = Shelf([parse_spec("sma(2)@1m")])
    for number in range(2):
        bars = [a_bar(f"S{each}-USD.SIM", "1m", number, float(each + number)) for each in range(100)]
        found = shelf.observe(bars)
    assert [value.value for value in found] == [each + 0.5 for each in range(100)]
    assert np.isnan(Shelf([parse_spec("sma(2)@1m")]).observe(bars)[0].value)


def test_a_state_of_other_figures_is_refused() -> None:
    shelf = Shelf([parse_spec("sma(2)@1m")])
    shelf.observe([a_bar("A-USD.SIM", "1m", 1, 1.0)])
    for other in ("sma(3)@1m", "sma(2)@1s"):
        with pytest.raises(Corrupt):
            Shelf([parse_spec(other)]).restore("A-USD.SIM", shelf.snapshot("A-USD.SIM"))
