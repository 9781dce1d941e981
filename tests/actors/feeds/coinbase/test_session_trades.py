"""Dense trade ids, heartbeats and backfills of the session."""

from __future__ import annotations

from actors.feeds.base import HttpRequest
from actors.feeds.coinbase.market import REVEAL_GRACE_NS
from actors.feeds.coinbase.session import (
    MAX_TRADE_PAGES,
)
from domain.clock import NS_PER_S
from domain.market.observations import BookDelta, Gap
from tests.actors.feeds.coinbase.frames import HEARTBEAT, L2UPDATE, RECV, SNAPSHOT, text
from tests.actors.feeds.coinbase.talk import BTC, answer, gaps, ids, match, rows, say, sent, session


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
    say(feed, match(1))
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


def test_an_answer_that_nobody_asked_for_fills_holes_but_touches_no_live_book() -> None:
    feed = session()
    say(feed, SNAPSHOT, match(10), match(12))
    root = "https://api.exchange.coinbase.com/products/BTC-USD"
    filled = answer(feed, HttpRequest(f"{root}/trades", "unsolicited"), rows(12, 11, 10))
    assert ids(filled.observations) == ["11"]
    book = text({"bids": [["1", "1", 1]], "asks": [], "sequence": 5})
    assert answer(feed, HttpRequest(f"{root}/book?level=2", "unsolicited"), book).observations == []
