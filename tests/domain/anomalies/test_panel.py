"""The providers of a reference instrument, each judged by the others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from domain.anomalies.found import AnomalyFound
from domain.anomalies.watch import Watch, WatchState
from domain.clock import NS_PER_MS, NS_PER_S, parse_time
from domain.market.observations import Ticker
from tests.builders import T0, a_gap, at

BTC = "BTC-USD.CRYPTO"
BIAS = {"binance": 1.001, "coinbase": 1.0, "kraken": 0.9995}


class Scene:
    """Three providers of one price, each sampled once a second a few ms apart, each with its own bias."""

    def __init__(
        self, instrument: str = BTC, start: int = T0, providers: Sequence[str] = tuple(BIAS)
    ) -> None:
        self.watch = Watch(instrument)
        self.instrument = instrument
        self.start = start
        self.providers = providers
        self.rng = random.Random(5)
        self.price = 100.0
        self.found: list[AnomalyFound] = []
        self.stuck: dict[str, float] = {}

    def play(
        self,
        begin: int,
        end: int,
        factors: Mapping[str, float] | float = 1.0,
        *,
        silent: Sequence[str] = (),
        frozen: Sequence[str] = (),
    ) -> Scene:
        """Seconds [begin, end) with a factor for all, or per provider (others 1)."""
        for second in range(begin, end):
            self.price *= 1.0 + self.rng.gauss(0.0, 0.0001)
            for place, name in enumerate(self.providers):
                if name in silent:
                    continue
                factor = factors if isinstance(factors, float) else factors.get(name, 1.0)
                price = round(self.price * BIAS[name] * factor, 4)
                price = self.stuck.setdefault(name, price) if name in frozen else price
                self.say(name, price, self.start + second * NS_PER_S + place * 20 * NS_PER_MS)
        return self

    def say(self, provider: str, price: float, ts: int) -> None:
        ticker = Ticker(provider=provider, instrument=self.instrument, ts_event=ts, ts_recv=ts, last=price)
        self.found += self.watch.on_ticker(ticker, ts, ts)

    def told(self) -> list[tuple[str, str, str]]:
        return [(each.provider, each.anomaly, each.verdict) for each in self.found]


def calm(**options: object) -> Scene:
    return Scene(**options).play(0, 100)  # type: ignore[arg-type]


def test_a_calm_market_with_biased_providers_is_quiet() -> None:
    assert calm().play(100, 1000).told() == []


@pytest.mark.parametrize("seconds", [1, 3, 30])
def test_a_lone_move_is_the_error_of_the_one_that_made_it(seconds: int) -> None:
    scene = calm().play(100, 100 + seconds, {"coinbase": 0.97}).play(100 + seconds, 180)
    assert scene.told() == [("coinbase", "price_spike", "data_error")]
    (found,) = scene.found
    evidence = dict(found.evidence)
    assert found.ts_event == at(100.02) and at(103) <= found.ts_recv < at(105)
    assert (evidence["providers_confirm"], evidence["providers_deny"]) == (0.0, 2.0)
    assert evidence["return"] == pytest.approx(-0.0305, abs=1e-3)
    assert abs(evidence["return.binance"]) < 0.001 and abs(evidence["return.kraken"]) < 0.001
    assert evidence["others_price"] == pytest.approx(evidence["before"], rel=0.002)
    assert found.taints and "usual_size" not in evidence


def test_a_decimal_slip_and_a_split_that_nobody_else_sees_are_named() -> None:
    slip = calm().play(100, 102, {"kraken": 10.0}).play(102, 140)
    assert slip.told() == [("kraken", "decimal_slip", "data_error")]
    assert calm().play(100, 140, {"kraken": 0.25}).told() == [("kraken", "split", "data_error")]


@pytest.mark.parametrize("seconds", [2, 60])
def test_a_move_of_all_is_the_market_and_told_once(seconds: int) -> None:
    scene = calm().play(100, 100 + seconds, 0.95).play(100 + seconds, 155)
    assert [found[1:] for found in scene.told()] == [("price_spike", "market_event")]
    assert dict(scene.found[0].evidence)["providers_confirm"] == 2.0


def test_two_of_three_are_most() -> None:
    scene = calm().play(100, 150, {"binance": 0.95, "kraken": 0.95})
    assert [found[1:] for found in scene.told()] == [("price_spike", "market_event")]
    state = scene.watch.consensus()
    assert state is not None and state.deviating == ("coinbase",)


def test_a_provider_that_comes_late_is_no_second_event() -> None:
    late = calm().play(100, 102, {"binance": 0.95, "kraken": 0.95}).play(102, 160, 0.95)
    assert [found[1:] for found in late.told()] == [("price_spike", "market_event")]
    very_late = calm().play(100, 190, {"binance": 0.95, "kraken": 0.95}).play(190, 230, 0.95)
    assert [found[1:] for found in very_late.told()] == [("price_spike", "market_event")]


def test_the_end_of_an_error_is_no_other_one() -> None:
    scene = calm().play(100, 400, {"coinbase": 0.97}).play(400, 460)
    assert scene.told() == [("coinbase", "price_spike", "data_error")]


def test_of_one_provider_alone_nothing_is_said() -> None:
    scene = calm(providers=("kraken",)).play(100, 110, 0.9).play(110, 160)
    assert scene.told() == []
    state = scene.watch.consensus()
    assert state is not None and (state.fresh, state.confidence) == (1, 1.0)


def test_a_silent_provider_is_told_once_while_the_others_move() -> None:
    scene = calm().play(100, 200, silent=("kraken",))
    assert scene.told() == [("kraken", "frozen_feed", "data_error")]
    evidence = dict(scene.found[0].evidence)
    assert (evidence["providers_moving"], evidence["silence_s"]) == (2.0, pytest.approx(10.96))
    state = scene.watch.consensus()
    assert state is not None and state.stale == ("kraken",) and state.confidence == pytest.approx(2 / 3)
    assert scene.play(200, 260).play(260, 300, silent=("kraken",)).told() == scene.told()[:1] * 2


def test_a_silence_of_all_is_nobodys_error() -> None:
    everybody = tuple(BIAS)
    assert calm().play(100, 300, silent=everybody).play(300, 330).told() == []


def test_a_provider_that_repeats_itself_is_frozen_while_the_others_move() -> None:
    assert calm().play(100, 140, frozen=("binance",)).told() == [("binance", "frozen_feed", "data_error")]
    assert calm().play(100, 140, frozen=tuple(BIAS)).told() == []


def test_our_own_lost_connection_is_not_the_providers_silence() -> None:
    scene = calm()
    gap = a_gap("feed", ts=at(100), instrument=BTC, provider="kraken")
    assert scene.watch.on_gap(gap, at(100), at(100)) == ()
    assert scene.play(100, 200, silent=("kraken",)).play(200, 300).told() == []
    assert scene.play(300, 340, silent=("kraken",)).told() == [("kraken", "frozen_feed", "data_error")]


def test_after_the_close_nobody_has_to_speak() -> None:
    closing = parse_time("2026-01-05T20:58:20Z")
    for start, told in ((closing, 0), (closing - 3600 * NS_PER_S, 1)):
        scene = Scene("AAPL.US", start).play(0, 99).play(99, 200, silent=("kraken",))
        assert len(scene.told()) == told


def test_a_provider_of_another_time_is_not_missed() -> None:
    scene = calm(providers=("kraken",))
    scene.providers = ("binance", "coinbase")
    assert scene.play(100_000, 100_100).told() == []


def test_what_is_no_price_is_the_providers_error() -> None:
    scene = calm()
    scene.say("kraken", 0.0, at(100))
    assert scene.told() == [("kraken", "bad_value", "data_error")]


def test_where_ids_contain_the_venue_nobody_sits_on_a_panel() -> None:
    scene = Scene("BTC-USD.KRAKEN").play(0, 100).play(100, 110, {"kraken": 0.9})
    assert scene.told() == [] and scene.watch.consensus() is None and scene.watch.panel is None


def test_sixteen_providers_are_heard_and_no_more() -> None:
    scene = Scene()
    for number in range(20):
        scene.say(f"provider{number}", 100.0, at(number))
    state = scene.watch.snapshot()
    assert state.panel is not None and len(state.panel.panelists) == 16 == len(scene.watch.reference)


prices = st.sampled_from((99.9, 100.0, 100.1, 100.2, 97.0, 25.0, 1000.0, 0.0, float("nan")))
samples = st.tuples(st.sampled_from((0, 0, 1, 1, 3, 20)), st.sampled_from(tuple(BIAS)), prices)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 80), st.lists(samples, max_size=60))
def test_a_panel_put_down_and_taken_up_says_the_same(warm: int, tail: list[tuple[int, str, float]]) -> None:
    live = Scene().play(0, warm)
    ts = at(warm)
    for seconds, provider, price in tail:
        ts += seconds * NS_PER_S
        packed = msgpack.encode(live.watch.snapshot())
        carried = Scene()
        carried.watch = Watch.restored(msgpack.decode(packed, type=WatchState))
        assert msgpack.encode(carried.watch.snapshot()) == packed
        before = len(live.found)
        live.say(provider, price, ts)
        carried.say(provider, price, ts)
        assert carried.found == live.found[before:]
        assert msgpack.encode(carried.watch.snapshot()) == msgpack.encode(live.watch.snapshot())
