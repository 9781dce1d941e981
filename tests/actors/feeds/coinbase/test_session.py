"""The Coinbase session: subscriptions, books, heartbeats, lost connections."""

from __future__ import annotations

from itertools import pairwise

import pytest

from actors.feeds.base import FeedSettings
from actors.feeds.coinbase import adapter
from actors.feeds.coinbase.session import (
    HEARTBEAT_LIMIT_NS,
    PRODUCTS_PER_CONNECTION,
    SNAPSHOT_LIMIT_NS,
)
from domain.clock import NS_PER_S
from domain.market.observations import Bar, BookDelta, BookSnapshot, InstrumentInfo
from tests.actors.feeds.coinbase.frames import (
    HEARTBEAT,
    L2UPDATE,
    MATCH,
    PRODUCT,
    RECV,
    SNAPSHOT,
    SUBSCRIPTIONS,
    TICKER,
    text,
)
from tests.actors.feeds.coinbase.talk import BTC, answer, gaps, ids, match, say, sent, session


def test_one_message_subscribes_everything_on_a_connection() -> None:
    feed = session(BTC, "ETH-USD.COINBASE", "BTC-USDT.BINANCE")
    [endpoint] = feed.endpoints()
    assert endpoint.url == "wss://ws-feed.exchange.coinbase.com"
    assert sent(feed.on_open(endpoint.connection, RECV)) == [
        {
            "type": "subscribe",
            "product_ids": ["BTC-USD", "ETH-USD"],
            "channels": ["matches", "ticker", "level2_batch", "heartbeat"],
        }
    ]


def test_the_addresses_and_the_unbatched_book_are_settings() -> None:
    settings = FeedSettings(
        (BTC,), ("book", "level2"), "ws://127.0.0.1:1", "http://127.0.0.1:2/", backfill_bars=0
    )
    feed = adapter().session(settings)
    assert [each.url for each in feed.endpoints()] == ["ws://127.0.0.1:1"]
    assert [each.url for each in feed.on_start(RECV).requests] == ["http://127.0.0.1:2/products"]
    assert sent(feed.on_open(0, RECV))[0]["channels"] == ["level2", "heartbeat"]


def test_many_products_are_spread_over_connections() -> None:
    names = [f"A{each}-USD.COINBASE" for each in range(PRODUCTS_PER_CONNECTION + 1)]
    feed = session(*names)
    assert [each.connection for each in feed.endpoints()] == [0, 1]
    assert sent(feed.on_open(1, RECV))[0]["product_ids"] == [f"A{PRODUCTS_PER_CONNECTION}-USD"]


def test_updates_count_only_after_their_snapshot_and_the_first_one_is_no_resync() -> None:
    feed = session()
    feed.on_open(0, RECV)
    assert say(feed, L2UPDATE) == []
    first = feed.on_frame(0, text(SNAPSHOT), RECV)
    assert [type(each) for each in first.observations] == [BookSnapshot]
    assert first.resynced == []
    assert [type(each) for each in say(feed, L2UPDATE)] == [BookDelta]


def test_losing_a_connection_that_had_said_nothing_loses_nothing() -> None:
    feed = session()
    feed.on_open(0, RECV)
    feed.on_frame(0, text(SUBSCRIPTIONS), RECV)
    assert feed.on_close(0, "refused", RECV).observations == []


def test_a_lost_connection_concerns_its_own_products_only() -> None:
    names = [f"A{each}-USD.COINBASE" for each in range(PRODUCTS_PER_CONNECTION + 1)]
    feed = session(*names)
    feed.on_frame(0, text({**MATCH, "product_id": "A0-USD"}), RECV)
    feed.on_frame(1, text({**MATCH, "product_id": f"A{PRODUCTS_PER_CONNECTION}-USD"}), RECV)
    assert [each.instrument for each in feed.on_close(1, "x", RECV).observations] == [names[-1]]


def test_missing_heartbeats_make_a_new_connection_less_and_less_often() -> None:
    feed = session()
    feed.on_open(0, RECV)
    say(feed, match(10), SNAPSHOT)
    assert feed.on_timer(RECV + HEARTBEAT_LIMIT_NS - 1).reconnects == []
    effects = feed.on_timer(RECV + HEARTBEAT_LIMIT_NS)
    assert [connection for connection, _ in effects.reconnects] == [0]
    assert gaps(effects.observations) == [("feed", True, None, None)]
    opened = RECV + HEARTBEAT_LIMIT_NS + NS_PER_S
    feed.on_open(0, opened)
    assert feed.on_timer(opened + HEARTBEAT_LIMIT_NS).reconnects == []
    assert feed.on_timer(opened + 2 * HEARTBEAT_LIMIT_NS).reconnects != []


def test_heartbeats_keep_the_connection() -> None:
    feed = session()
    feed.on_open(0, RECV)
    for second in range(60):
        say(feed, {**HEARTBEAT, "last_trade_id": 1}, now=RECV + second * NS_PER_S)
        assert feed.on_timer(RECV + second * NS_PER_S).reconnects == []


def test_a_recording_without_our_subscription_is_never_reconnected() -> None:
    feed = adapter().session(FeedSettings())
    feed.on_start(RECV)
    feed.on_open(5, RECV)
    feed.on_frame(5, text(SNAPSHOT), RECV)
    effects = feed.on_timer(RECV + 3600 * NS_PER_S)
    assert (effects.reconnects, effects.sends, effects.observations) == ([], [], [])


def test_an_unreadable_update_is_a_gap_and_the_book_is_subscribed_again() -> None:
    feed = session()
    feed.on_open(0, RECV)
    say(feed, SNAPSHOT)
    effects = feed.on_frame(0, text({**L2UPDATE, "changes": [["buy", "nan", "1"]]}), RECV)
    assert gaps(effects.observations) == [("book", True, None, None)]
    assert [each["type"] for each in sent(effects)] == ["unsubscribe", "subscribe"]
    assert sent(effects)[1] == {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["level2_batch"]}
    assert [reject.reject_class for reject, _ in effects.rejects] == ["malformed"]
    assert say(feed, L2UPDATE) == []
    back = feed.on_frame(0, text(SNAPSHOT), RECV)
    assert back.resynced == [(BTC, "book")]
    assert gaps(back.observations) == [("book", False, None, None)]


def test_a_snapshot_that_does_not_come_is_asked_for_again_ever_more_rarely() -> None:
    feed = session()
    feed.on_open(0, RECV)
    asked = []
    for second in range(600):
        now = RECV + second * NS_PER_S
        say(feed, HEARTBEAT, now=now)
        if feed.on_timer(now).sends:
            asked.append(second)
    assert asked[0] == SNAPSHOT_LIMIT_NS // NS_PER_S
    distances = [later - earlier for earlier, later in pairwise(asked)]
    assert distances == sorted(distances)
    assert 3 <= len(asked) <= 6


def test_an_unknown_product_is_left_out_and_the_rest_subscribed() -> None:
    feed = session(BTC, "XXX-USD.COINBASE")
    feed.on_open(0, RECV)
    error = {"type": "error", "message": "Failed to subscribe", "reason": "XXX-USD is not a valid product"}
    effects = feed.on_frame(0, text(error), RECV)
    assert sent(effects)[0]["product_ids"] == ["BTC-USD"]
    assert [reject.reject_class for reject, _ in effects.rejects] == ["not_found"]
    again = feed.on_frame(0, text(error), RECV)
    assert again.sends == []


def test_without_a_key_the_book_falls_back_to_the_public_channel() -> None:
    feed = session(channels=("trades", "level2"))
    feed.on_open(0, RECV)
    error = {"type": "error", "message": "Failed to subscribe", "reason": "level2 now require authentication"}
    assert sent(feed.on_frame(0, text(error), RECV))[0]["channels"] == [
        "matches",
        "heartbeat",
        "level2_batch",
    ]


def test_a_throttled_subscription_is_repeated_later() -> None:
    feed = session()
    feed.on_open(0, RECV)
    assert feed.on_frame(0, text({"type": "error", "message": "rate limit exceeded"}), RECV).sends == []
    assert sent(feed.on_timer(RECV + 2 * NS_PER_S))[0]["type"] == "subscribe"


def test_bars_are_filled_on_subscription_in_pages_of_300() -> None:
    feed = session(bars=500)
    requests = [each for each in feed.on_start(RECV).requests if each.purpose == "bars"]
    assert [each.url.partition("?")[2] for each in requests] == [
        "granularity=60&start=2025-12-31T15:40:00Z&end=2025-12-31T20:39:00Z",
        "granularity=60&start=2025-12-31T20:40:00Z&end=2025-12-31T23:59:00Z",
    ]
    start = RECV // NS_PER_S
    body = text([[start, 1, 2, 1, 2, 3], [start - 60, 1, 2, 1, 2, 3], [start - 120, 1, 2, 1, 2, 3]])
    bars = answer(feed, requests[1], body).observations
    assert [each.ts_event // NS_PER_S - start for each in bars] == [-120, -60]
    assert all(isinstance(each, Bar) and each.closed for each in bars)


def test_instruments_are_told_once_and_when_they_change() -> None:
    feed = session()
    [request] = feed.on_start(RECV).requests
    products = [PRODUCT, {**PRODUCT, "id": "ETH-USD", "base_currency": "ETH"}]
    told = answer(feed, request, text(products)).observations
    assert [each.instrument for each in told] == [BTC]
    assert answer(feed, request, text(products), now=RECV + 1).observations == []
    [halted] = answer(feed, request, text([{**PRODUCT, "status": "offline"}])).observations
    assert isinstance(halted, InstrumentInfo)
    assert halted.status == "halted"


def test_quotes_pass_and_symbols_are_learnt_from_frames() -> None:
    feed = adapter().session(FeedSettings())
    assert len(say(feed, TICKER)) == 2
    assert feed.endpoints() == []


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        b"\xff",
        "[]",
        '{"type":"match"}',
        '{"type":"heartbeat","product_id":"?","last_trade_id":1,"time":"x"}',
        "[" * 10_000,
    ],
)
def test_a_bad_frame_never_stops_the_session(frame: str | bytes) -> None:
    feed = session()
    feed.on_open(0, RECV)
    effects = feed.on_frame(0, frame, RECV)
    assert effects.observations == []
    assert bool(effects.rejects) == (frame != "[]")
    assert ids(say(feed, match(1))) == ["1"]


def test_a_book_that_a_keeper_found_broken_is_subscribed_again_until_its_snapshot() -> None:
    feed = session()
    feed.on_open(0, RECV)
    assert feed.resync(BTC, RECV).sends == [], "no snapshot has come yet"
    say(feed, SNAPSHOT)
    doubted = feed.resync(BTC, RECV)
    assert gaps(doubted.observations) == [("book", True, None, None)]
    assert sent(doubted) == [
        {"type": verb, "product_ids": ["BTC-USD"], "channels": ["level2_batch"]}
        for verb in ("unsubscribe", "subscribe")
    ]
    assert feed.resync(BTC, RECV).sends == []
    assert say(feed, L2UPDATE) == []
    back = feed.on_frame(0, text(SNAPSHOT), RECV)
    assert [type(each).__name__ for each in back.observations] == ["BookSnapshot", "Gap"]
    assert gaps(back.observations) == [("book", False, None, None)]
    assert back.resynced == [(BTC, "book")]
    assert [type(each) for each in say(feed, L2UPDATE)] == [BookDelta]
    assert feed.resync("ETH-USD.COINBASE", RECV).sends == []
