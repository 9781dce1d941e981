"""The figures of a partition: grouping does not matter, snapshot + tail == full replay, to the bit."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Corrupt
from domain.indicators.armed import IndicatorArmed, IndicatorDisarmed, WarmBar
from domain.indicators.shelf import BarEvent, ChainState, Shelf
from domain.indicators.spec import parse_spec
from domain.indicators.streaming import Streaming
from domain.market.decisions import BarClosed, BarCorrected
from tests.builders import a_trade

SPECS = (("1m", "sma(3)"), ("1m", "rsi(2)"), ("1m", "macd(2,3,2).signal"), ("1s", "ema(2)"), ("1s", "obv"))
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


def cells(bar: BarEvent) -> WarmBar:
    return bar.ts_event, bar.open, bar.high, bar.low, bar.close, bar.volume


def armed(instrument: str, interval: str, *specs: str, bars: tuple[WarmBar, ...] = ()) -> IndicatorArmed:
    return IndicatorArmed("indicators", instrument, 0, 0, interval, specs, bars)


def a_shelf() -> Shelf:
    """B has all figures, A has all but one, C has one of each interval."""
    shelf = Shelf(depth=DEPTH)
    for number, (interval, spec) in enumerate(SPECS):
        for name, has in zip(INSTRUMENTS, (number != 1, True, number in (0, 3)), strict=True):
            if has:
                shelf.arm(armed(name, interval, spec))
    return shelf


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


def fold(shelf: Shelf, events: list[object], cuts: list[int]) -> Shelf:
    places = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        shelf.observe(events[begin:end])
    return shelf


def states(shelf: Shelf) -> list[bytes]:
    return [shelf.packed(name) for name in INSTRUMENTS]


@settings(max_examples=40, deadline=None)
@given(events=logs(), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_how_bars_are_grouped_makes_no_difference(events: list[object], cuts: list[int]) -> None:
    one, another = fold(a_shelf(), events, []), fold(a_shelf(), events, cuts)
    assert [one.newest(name) for name in INSTRUMENTS] == [another.newest(name) for name in INSTRUMENTS]
    assert states(one) == states(another)


@settings(max_examples=40, deadline=None)
@given(events=logs(), cut=st.integers(0, 90))
def test_a_snapshot_and_its_tail_equal_the_full_replay(events: list[object], cut: int) -> None:
    cut %= len(events) + 1
    begun, restored = fold(a_shelf(), events[:cut], []), Shelf(depth=DEPTH)
    for name in reversed(INSTRUMENTS):  # in other rows than they had
        restored.unpack(name, begun.packed(name))
    assert states(restored) == states(begun)
    whole = fold(a_shelf(), events, [])
    assert states(fold(restored, events[cut:], [])) == states(whole)
    assert restored.newest(INSTRUMENTS[1]) == whole.newest(INSTRUMENTS[1])


@settings(max_examples=30, deadline=None)
@given(events=logs())
def test_values_are_those_of_one_instrument_s_own_stream(events: list[object]) -> None:
    shelf = fold(a_shelf(), events, [])
    for name in INSTRUMENTS:
        for interval, specs in shelf.armed(name).items():
            for spec in specs:
                stream, last = Streaming(parse_spec(spec), depth=DEPTH), None
                for event in events:
                    if isinstance(event, BarEvent) and (event.instrument, event.interval) == (name, interval):
                        changes = stream.put(event.ts_event, cells(event)[1:])
                        last = changes[-1][1] if changes and changes[-1][0] == stream.newest else last
                value = None if last is None or last != last else last
                assert shelf.newest(name)[f"{spec}@{interval}"] == (stream.newest, value)


def test_a_figure_keeps_its_values_while_others_come_and_go() -> None:
    shelf, alone = Shelf(depth=DEPTH), Shelf(depth=DEPTH)
    for each in (shelf, alone):
        each.arm(armed("A-USD.SIM", "1m", "ema(3)"))
    for number in range(40):
        other = f"S{number % 7}-USD.SIM"
        if number % 3:
            shelf.arm(armed(other, "1m", "ema(3)", "sma(2)"))
        else:
            shelf.disarm(IndicatorDisarmed("indicators", other, 0, 0, "1m", ("ema(3)", "sma(2)")))
        for each in (shelf, alone):
            each.observe([a_bar(name, "1m", number, number % 5 + 1.0) for name in ("A-USD.SIM", other)])
    assert shelf.packed("A-USD.SIM") == alone.packed("A-USD.SIM")
    shelf.arm(armed("Z-USD.SIM", "1m", "ema(3)"))
    assert shelf.newest("Z-USD.SIM") == {"ema(3)@1m": (None, None)}, "a row given back is as new"


def test_outputs_of_one_figure_share_its_row() -> None:
    shelf = Shelf(depth=DEPTH)
    shelf.arm(armed("A-USD.SIM", "1m", "macd(2,3,2).signal", bars=tuple(warm_up(20))))
    before = shelf.newest("A-USD.SIM")
    shelf.arm(armed("A-USD.SIM", "1m", "macd(2,3,2)"))
    after = shelf.newest("A-USD.SIM")
    assert before.items() <= after.items() and after["macd(2,3,2)@1m"][1] is not None
    shelf.disarm(IndicatorDisarmed("indicators", "A-USD.SIM", 0, 0, "1m", ("macd(2,3,2).signal",)))
    assert shelf.newest("A-USD.SIM") == {"macd(2,3,2)@1m": after["macd(2,3,2)@1m"]}


def warm_up(count: int) -> list[WarmBar]:
    return [cells(a_bar("A-USD.SIM", "1m", number, number % 7 + 1.0)) for number in range(count)]


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 40), more=st.integers(0, 12), back=st.integers(0, DEPTH - 1))
def test_a_warm_up_is_as_good_as_having_seen_the_bars(count: int, more: int, back: int) -> None:
    seen, warmed = Shelf(depth=DEPTH), Shelf(depth=DEPTH)
    seen.arm(armed("A-USD.SIM", "1m", "obv", "sma(5)"))
    bars = [a_bar("A-USD.SIM", "1m", number, number % 7 + 1.0) for number in range(count + more)]
    seen.observe(bars[:count])
    warmed.arm(armed("A-USD.SIM", "1m", "obv", "sma(5)", bars=tuple(map(cells, bars[:count]))))
    for shelf in (seen, warmed):
        shelf.observe(bars[count:])
        if bars:
            shelf.observe([a_bar("A-USD.SIM", "1m", max(0, len(bars) - 1 - back), 3.5, BarCorrected)])
    assert warmed.newest("A-USD.SIM").keys() == seen.newest("A-USD.SIM").keys()
    for name, (start, value) in seen.newest("A-USD.SIM").items():
        found_start, found = warmed.newest("A-USD.SIM")[name]
        assert found_start == start and found == (None if value is None else pytest.approx(value, rel=1e-12))


def test_a_second_order_begins_with_the_bars_between_those_told_and_those_kept() -> None:
    """One traded minute in five, so that 120 parts make more 5m bars than are kept for corrections."""
    closes = [100.0 + number * 37 % 23 for number in range(300)]
    bars = tuple(cells(a_bar("A-USD.SIM", "1m", 5 * number, close)) for number, close in enumerate(closes))

    def order(*specs: str) -> IndicatorArmed:
        return IndicatorArmed("indicators", "A-USD.SIM", 0, 0, "5m", specs, bars[:180], bars[180:])

    at_once, in_turn = Shelf(depth=DEPTH), Shelf(depth=DEPTH)
    at_once.arm(order("sma(60)", "sma(61)"))
    in_turn.arm(order("sma(60)"))
    in_turn.arm(order("sma(61)"))
    assert in_turn.newest("A-USD.SIM") == at_once.newest("A-USD.SIM")
    assert in_turn.newest("A-USD.SIM")["sma(61)@5m"][1] == pytest.approx(sum(closes[-62:-1]) / 61)


def test_what_is_armed_twice_stays_as_it_is() -> None:
    shelf = fold(a_shelf(), [a_bar("A-USD.SIM", "1m", number, 2.0) for number in range(9)], [])
    before = states(shelf)
    shelf.arm(armed("A-USD.SIM", "1m", "sma(3)", bars=tuple(warm_up(5))))
    shelf.disarm(IndicatorDisarmed("indicators", "A-USD.SIM", 0, 0, "4h", ("sma(3)",)))
    assert states(shelf) == before


def test_many_instruments_grow_the_columns() -> None:
    shelf = Shelf()
    names = [f"S{each}-USD.SIM" for each in range(100)]
    for name in names:
        shelf.arm(armed(name, "1m", "sma(2)"))
    for number in range(2):
        shelf.observe([a_bar(name, "1m", number, float(each + number)) for each, name in enumerate(names)])
    found = [shelf.newest(name)["sma(2)@1m"] for name in names]
    assert found == [(NS_PER_MIN, each + 0.5) for each in range(100)]


def test_a_state_that_does_not_fit_is_refused() -> None:
    shelf = Shelf()
    shelf.arm(armed("A-USD.SIM", "1m", "sma(2)", bars=tuple(warm_up(3))))
    packed = shelf.packed("A-USD.SIM")
    (state,) = msgspec.msgpack.decode(packed, type=tuple[ChainState, ...])
    for changes in ({"specs": ("sma(3)",)}, {"specs": ("smo(2)",)}, {"starts": b""}, {"figures": ()}):
        spoilt = msgspec.msgpack.encode([msgspec.structs.replace(state, **changes)])
        with pytest.raises(Corrupt):
            Shelf().unpack("A-USD.SIM", spoilt)
    with pytest.raises(Corrupt):
        Shelf().unpack("A-USD.SIM", packed[:-1])
