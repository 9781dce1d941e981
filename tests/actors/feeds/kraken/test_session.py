"""The Kraken session over WebSocket v2: subscriptions, proven books, lost connections."""

from __future__ import annotations

import pytest

from actors.feeds.base import FeedSettings, HttpRequest
from actors.feeds.kraken import adapter
from actors.feeds.kraken.pair import DEPTHS, STABLE_NS, offered_depth
from actors.feeds.kraken.session import PAIRS_PER_CONNECTION, PING_NS, SNAPSHOT_LIMIT_NS
from domain.clock import NS_PER_S
from domain.market.observations import BookDelta, BookSnapshot, Gap
from tests.actors.feeds.kraken.frames import (
    ACK,
    OHLC,
    RECV,
    STATUS,
    TICKER,
    Venue,
    book,
    guide_snapshot,
    instrument,
    refusal,
    text,
    trade,
)
from tests.actors.feeds.kraken.talk import BTC, change, gaps, ids, kinds, say, sent, session, spoilt, venue


def test_a_connection_subscribes_precision_first_then_one_message_a_channel() -> None:
    settings = FeedSettings(
        (BTC, "DOGE-EUR.KRAKEN", "BTC-USD.COINBASE"), ("trades", "quotes", "book", "bars"), book_depth=300
    )
    feed = adapter().session(settings)
    [endpoint] = feed.endpoints()
    assert endpoint.url == "wss://ws.kraken.com/v2"
    messages = sent(feed.on_open(0, RECV))
    symbols = ["BTC/USD", "DOGE/EUR"]
    assert [each["params"] for each in messages] == [
        {"channel": "instrument", "snapshot": True, "include_tokenized_assets": True},
        {"channel": "book", "symbol": symbols, "depth": 500, "snapshot": True},
        {"channel": "trade", "symbol": symbols, "snapshot": True},
        {"channel": "ticker", "symbol": symbols, "event_trigger": "bbo", "snapshot": True},
        {"channel": "ohlc", "symbol": symbols, "interval": 1, "snapshot": True},
    ]
    assert [each["req_id"] for each in messages] == [1, 2, 3, 4, 5]


def test_many_pairs_are_spread_over_connections() -> None:
    names = tuple(f"A{each}-USD.KRAKEN" for each in range(PAIRS_PER_CONNECTION + 1))
    feed = adapter().session(FeedSettings(names, ("book",)))
    assert [each.connection for each in feed.endpoints()] == [0, 1]
    assert sent(feed.on_open(1, RECV))[1]["params"]["symbol"] == [f"A{PAIRS_PER_CONNECTION}/USD"]


def test_the_depth_asked_for_is_one_that_the_venue_offers() -> None:
    assert [offered_depth(each) for each in (1, 10, 11, 1000, 5000)] == [10, 10, 25, 1000, DEPTHS[-1]]


def test_a_proven_book_flows_and_the_first_snapshot_is_no_resync() -> None:
    feed, made = session(), venue()
    first = say(feed, instrument(), made.snapshot())
    whole = first.observations[-1]
    assert isinstance(whole, BookSnapshot)
    assert (whole.depth, whole.checksum, len(whole.bids)) == (10, made.checksum(), 10)
    assert (first.resynced, gaps(first)) == ([], [])
    later = say(feed, change(made, "bids", "99.5", "3"), change(made, "asks", "101", "0"))
    assert kinds(later) == [BookDelta, BookDelta]
    delta = later.observations[0]
    assert isinstance(delta, BookDelta)
    assert (delta.sequence, delta.checksum is not None) == (None, True)


def test_levels_that_fell_out_of_scope_do_not_come_back_as_ghosts() -> None:
    feed, made = session(), Venue(depth=10)
    for step in range(10):
        made.set("bids", f"{100 - step}.0", "1")
        made.set("asks", f"{101 + step}.0", "1")
    say(feed, instrument(), made.snapshot())
    frames = [change(made, "bids", "100.5", "1")]
    made.set("bids", "91", "0")  # pushed out of the ten by 100.5: the venue does not say so
    frames.append(change(made, "bids", "100.5", "0"))
    assert gaps(say(feed, *frames)) == []


def test_a_wrong_checksum_is_a_gap_and_the_book_unusable_until_a_new_snapshot() -> None:
    feed, made = session(), venue()
    say(feed, instrument(), made.snapshot())
    broken = say(feed, spoilt(change(made, "bids", "99.5", "3")))
    assert gaps(broken) == [("book", "checksum", True, None, None)]
    assert kinds(broken) == [Gap], "the disproven change is not told"
    assert [(each["method"], each["params"]["symbol"], each["params"]["depth"]) for each in sent(broken)] == [
        ("unsubscribe", ["BTC/USD"], 10),
        ("subscribe", ["BTC/USD"], 10),
    ]
    assert say(feed, change(made, "bids", "99.4", "3")).observations == []
    back = say(feed, made.snapshot())
    assert kinds(back) == [BookSnapshot, Gap]
    assert gaps(back) == [("book", "snapshot", False, None, None)]
    assert back.resynced == [(BTC, "book")]
    assert kinds(say(feed, change(made, "bids", "99.3", "3"))) == [BookDelta]


def test_a_missed_update_is_noticed_by_the_next_checksum() -> None:
    feed, made = session(), venue()
    say(feed, instrument(), made.snapshot())
    change(made, "bids", "99.5", "3")
    assert gaps(say(feed, change(made, "asks", "101", "7"))) == [("book", "checksum", True, None, None)]


def test_a_disproven_snapshot_is_not_told() -> None:
    feed, made = session(), venue()
    effects = say(feed, instrument(), spoilt(made.snapshot()))
    assert BookSnapshot not in kinds(effects)
    assert gaps(effects) == [("book", "checksum", True, None, None)]
    assert [each["method"] for each in sent(effects)] == ["unsubscribe", "subscribe"]


def test_a_book_that_keeps_breaking_is_asked_for_ever_more_rarely() -> None:
    feed, made = session(), venue()
    say(feed, instrument())
    asked: list[int] = []
    due = True
    for step in range(6000):
        now = RECV + step * NS_PER_S // 10
        answers = sent(say(feed, spoilt(made.snapshot()), now=now)) if due else []
        answers += sent(feed.on_timer(now))
        due = any(each["method"] == "subscribe" for each in answers)
        asked += [step] if due else []
    assert 10 <= len(asked) <= 60
    assert asked[1] - asked[0] <= 10
    assert asked[-1] - asked[-2] <= 600, "the delay has a cap"
    assert asked[-1] > 5000, "it never gives up"


def test_a_book_that_held_for_a_minute_is_renewed_at_once() -> None:
    feed, made = session(), venue()
    now = RECV
    for _ in range(3):
        say(feed, instrument(), made.snapshot(), now=now)
        now += STABLE_NS + 1
        broken = say(feed, spoilt(change(made, "bids", "99.5", "3")), now=now)
        assert [each["method"] for each in sent(broken)] == ["unsubscribe", "subscribe"]


def test_a_snapshot_that_does_not_come_is_asked_for_again() -> None:
    feed = session()
    assert feed.on_timer(RECV + SNAPSHOT_LIMIT_NS - 1).sends == []
    messages = sent(feed.on_timer(RECV + SNAPSHOT_LIMIT_NS))
    assert [each["method"] for each in messages if each["method"] != "ping"] == ["unsubscribe", "subscribe"]


def test_an_unreadable_change_is_a_gap() -> None:
    feed, made = session(), venue()
    say(feed, instrument(), made.snapshot())
    effects = say(feed, book("update", [("-1", "1")], [], 1))
    assert gaps(effects) == [("book", "unreadable frame", True, None, None)]
    assert [reject.reject_class for reject, _ in effects.rejects] == ["malformed"]
    assert len(effects.sends) == 2


def test_a_precision_that_comes_after_the_book_is_used_from_then_on() -> None:
    feed, made = session(), venue()
    say(feed, made.snapshot(), instrument())
    made.set("bids", "99.5", "3")
    assert gaps(say(feed, book("update", [("99.5", "3")], [], made.checksum()))) == []


def test_in_a_recording_the_depth_is_that_of_the_acknowledgement_or_of_the_snapshot() -> None:
    for first, depth in ((text(ACK).replace("10,", "25,"), 25), (text(STATUS), 10)):
        feed = adapter().session(FeedSettings())
        [snapshot] = say(feed, first, venue().snapshot()).observations
        assert isinstance(snapshot, BookSnapshot)
        assert snapshot.depth == depth
    feed = adapter().session(FeedSettings())
    made = Venue()
    made.set("bids", "1", "1")
    [snapshot] = say(feed, made.snapshot()).observations
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.depth is None


def test_the_trades_before_the_subscription_are_no_gap_whichever_way_round() -> None:
    feed = session()
    assert ids(say(feed, trade(12, 11, 10, kind="snapshot")).observations) == ["10", "11", "12"]
    later = say(feed, trade(12, 13))
    assert ids(later.observations) == ["13"]
    assert gaps(later) == []


def test_losing_a_connection_that_had_said_nothing_loses_nothing() -> None:
    feed = session()
    say(feed, text(STATUS), instrument())
    assert feed.on_close(0, "refused", RECV).observations == []


def test_a_ping_goes_out_every_half_minute() -> None:
    feed = session(channels=("trades",))
    assert feed.on_timer(RECV + PING_NS - 1).sends == []
    assert [each["method"] for each in sent(feed.on_timer(RECV + PING_NS))] == ["ping"]
    assert feed.on_timer(RECV + PING_NS + 1).sends == []
    assert [each["method"] for each in sent(feed.on_timer(RECV + 2 * PING_NS))] == ["ping"]
    feed.on_close(0, "x", RECV)
    assert feed.on_timer(RECV + 9 * PING_NS).sends == []


def test_a_pair_that_the_venue_does_not_know_is_dropped() -> None:
    feed = session(BTC, "XXX-USD.KRAKEN", channels=("book",))
    effects = say(feed, refusal("Currency pair not supported XXX/USD"))
    assert [reject.reject_class for reject, _ in effects.rejects] == ["not_found"]
    assert sent(feed.on_open(0, RECV))[1]["params"]["symbol"] == ["BTC/USD"]


def test_a_throttled_subscription_is_repeated_later() -> None:
    feed = session()
    assert say(feed, text({"error": "Exceeded msg rate"})).sends == []
    assert [each["method"] for each in sent(feed.on_timer(RECV + 2 * NS_PER_S))][:1] == ["subscribe"]


def test_the_precision_of_asset_pairs_serves_too() -> None:
    feed, made = session(), venue()
    pair = {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "tick_size": "0.1",
    }
    body = text({"error": [], "result": {"XXBTZUSD": pair}})
    request = HttpRequest("https://api.kraken.com/0/public/AssetPairs", "instruments")
    assert len(feed.on_response(request, 200, {}, body, RECV).observations) == 1
    assert say(feed, instrument()).observations == [], "the same facts again are no news"
    assert gaps(say(feed, made.snapshot())) == []


@pytest.mark.parametrize("frame", ["", "{", b"\xff", "[1]", '{"channel":"trade"}', "[" * 10_000])
def test_a_bad_frame_never_stops_the_session(frame: str | bytes) -> None:
    feed = session()
    effects = feed.on_frame(0, frame, RECV)
    assert (effects.observations, len(effects.rejects)) == ([], 1)
    assert ids(say(feed, trade(1)).observations) == ["1"]


@pytest.mark.parametrize(("price", "size"), [(0, 8), (1, 8), (5, 5), (10, 0)])
def test_cut_zeros_are_filled_up_to_the_pairs_precision(price: int, size: int) -> None:
    feed = session()
    made = Venue(price, size)
    for step in range(12):
        made.set("bids", str(100 - step), "2")
        made.set("asks", str(101 + step), "3")
    pairs = [
        [
            (
                text.rstrip("0").rstrip(".") if "." in text else text,
                qty.rstrip("0").rstrip(".") if "." in qty else qty,
            )
            for text, qty in made.best(side, 10)
        ]
        for side in ("bids", "asks")
    ]
    effects = say(
        feed, instrument(price=price, size=size), book("snapshot", pairs[0], pairs[1], made.checksum())
    )
    assert gaps(effects) == []
    assert kinds(effects)[-1] is BookSnapshot


def test_the_guides_book_is_accepted_and_quotes_and_bars_pass() -> None:
    feed = session()
    assert kinds(say(feed, guide_snapshot())) == [BookSnapshot]
    assert len(say(feed, text(TICKER), text(OHLC)).observations) == 3


def test_a_book_that_a_keeper_found_broken_is_subscribed_again_until_its_snapshot() -> None:
    feed, made = session(), venue()
    assert feed.resync(BTC, RECV).sends == [], "no snapshot has come yet"
    say(feed, instrument(), made.snapshot())
    doubted = feed.resync(BTC, RECV)
    assert gaps(doubted) == [("book", "keeper", True, None, None)]
    assert [(each["method"], each["params"]["symbol"]) for each in sent(doubted)] == [
        ("unsubscribe", ["BTC/USD"]),
        ("subscribe", ["BTC/USD"]),
    ]
    assert feed.resync(BTC, RECV).sends == []
    assert say(feed, change(made, "bids", "99.4", "3")).observations == []
    back = say(feed, made.snapshot())
    assert kinds(back) == [BookSnapshot, Gap]
    assert back.resynced == [(BTC, "book")]
    assert kinds(say(feed, change(made, "bids", "99.3", "3"))) == [BookDelta]
    assert feed.resync("ETH-USD.KRAKEN", RECV).sends == []
