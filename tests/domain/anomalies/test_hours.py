"""Around the edges of trading: sessions that open and close, holidays, halts and what comes after them."""

from __future__ import annotations

import math
import random

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from domain.anomalies.found import AnomalyFound
from domain.anomalies.watch import Watch, WatchState
from domain.clock import NS_PER_S, format_time, parse_time
from tests.builders import a_bar, a_gap, a_quote, a_trade, an_info
from tests.domain.anomalies.test_watch import Event, put, timers


class Market:
    """A stock's trades and quotes at random times; `found` is what was told."""

    def __init__(self, instrument: str = "AAPL.XNAS", *, quotes: bool = True) -> None:
        self.watch = Watch(instrument)
        self.instrument = instrument
        self.rng = random.Random(1)
        self.price = 100.0
        self.quotes = quotes
        self.found: list[AnomalyFound] = []

    def put(self, event: Event, ts: int) -> Market:
        self.found += timers(self.watch, ts)
        self.found += put(self.watch, replace(event, instrument=self.instrument), ts)
        return self

    def trade(
        self, start: str, seconds: float, rate: float, *, sigma: float = 1e-4, spread: float = 0.02
    ) -> Market:
        """From a time on, so many a second; `sigma`: log move of a second."""
        ts = parse_time(start)
        until = ts + int(seconds * NS_PER_S)
        while (ts := ts + int(self.rng.expovariate(rate) * NS_PER_S)) < until:
            self.price *= math.exp(self.rng.gauss(0.0, sigma / math.sqrt(rate)))
            self._quote(ts, spread, 100.0 * self.rng.randint(1, 20))
            side = self.rng.choice(("buy", "sell"))
            size = 100.0 * self.rng.lognormvariate(0.0, 0.8)
            self.put(a_trade(round(self.price, 2), size, ts=ts, trade_id=ts, side=side), ts)
        return self

    def repeat(self, start: str, seconds: int) -> Market:
        """One and the same quote, every second."""
        ts = parse_time(start)
        for second in range(seconds):
            self._quote(ts + second * NS_PER_S, 0.02, 100.0)
        return self

    def jump(self, time: str, move: float, size: float = 200_000.0) -> Market:
        """One large print at another price, like an auction's."""
        self.price *= math.exp(move)
        ts = parse_time(time)
        return self.put(a_trade(round(self.price, 2), size, ts=ts, trade_id=ts, side=None), ts)

    def wait(self, until: str) -> Market:
        self.found += timers(self.watch, parse_time(until))
        return self

    def told(self) -> list[tuple[str, str, str]]:
        """(kind, class, minute it is about) since last asked."""
        told = [
            (each.anomaly, each.verdict, format_time(each.ts_event)[8:16].replace("T", " "))
            for each in self.found
        ]
        self.found = []
        return told

    def _quote(self, ts: int, spread: float, size: float) -> None:
        if self.quotes:
            price = round(self.price, 2)
            self.put(a_quote(price - spread / 2, price + spread / 2, bid_size=size, ts=ts), ts)


def a_morning(instrument: str = "AAPL.XNAS", *, quotes: bool = True) -> Market:
    """Twenty minutes up to the early close of 2026-11-27, the day after Thanksgiving: 18:00 UTC."""
    market = Market(instrument, quotes=quotes).trade("2026-11-27T17:40:00Z", 1200, 4)
    assert market.told() == []
    return market


def test_silence_after_an_early_close_is_no_halt_and_no_frozen_feed() -> None:
    assert a_morning().wait("2026-11-27T18:30:00Z").told() == []
    assert a_morning().wait("2026-11-30T14:29:00Z").told() == []


def test_a_stock_that_falls_silent_before_the_early_close_is_still_told() -> None:
    silent = Market().trade("2026-11-27T17:30:00Z", 1200, 4).wait("2026-11-27T17:55:00Z")
    assert silent.told() == [("halt", "unclear", "27 17:49")]


def test_a_currency_is_silent_on_christmas_day_and_a_coin_is_not() -> None:
    """The currencies' day of the 25th begins on the 24th at 17:00 New York, 22:00 UTC."""
    for instrument, told in (
        ("EUR-USD.FX", []),
        ("BTC-USD.COINBASE", [("halt", "unclear", "24 21:59")]),
    ):
        market = Market(instrument).trade("2026-12-24T21:40:00Z", 1200, 4).wait("2026-12-24T22:30:00Z")
        assert market.told() == told


def test_a_quote_repeated_all_holiday_is_no_frozen_feed_and_one_repeated_in_a_session_is() -> None:
    """Thanksgiving is the 26th; regular trading begins on the 27th at 14:30 UTC."""
    market = Market().trade("2026-11-25T20:40:00Z", 1200, 4).repeat("2026-11-25T21:00:00Z", 600)
    market.repeat("2026-11-26T15:00:00Z", 600).repeat("2026-11-27T14:20:00Z", 605)
    assert market.told() == [], "five seconds into the session the rest before it does not count"
    market.repeat("2026-11-27T14:30:05Z", 120)
    assert market.told() == [("frozen_feed", "data_error", "27 14:30")]


def test_a_run_of_repeats_does_not_reach_over_the_night() -> None:
    market = Market().trade("2026-11-24T20:40:00Z", 1185, 4).repeat("2026-11-24T20:59:46Z", 13)
    market.told()
    assert market.repeat("2026-11-25T14:30:00Z", 3).told() == []


def test_hours_outside_the_session_are_no_habit_of_it() -> None:
    """A trade every five minutes before the opening would excuse half an hour of silence after it."""
    market = Market().trade("2026-11-25T20:40:00Z", 1199, 4)
    market.trade("2026-11-27T09:00:00Z", 5 * 3600, 1 / 300, sigma=1e-5)
    market.trade("2026-11-27T14:30:00Z", 300, 4).wait("2026-11-27T14:40:00Z")
    assert market.told() == [("halt", "unclear", "27 14:34")]


@pytest.mark.parametrize("quotes", [True, False])
def test_the_opening_auction_is_no_spike_and_no_large_trade(quotes: bool) -> None:
    market = Market(quotes=quotes).trade("2026-11-25T20:40:00Z", 1200, 4)
    market.trade("2026-11-27T13:30:00Z", 3600, 0.3, sigma=3e-5, spread=0.2)
    market.jump("2026-11-27T14:30:00.2Z", 0.03)
    market.trade("2026-11-27T14:30:00.3Z", 600, 12, sigma=4e-4, spread=0.06)
    assert market.told() == []


def test_the_same_jump_an_hour_later_is_a_spike() -> None:
    market = Market().trade("2026-11-27T14:30:00Z", 1800, 4).jump("2026-11-27T15:00:00.2Z", 0.03)
    market.trade("2026-11-27T15:00:00.3Z", 60, 12, sigma=4e-4)
    assert market.told() == [("price_spike", "market_event", "27 15:00")]


def test_an_opening_at_a_tenth_or_ten_times_the_price_is_still_an_error() -> None:
    for factor in (0.1, 10.0):
        market = Market().trade("2026-11-25T20:40:00Z", 1200, 4)
        market.trade("2026-11-27T14:30:00Z", 5, 4).told()
        ts = parse_time("2026-11-27T14:30:06Z")
        market.put(a_trade(market.price * factor, 100.0, ts=ts, trade_id="x"), ts)
        market.trade("2026-11-27T14:30:06.1Z", 20, 4)
        assert market.told() == [("decimal_slip", "data_error", "27 14:30")]


@pytest.mark.parametrize("move", [-0.05, 0.12])
def test_the_first_trade_after_a_weekend_is_no_outlier(move: float) -> None:
    market = Market().trade("2026-11-27T17:40:00Z", 1200, 4).jump("2026-11-30T14:30:00.2Z", move)
    market.trade("2026-11-30T14:30:00.3Z", 600, 12, sigma=4e-4, spread=0.06)
    assert market.told() == []


def test_the_closing_auction_and_thin_quotes_after_it_are_no_anomaly() -> None:
    market = a_morning().jump("2026-11-27T18:00:00.1Z", 0.001)
    market.trade("2026-11-27T18:00:10Z", 600, 0.5, sigma=3e-5, spread=0.4)
    assert market.told() == []


def test_a_wrong_price_after_hours_is_still_told() -> None:
    market = a_morning().trade("2026-11-27T18:00:10Z", 60, 2)
    ts = parse_time("2026-11-27T18:01:11Z")
    market.put(a_trade(10 * market.price, 100.0, ts=ts, trade_id="x"), ts)
    assert market.told() == [("decimal_slip", "data_error", "27 18:01")]


def halted(market: Market, time: str) -> Market:
    ts = parse_time(time)
    return market.put(a_gap("book", reason="halted", ts=ts), ts)


@pytest.mark.parametrize("stated", [True, False])
def test_trading_that_resumes_after_a_halt_at_another_price_is_part_of_the_halt(stated: bool) -> None:
    market = Market().trade("2026-11-30T15:00:00Z", 600, 4)
    if stated:
        halted(market, "2026-11-30T15:10:00Z")
    market.wait("2026-11-30T15:15:00Z").jump("2026-11-30T15:15:00.1Z", 0.08)
    market.trade("2026-11-30T15:15:00.2Z", 300, 8, sigma=3e-4)
    assert [told[:2] for told in market.told()] == [("halt", "market_event" if stated else "unclear")]


def test_a_stated_halt_does_not_make_silence_a_habit() -> None:
    market = halted(Market().trade("2026-11-30T15:00:00Z", 600, 4), "2026-11-30T15:10:00Z")
    market.trade("2026-11-30T15:15:00Z", 60, 4).told()
    assert market.wait("2026-11-30T15:17:00Z").told() == [("halt", "unclear", "30 15:15")]


def test_a_connection_of_ours_that_was_lost_does_not_make_silence_a_habit() -> None:
    market = Market("BTC-USD.SIM").trade("2026-11-30T15:00:00Z", 600, 4)
    ts = parse_time("2026-11-30T15:10:00Z")
    market.put(a_gap("feed", ts=ts), ts).trade("2026-11-30T15:15:00Z", 60, 4).told()
    assert market.wait("2026-11-30T15:17:00Z").told() == [("halt", "unclear", "30 15:15")]


def test_an_instrument_that_is_said_to_trade_again_has_its_usual_time_to_speak() -> None:
    market = halted(Market().trade("2026-11-30T15:00:00Z", 600, 4), "2026-11-30T15:10:00Z")
    ts = parse_time("2026-11-30T15:15:00Z")
    market.put(replace(an_info(), status="trading", ts_event=ts), ts).told()
    assert market.wait("2026-11-30T15:15:05Z").told() == []
    assert market.wait("2026-11-30T15:16:00Z").told() == [("halt", "unclear", "30 15:09")]


def test_the_volume_of_the_first_and_last_minute_is_no_surge_and_that_of_another_is() -> None:
    """Regular hours of 2026-11-30 are 14:30 to 21:00 UTC."""
    for minute, told in ((0, []), (389, []), (390, []), (200, ["volume_surge"])):
        watch = Watch("AAPL.XNAS")
        rng = random.Random(minute)
        start = parse_time("2026-11-30T14:30:00Z") + (minute - 120) * 60 * NS_PER_S
        for number in range(121):
            volume = 1_000_000.0 if number == 120 else 1_000.0 + rng.random() * 500
            close = 100.0 + rng.random() / 10
            bar = a_bar(close, volume=volume, ts=start + number * 60 * NS_PER_S)
            found = put(watch, replace(bar, instrument="AAPL.XNAS"), start)
            assert number == 120 or not found
        assert [each.anomaly for each in found if each.anomaly != "price_spike"] == told


def test_a_watch_put_down_within_a_halt_goes_on_as_if_it_had_not() -> None:
    market = halted(Market().trade("2026-11-30T15:00:00Z", 600, 4), "2026-11-30T15:10:00Z")
    ts = parse_time("2026-11-30T15:12:00Z")
    market.put(replace(an_info(), status="trading", ts_event=ts), ts)
    state = msgpack.encode(market.watch.snapshot())
    other = Market()
    other.watch = Watch.restored(msgpack.decode(state, type=WatchState))
    other.price, other.rng = market.price, random.Random(2)
    market.rng = random.Random(2)
    market.told()
    for each in (market, other):
        each.wait("2026-11-30T15:12:04Z").jump("2026-11-30T15:12:05Z", 0.08)
        each.trade("2026-11-30T15:12:06Z", 60, 4)
    assert market.told() == other.told() == []
    assert market.watch.snapshot() == other.watch.snapshot()
