"""One instrument's watch: witnesses, silence, frozen feeds, halts; live equals replay."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack
from msgspec.structs import replace

from domain.anomalies.found import AnomalyFound
from domain.anomalies.watch import Watch, WatchState
from domain.clock import NS_PER_S, parse_time
from domain.market.calendars import is_open
from domain.market.decisions import BarClosed
from domain.market.observations import Bar, Gap, InstrumentInfo, Quote, Ticker, Trade
from tests.builders import T0, a_bar, a_gap, a_quote, a_ticker, a_trade, an_info, at

Event = Trade | Quote | Ticker | Bar | Gap | InstrumentInfo
STEP_NS = NS_PER_S // 4


def put(watch: Watch, event: Event, clock: int) -> Sequence[AnomalyFound]:
    """As a keeper would."""
    if isinstance(event, Trade):
        return watch.on_trade(event, event.ts_event, clock)
    if isinstance(event, Quote):
        return watch.on_quote(event, event.ts_event, clock)
    if isinstance(event, Bar):
        return watch.on_bar(event, clock)
    if isinstance(event, Gap):
        return watch.on_gap(event, event.ts_event, clock)
    if isinstance(event, InstrumentInfo):
        return watch.on_info(event, event.ts_event, clock)
    return watch.on_ticker(event, event.ts_event, clock)


def timers(watch: Watch, clock: int) -> list[AnomalyFound]:
    found = list(watch.due(clock, clock))
    for each in found:
        watch.evolve(each)
    return found


class Scene:
    """A market with another provider; `price` and `others` may be bent from a second on."""

    def __init__(self, instrument: str = "BTC-USD.SIM", start: int = T0) -> None:
        self.watch = Watch(instrument)
        self.instrument = instrument
        self.start = start
        self.rng = random.Random(3)
        self.mid = 100.0
        self.found: list[AnomalyFound] = []

    def play(
        self,
        seconds: tuple[float, float],
        *,
        ours: float = 1.0,
        others: float | None = 1.0,
        frozen: bool = False,
        silent: bool = False,
    ) -> Scene:
        """Factors on what we say and what the other provider says; None: it says nothing."""
        stuck = self.mid
        for step in range(int(seconds[0] * 4), int(seconds[1] * 4)):
            clock = self.start + step * STEP_NS
            self.mid *= 1.0 + self.rng.gauss(0.0, 0.0001)
            price = round((stuck if frozen else self.mid) * ours, 4)
            self.found += timers(self.watch, clock)
            if not silent:
                size = 1.0 if frozen else self.rng.random() + 0.5
                self._put(a_quote(price - 0.01, price + 0.01, bid_size=size, ts=clock), clock)
                side = self.rng.choice(("buy", "sell"))
                self._put(a_trade(price, size, ts=clock, trade_id=step, side=side), clock)
            if others is not None and step % 4 == 0:
                self._put(a_ticker(self.mid * others * 1.002, ts=clock, provider="other"), clock)
        return self

    def _put(self, event: Any, clock: int) -> None:
        self.found += put(self.watch, replace(event, instrument=self.instrument), clock)

    def told(self) -> list[tuple[str, str]]:
        return [(each.anomaly, each.verdict) for each in self.found]


def test_a_move_that_others_make_too_is_the_market_and_one_they_deny_an_error() -> None:
    for others, verdict in ((0.9, "market_event"), (1.0, "data_error")):
        scene = Scene().play((0, 100)).play((100, 110), ours=0.9, others=others)
        assert scene.told() == [("price_spike", verdict)]
        assert scene.found[0].ts_event == at(100)
        assert scene.found[0].about == "400"


def test_a_split_that_others_do_not_see_is_an_error_and_one_all_see_the_market() -> None:
    assert Scene().play((0, 100)).play((100, 120), ours=0.25).told() == [("split", "data_error")]
    both = Scene().play((0, 100)).play((100, 120), ours=0.25, others=0.25)
    assert both.told() == [("price_spike", "market_event")]


def test_a_slip_against_fresh_quotes_is_known_at_once() -> None:
    scene = Scene().play((0, 100))
    clock = at(100)
    found = put(scene.watch, a_trade(10 * scene.mid, ts=clock, trade_id="slip"), clock)
    assert [(each.anomaly, each.verdict, each.about) for each in found] == [
        ("decimal_slip", "data_error", "slip")
    ]
    assert found[0].taints and 0.9 < found[0].severity <= 1.0


def test_a_feed_that_repeats_itself_is_frozen_unless_the_others_rest_too() -> None:
    frozen = Scene().play((0, 100)).play((100, 140), frozen=True)
    assert frozen.told() == [("frozen_feed", "data_error")]
    assert dict(frozen.found[0].evidence)["providers_moving"] == 1.0
    assert Scene().play((0, 100)).play((100, 140), frozen=True, others=None).told() == [
        ("frozen_feed", "data_error")
    ]
    calm = Scene().play((0, 100))
    calm.rng = random.Random()
    calm.rng.gauss = lambda *_: 0.0  # type: ignore[method-assign,assignment,misc]
    assert calm.play((100, 140), frozen=True).told() == []


@pytest.mark.parametrize(
    ("others", "expected"), [(1.0, ("frozen_feed", "data_error")), (None, ("halt", "market_event"))]
)
def test_silence_is_a_dead_feed_while_others_speak_and_a_halt_when_all_stop(
    others: float | None, expected: tuple[str, str]
) -> None:
    scene = Scene().play((0, 100)).play((100, 160), silent=True, others=others)
    assert scene.told() == [expected]
    assert at(108) < scene.found[0].ts_recv < at(112)
    assert scene.play((160, 200)).told() == [expected]


def test_silence_without_any_other_provider_is_unclear() -> None:
    assert Scene().play((0, 100), others=None).play((100, 130), silent=True, others=None).told() == [
        ("halt", "unclear")
    ]


def test_a_closed_session_is_no_halt_and_no_frozen_feed() -> None:
    """New York closes at 21:00 UTC in winter."""
    closing = parse_time("2026-01-05T20:58:20Z")
    scene = Scene("AAPL.XNAS", closing).play((0, 100)).play((100, 400), silent=True, others=None)
    assert scene.told() == []
    earlier = parse_time("2026-01-05T19:58:20Z")
    scene = Scene("AAPL.XNAS", earlier).play((0, 100)).play((100, 400), silent=True, others=None)
    assert [kind for kind, _ in scene.told()] == ["halt"]


def test_a_lost_connection_of_ours_is_no_anomaly() -> None:
    scene = Scene().play((0, 100))
    assert put(scene.watch, a_gap("feed", ts=at(100)), at(100)) == ()
    assert scene.watch.next_deadline() is None
    assert scene.play((100, 200), silent=True).told() == []


def test_a_connection_restored_does_not_make_the_time_without_it_a_silence() -> None:
    scene = Scene().play((0, 100))
    put(scene.watch, a_gap("feed", ts=at(100)), at(100))
    put(scene.watch, a_gap("feed", ts=at(200), opened=False), at(200))
    assert timers(scene.watch, at(201)) == [], "nothing is expected before it has spoken again"
    assert scene.play((201, 203)).watch.next_deadline() is not None


def test_a_halt_that_the_venue_states_is_told_once() -> None:
    watch = Watch("BTC-USD.SIM")
    stated = a_gap("book", reason="halted")
    assert [(each.anomaly, each.verdict) for each in put(watch, stated, T0)] == [("halt", "market_event")]
    assert put(watch, replace(an_info(), status="halted"), T0) == ()
    assert put(watch, an_info(), T0) == ()
    assert len(put(watch, replace(an_info(), status="halted"), T0)) == 1


@pytest.mark.parametrize(
    ("instrument", "time", "expected"),
    [
        ("AAPL.XNAS", "2026-03-09T13:30:00Z", True),  # summer time since 2026-03-08
        ("AAPL.XNAS", "2026-03-06T13:30:00Z", False),
        ("AAPL.XNAS", "2026-03-06T14:30:00Z", True),
        ("AAPL.XNAS", "2026-11-02T20:59:59Z", True),  # winter time since 2026-11-01
        ("AAPL.XNAS", "2026-11-02T21:00:00Z", False),
        ("AAPL.XNAS", "2026-01-03T15:00:00Z", False),
        ("EUR-USD.FX", "2026-01-02T21:59:00Z", True),
        ("EUR-USD.FX", "2026-01-02T22:00:00Z", False),
        ("EUR-USD.FX", "2026-01-04T21:59:00Z", False),
        ("EUR-USD.FX", "2026-01-04T22:00:00Z", True),
        ("BTC-USD.COINBASE", "2026-01-03T03:00:00Z", True),
    ],
)
def test_sessions(instrument: str, time: str, expected: bool) -> None:
    assert is_open(instrument, parse_time(time)) is expected


def a_built_bar(minute: int, volume: float) -> BarClosed:
    return BarClosed(
        provider="sim", instrument="BTC-USD.SIM", ts_event=at(60 * minute), ts_recv=at(60 * minute + 61),
        interval="1m", open=100.0, high=100.1, low=99.9, close=100.0 + minute % 3 / 100, volume=volume,
        trades=10, vwap=100.0,
    )  # fmt: skip


def test_of_bars_built_from_trades_only_the_volume_is_news() -> None:
    watch = Watch("BTC-USD.SIM")
    for minute in range(60):
        assert watch.on_bar(a_built_bar(minute, 10.0 + minute % 7), T0) == []
    assert watch.on_bar(replace(a_built_bar(60, 500.0), interval="1s"), T0) == ()
    assert watch.on_bar(a_built_bar(59, 500.0), T0) == ()
    found = watch.on_bar(a_built_bar(60, 500.0), T0)
    assert [(each.anomaly, each.ts_event) for each in found] == [("volume_surge", at(3600))]
    slipped = replace(a_built_bar(61, 10.0), high=1001.0, close=1000.0)
    assert not [*watch.on_bar(slipped, T0), *watch.on_bar(a_built_bar(62, 10.0), T0)]


def test_of_a_providers_bars_every_anomaly_is() -> None:
    watch = Watch("BTC-USD.SIM")
    closes = [100.0 + minute % 5 / 50 for minute in range(60)] + [1000.0, 100.0]
    found = [
        each
        for minute, close in enumerate(closes)
        for each in watch.on_bar(a_bar(close, ts=at(60 * minute)), T0)
    ]
    assert [(each.anomaly, each.ts_event) for each in found] == [("decimal_slip", at(3600))]
    assert watch.on_bar(a_bar(5.0, ts=at(9000), closed=False), T0) == ()


prices = st.sampled_from((99.9, 100.0, 100.0, 100.1, 100.2, 25.0, 1000.0, 1e-320, 9e99, -1.0, float("nan")))
sizes = st.sampled_from((0.0, 1.0, 1.0, 2.0, 1e4))
sides = st.sampled_from(("buy", "sell", None))
spreads = st.sampled_from((-0.1, 0.0, 0.1, 5.0))
names = st.sampled_from(("sim", "x", "y"))
channels, reasons = st.sampled_from(("feed", "book")), st.sampled_from(("halted", "lost"))
makers: tuple[st.SearchStrategy[Callable[[int], Event]], ...] = (
    st.builds(lambda p, s, d: lambda ts: a_trade(p, s, ts=ts, side=d), prices, sizes, sides),
    st.builds(lambda p, w, s: lambda ts: a_quote(p, p + w, ts=ts, bid_size=s), prices, spreads, sizes),
    st.builds(lambda p, n: lambda ts: a_ticker(p, ts=ts, provider=n), prices, names),
    st.builds(lambda p: lambda ts: a_bar(p, ts=ts), prices),
    st.builds(
        lambda c, o, r: lambda ts: a_gap(c, opened=o, reason=r, ts=ts), channels, st.booleans(), reasons
    ),
)
gaps_ns = st.sampled_from((0, NS_PER_S // 10, NS_PER_S, 2 * NS_PER_S, 40 * NS_PER_S))
happenings = st.lists(st.tuples(gaps_ns, st.one_of(*makers)), max_size=60)


@settings(max_examples=30, deadline=None)
@given(happenings, st.integers(0, 70))
def test_replay_and_restored_state_equal_live(
    tail: list[tuple[int, Callable[[int], Event]]], calm: int
) -> None:
    """Live decides; replay applies what was recorded; a third is put down and taken up at each step."""
    live = Scene().play((0, calm)).watch
    packed = msgpack.encode(live.snapshot())
    replayed = Watch.restored(msgpack.decode(packed, type=WatchState))
    carried = Watch.restored(msgpack.decode(packed, type=WatchState))
    clock = at(calm)
    for gap, make in tail:
        clock += gap
        decided, again = timers(live, clock), timers(carried, clock)
        for each in decided:
            replayed.evolve(each)
        event = make(clock)
        found = put(live, event, clock)
        assert put(carried, event, clock) == found and again == decided
        put(replayed, event, clock)
        packed = msgpack.encode(live.snapshot())
        assert msgpack.encode(replayed.snapshot()) == packed == msgpack.encode(carried.snapshot())
        carried = Watch.restored(msgpack.decode(packed, type=WatchState))
        for each in found:
            assert msgpack.decode(msgpack.encode(each), type=AnomalyFound) == each
