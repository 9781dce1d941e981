"""Kinds of stream that fall silent beside others that go on."""

from __future__ import annotations

from actors.feeds.base import Silence
from actors.feeds.silence import CHECK_NS, SILENT_S, StreamWatch, limits_s
from domain.clock import NS_PER_S, parse_time

NOW = parse_time("2026-01-01T00:00:00Z")
LIMITS = {"trades": 30.0, "book": 10.0}


def watching() -> StreamWatch:
    watch = StreamWatch()
    watch.expect(1, LIMITS, NOW)
    return watch


def told(watch: StreamWatch, second: float) -> list[Silence]:
    return watch.check(NOW + int(second * NS_PER_S))


def hear(watch: StreamWatch, channel: str, second: float) -> None:
    watch.heard(1)[channel] = NOW + int(second * NS_PER_S)


def test_a_channel_that_never_spoke_is_told_of_once_though_others_go_on() -> None:
    watch = watching()
    for second in range(1, 30):
        hear(watch, "book", second)
        assert told(watch, second) == []
    hear(watch, "book", 31)
    assert told(watch, 31) == [Silence(1, "trades", 31.0)]
    hear(watch, "book", 40)
    assert told(watch, 40) == []


def test_a_channel_that_is_heard_again_is_told_of_once() -> None:
    watch = watching()
    hear(watch, "trades", 31)
    assert told(watch, 31) == [Silence(1, "book", 31.0)]
    hear(watch, "book", 32)
    assert told(watch, 33) == [Silence(1, "book", 1.0, ended=True)]
    assert told(watch, 35) == []
    assert told(watch, 50) == [Silence(1, "book", 18.0)]


def test_a_renewed_subscription_does_not_hide_a_silence() -> None:
    watch = watching()
    watch.expect(1, LIMITS, NOW + 9 * NS_PER_S)
    assert told(watch, 11) == [Silence(1, "book", 11.0)]


def test_a_lost_connection_is_not_silent_and_begins_again_when_it_is_subscribed() -> None:
    watch = watching()
    assert len(told(watch, 31)) == 2
    watch.closed(1)
    assert told(watch, 100) == []
    watch.expect(1, LIMITS, NOW + 100 * NS_PER_S)
    assert told(watch, 105) == []
    assert told(watch, 111) == [Silence(1, "book", 11.0)]


def test_connections_are_told_apart_and_what_nobody_expects_is_not_watched() -> None:
    watch = watching()
    watch.expect(2, {"trades": 5.0}, NOW)
    watch.heard(3)["quotes"] = NOW
    assert told(watch, 6) == [Silence(2, "trades", 6.0)]


def test_silence_is_looked_for_once_a_second() -> None:
    watch = watching()
    assert watch.check(NOW + 10 * NS_PER_S) == []
    assert watch.check(NOW + 10 * NS_PER_S + CHECK_NS - 1) == []
    assert len(watch.check(NOW + 10 * NS_PER_S + CHECK_NS)) == 1


def test_prices_of_a_lone_instrument_may_be_as_quiet_as_its_trades() -> None:
    channels = ("trades", "quotes", "ticker", "book")
    assert limits_s(channels, 1, 0.0) == {"trades": 300.0, "quotes": 300.0, "ticker": 300.0, "book": 60.0}
    assert limits_s(channels, 2, 0.0) == {each: SILENT_S[each] for each in channels}
    assert limits_s(("quotes", "book"), 2, 0.0, per_trade={"quotes"}) == {"quotes": 300.0, "book": 60.0}
    assert set(limits_s(channels, 1, 7.0).values()) == {7.0}
