"""Signals in the fold: recorded live, the same state in replay, tainting what they concern."""

from __future__ import annotations

import math
import random

import numpy as np

from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.envelope import Batch
from domain.market.decisions import BarClosed
from domain.market.observations import Trade
from domain.partition import MarketPartition
from domain.patterns.found import PatternFound
from domain.signals import Signals
from tests.builders import INSTRUMENT, PROVIDER, T0, a_quote, a_trade
from tests.patterns_set import random_walk

STEP_NS = NS_PER_S // 4


def prints(count: int, *, slip_at: int | None = None) -> list[Trade]:
    """A quiet walk, four trades a second; one print ten times too high."""
    rng, price, made = random.Random(7), 100.0, []
    for number in range(count):
        price *= math.exp(rng.gauss(0.0, 0.0002))
        shown = price * 10 if number == slip_at else price
        made.append(a_trade(round(shown, 2), size=1.0, ts=T0 + number * STEP_NS, trade_id=number + 1))
    return made


def waves(minutes: int) -> list[Trade]:
    """Up and down through one level again and again: double tops, resistance, channels."""
    rng = random.Random(3)
    prices = [100 + 4 * math.sin(minute / 9.0) + rng.gauss(0, 0.15) for minute in range(minutes)]
    return [
        a_trade(round(price, 3), ts=T0 + (minute * 60 + part * 20) * NS_PER_S, trade_id=4 * minute + part)
        for minute, price in enumerate(prices)
        for part in range(1, 3)
    ]


class Folded:
    """A partition fed batch by batch; `events` as the log would hold them."""

    def __init__(self) -> None:
        self.market = MarketPartition("market/00")
        self.batches: list = []
        self.events: list = []

    def feed(self, *events, clock: int | None = None):
        newest = max((event.ts_event for event in events), default=0)
        sequence = len(self.batches) + 1 if events else len(self.batches)
        admitted, told = self.market.observe(Batch(PROVIDER, 1, sequence, clock or newest, tuple(events)))
        if admitted is not None:
            self.batches.append((admitted, told))
            self.events += told
        return self

    def replayed(self) -> MarketPartition:
        market = MarketPartition("market/00")
        for admitted, told in self.batches:
            market.apply(admitted, told)
        return market

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


def test_a_decimal_slip_is_recorded_and_taints_its_bar() -> None:
    folded = Folded()
    for trade in prints(2400, slip_at=2000):
        folded.feed(trade)
    slip = next(found for found in folded.of(AnomalyFound) if found.anomaly == "decimal_slip")
    assert slip.verdict == "data_error" and slip.about == "2001"
    tainted = {bar.ts_event for bar in folded.of(BarClosed) if bar.tainted and bar.interval == "1m"}
    assert slip.ts_event // NS_PER_MIN * NS_PER_MIN in tainted


def test_replay_with_recorded_signals_ends_in_the_same_bytes() -> None:
    folded = Folded()
    for trade in prints(1500, slip_at=1200):
        folded.feed(trade, a_quote(trade.price - 0.01, trade.price + 0.01, ts=trade.ts_event))
    folded.feed(clock=T0 + 1500 * STEP_NS + NS_PER_MIN)
    assert folded.of(AnomalyFound)
    assert folded.replayed().snapshot() == folded.market.snapshot()
    restored = MarketPartition.restore(folded.market.snapshot())
    assert restored.snapshot() == folded.market.snapshot()


def test_silence_is_told_by_the_clock_alone_and_once() -> None:
    folded = Folded()
    for trade in prints(1200):
        folded.feed(trade)
    last = T0 + 1200 * STEP_NS
    for second in range(1, 300):
        folded.feed(clock=last + second * NS_PER_S)
    halts = [found for found in folded.of(AnomalyFound) if found.anomaly == "halt"]
    assert len(halts) == 1 and halts[0].instrument == INSTRUMENT
    assert folded.replayed().snapshot() == folded.market.snapshot()
    assert folded.market.next_deadline(PROVIDER) is None


def test_figures_are_found_in_closed_minutes_and_replay_alike() -> None:
    folded = Folded()
    for trade in waves(400):
        folded.feed(trade)
    figures = folded.of(PatternFound)
    assert {found.state for found in figures} >= {"forming", "confirmed"}
    starts = {bar.ts_event for bar in folded.of(BarClosed) if bar.interval == "1m"}
    assert {found.ts_event for found in figures} <= starts
    assert folded.replayed().snapshot() == folded.market.snapshot()


def test_where_the_clock_is_set_back_figures_end_and_no_number_is_used_twice() -> None:
    def bars(begin: int, count: int) -> list[BarClosed]:
        shapes = random_walk(count, np.random.default_rng(3)).tolist()
        return [
            BarClosed(PROVIDER, INSTRUMENT, T0 + (begin + place) * NS_PER_MIN, 0, "1m", *shape, 1.0, 1, None)
            for place, shape in enumerate(shapes)
        ]

    def figures(signals: Signals, seen: list[BarClosed]) -> list[PatternFound]:
        return [each for bar in seen for each in signals.on_bar(bar) if isinstance(each, PatternFound)]

    signals = Signals(INSTRUMENT)
    before = figures(signals, bars(5000, 300))
    after = figures(signals.begun_anew(), bars(0, 300))
    last = {each.figure: each.state for each in before}
    alive = {figure for figure, state in last.items() if state in ("forming", "confirmed")}
    assert {each.figure for each in after if each.reason == "clock"} == alive != set()
    assert {each.figure for each in after} & set(last) == alive
    assert len(after) > len(alive)


def test_signals_follow_what_made_them_known_in_the_log() -> None:
    folded = Folded()
    for trade in waves(400):
        folded.feed(trade)
    for place, event in enumerate(folded.events):
        if isinstance(event, PatternFound):
            before = [each for each in folded.events[:place] if isinstance(each, BarClosed)]
            assert max(bar.ts_event for bar in before if bar.interval == "1m") == event.ts_event


def test_a_silence_over_a_closed_market_asks_for_one_timer_and_is_no_halt() -> None:
    symbol, friday = "AAPL.US", 1_714_161_300 * NS_PER_S  # 2024-04-26 15:55 in New York
    market = MarketPartition("market/00")
    for number in range(1, 291):
        ts = friday + number * NS_PER_S
        trade = a_trade(100.0 + number % 2, ts=ts, trade_id=number, instrument=symbol)
        market.observe(Batch(PROVIDER, 1, number, ts, (trade,)))
    monday = friday + (2 * 24 + 18) * 3600 * NS_PER_S
    market.observe(Batch(PROVIDER, 1, 290, friday + 3600 * NS_PER_S, ()))
    assert market.next_deadline(PROVIDER) is None, "nothing is expected before it speaks again"
    restored = MarketPartition.restore(market.snapshot())
    for each in (market, restored):
        _, told = each.observe(Batch(PROVIDER, 1, 290, monday, ()))
        assert not [event for event in told if isinstance(event, AnomalyFound)]
        assert each.next_deadline(PROVIDER) is None
