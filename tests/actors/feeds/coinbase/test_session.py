"""The Coinbase session: subscriptions, books, dense trade ids, heartbeats, backfills."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.feeds.base import Effects, FeedSettings, HttpRequest, Session
from actors.feeds.coinbase import adapter
from actors.feeds.coinbase.market import REVEAL_GRACE_NS
from actors.feeds.coinbase.session import (
    HEARTBEAT_LIMIT_NS,
    MAX_TRADE_PAGES,
    PRODUCTS_PER_CONNECTION,
    SNAPSHOT_LIMIT_NS,
)
from domain.clock import NS_PER_S
from domain.market.observations import Bar, BookDelta, BookSnapshot, Gap, InstrumentInfo, Observation, Trade
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
    without,
)

BTC = "BTC-USD.COINBASE"


def session(
    *instruments: str, channels: tuple[str, ...] = ("trades", "quotes", "book"), bars: int = 0
) -> Session:
    return adapter().session(FeedSettings(instruments or (BTC,), channels, backfill_bars=bars))


def match(trade_id: int, kind: str = "match") -> dict[str, Any]:
    return {**MATCH, "type": kind, "trade_id": trade_id}


def rows(*ids: int) -> str:
    side = without(without(MATCH, "type"), "product_id")
    return text([{**side, "trade_id": each} for each in ids])


def say(feed: Session, *frames: dict[str, Any], now: int = RECV) -> list[Observation]:
    found: list[Observation] = []
    for frame in frames:
        found += feed.on_frame(0, text(frame), now).observations
    return found


def gaps(observations: list[Observation]) -> list[tuple[Any, ...]]:
    return [
        (each.channel, each.opened, each.first, each.last) for each in observations if isinstance(each, Gap)
    ]


def ids(observations: list[Observation]) -> list[str | None]:
    return [each.trade_id for each in observations if isinstance(each, Trade)]


def sent(effects: Effects) -> list[dict[str, Any]]:
    return [json.loads(frame) for _, frame in effects.sends]


def answer(
    feed: Session, request: HttpRequest, body: str, status: int = 200, now: int = RECV, **headers: str
) -> Effects:
    return feed.on_response(request, status, headers, body, now)


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


def test_trades_before_the_first_are_no_gap_and_repeats_are_dropped() -> None:
    feed = session()
    observations = say(feed, match(100, "last_match"), match(101), match(101), match(100), match(102))
    assert ids(observations) == ["100", "101", "102"]
    assert gaps(observations) == []


def test_a_hole_in_the_trade_ids_is_a_gap_that_a_backfill_closes() -> None:
    feed = session()
    say(feed, match(100))
    effects = feed.on_frame(0, text(match(105)), RECV)
    assert gaps(effects.observations) == [("trades", True, 101, 104)]
    assert ids(effects.observations) == ["105"]
    [request] = effects.requests
    assert request.url.endswith("/products/BTC-USD/trades?limit=1000&after=105")
    filled = answer(feed, request, rows(104, 103, 102, 101, 100, 99))
    assert ids(filled.observations) == ["101", "102", "103", "104"]
    assert gaps(filled.observations) == [("trades", False, 101, 104)]
    assert filled.requests == []


def test_a_backfill_pages_backwards_until_the_hole_is_closed() -> None:
    feed = session()
    say(feed, match(100))
    [request] = feed.on_frame(0, text(match(107)), RECV).requests
    first = answer(feed, request, rows(106, 105, 104))
    assert ids(first.observations) == ["104", "105", "106"]
    assert gaps(first.observations) == []
    [second] = first.requests
    assert second.url.endswith("after=104")
    last = answer(feed, second, rows(103, 102, 101))
    assert gaps(last.observations) == [("trades", False, 101, 106)]
    assert last.requests == []


def test_a_backfill_that_does_not_advance_ends_and_the_gap_stays_open() -> None:
    feed = session()
    say(feed, match(100))
    [request] = feed.on_frame(0, text(match(107)), RECV).requests
    for body in ("[]", rows(120, 119)):
        effects = answer(feed, request, body)
        assert effects.requests == []
        assert gaps(effects.observations) == []


def test_a_backfill_has_a_bound_of_pages() -> None:
    feed = session()
    say(feed, match(0))
    requests = feed.on_frame(0, text(match(1_000_000)), RECV).requests
    asked, lowest = 0, 1_000_000
    while requests:
        asked, lowest = asked + 1, lowest - 1
        requests = answer(feed, requests[0], rows(lowest)).requests
    assert asked == MAX_TRADE_PAGES


def test_a_late_trade_fills_its_hole_by_itself() -> None:
    feed = session()
    observations = say(feed, match(100), match(102), match(101))
    assert ids(observations) == ["100", "102", "101"]
    assert gaps(observations) == [("trades", True, 101, 101), ("trades", False, 101, 101)]


def test_a_throttled_backfill_waits_for_retry_after_and_a_missing_one_is_given_up() -> None:
    feed = session()
    say(feed, match(100))
    [request] = feed.on_frame(0, text(match(102)), RECV).requests
    throttled = answer(feed, request, '{"message":"Public rate limit exceeded"}', 429, **{"Retry-After": "7"})
    assert [reject.reject_class for reject, _ in throttled.rejects] == ["throttled"]
    [again] = throttled.requests
    assert (again.url, again.purpose) == (request.url, request.purpose)
    assert again.not_before >= RECV + 7 * NS_PER_S
    lost = answer(feed, again, "", 0)
    assert [reject.reject_class for reject, _ in lost.rejects] == ["upstream"]
    [once_more] = lost.requests
    gone = answer(feed, once_more, '{"message":"NotFound"}', 404)
    assert [reject.reject_class for reject, _ in gone.rejects] == ["not_found"]
    assert gone.requests == []


def test_a_heartbeat_reveals_missed_trades_after_a_grace() -> None:
    feed = session()
    feed.on_open(0, RECV)
    say(feed, match(18))
    beat = {**HEARTBEAT, "last_trade_id": 20}
    assert say(feed, beat) == []
    assert gaps(feed.on_timer(RECV + REVEAL_GRACE_NS - 1).observations) == []
    effects = feed.on_timer(RECV + REVEAL_GRACE_NS)
    assert gaps(effects.observations) == [("trades", True, 19, 20)]
    assert [each.url.rpartition("=")[2] for each in effects.requests] == ["21"]
    assert feed.on_timer(RECV + 2 * REVEAL_GRACE_NS).observations == []


def test_a_heartbeat_that_overtook_its_match_reveals_nothing() -> None:
    feed = session()
    say(feed, match(19), {**HEARTBEAT, "last_trade_id": 20}, match(20))
    assert feed.on_timer(RECV + 2 * REVEAL_GRACE_NS).observations == []
    late = {**HEARTBEAT, "last_trade_id": 20}
    assert say(feed, late, now=RECV + 3 * REVEAL_GRACE_NS) == []


def test_what_was_missed_between_the_first_heartbeat_and_the_first_trade_is_a_gap() -> None:
    feed = session()
    observations = say(feed, {**HEARTBEAT, "last_trade_id": 20}, match(23))
    assert gaps(observations) == [("trades", True, 21, 22)]
    other = session()
    assert gaps(say(other, {**HEARTBEAT, "last_trade_id": 20}, match(20, "last_match"))) == []


def test_a_lost_connection_is_a_gap_until_book_and_trades_are_back() -> None:
    feed = session()
    feed.on_open(0, RECV)
    say(feed, match(10), SNAPSHOT, L2UPDATE)
    lost = feed.on_close(0, "closed by peer", RECV)
    [gap] = lost.observations
    assert isinstance(gap, Gap)
    assert (gap.instrument, gap.channel, gap.reason, gap.opened) == (BTC, "feed", "closed by peer", True)
    assert feed.on_close(0, "closed by peer", RECV).observations == []
    assert sent(feed.on_open(0, RECV))[0]["type"] == "subscribe"
    assert say(feed, L2UPDATE) == [], "the book is unusable until its snapshot"
    back = feed.on_frame(0, text(match(13, "last_match")), RECV)
    assert gaps(back.observations) == [("trades", True, 11, 12)]
    whole = feed.on_frame(0, text(SNAPSHOT), RECV)
    assert gaps(whole.observations) == [("feed", False, None, None)]
    assert whole.resynced == [(BTC, "feed")]
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
    distances = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
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


def test_an_answer_that_nobody_asked_for_fills_holes_but_touches_no_live_book() -> None:
    feed = session()
    say(feed, SNAPSHOT, match(10), match(12))
    root = "https://api.exchange.coinbase.com/products/BTC-USD"
    filled = answer(feed, HttpRequest(f"{root}/trades", "unsolicited"), rows(12, 11, 10))
    assert ids(filled.observations) == ["11"]
    book = text({"bids": [["1", "1", 1]], "asks": [], "sequence": 5})
    assert answer(feed, HttpRequest(f"{root}/book?level=2", "unsolicited"), book).observations == []


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
