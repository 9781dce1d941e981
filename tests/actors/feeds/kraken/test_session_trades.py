"""Dense trade ids, heartbeats and backfills of the session."""

from __future__ import annotations

from actors.feeds.base import FeedSettings
from actors.feeds.kraken import adapter
from domain.clock import NS_PER_S
from domain.market.observations import Bar
from tests.actors.feeds.kraken.frames import AT, RECV, instrument, text, trade
from tests.actors.feeds.kraken.talk import BTC, change, gaps, ids, page, say, sent, session, venue


def test_a_hole_in_the_trade_ids_is_filled_from_rest() -> None:
    feed = session()
    say(feed, trade(10))
    effects = say(feed, trade(14))
    assert gaps(effects) == [("trades", "missing trade ids", True, 11, 13)]
    [request] = effects.requests
    assert request.url == f"https://api.kraken.com/0/public/Trades?pair=XBTUSD&since={AT - 1000}&count=1000"
    first = feed.on_response(request, 200, {}, page(10, 11), RECV)
    assert ids(first.observations) == ["11"]
    [second] = first.requests
    assert second.not_before > request.not_before
    last = feed.on_response(second, 200, {}, page(11, 12, 13, 14), RECV)
    assert ids(last.observations) == ["12", "13"]
    assert gaps(last) == [("trades", "backfilled", False, 11, 13)]
    assert last.requests == []


def test_a_backfill_that_does_not_advance_ends() -> None:
    feed = session()
    say(feed, trade(10))
    [request] = say(feed, trade(14)).requests
    empty = feed.on_response(request, 200, {}, text({"error": [], "result": {"XXBTZUSD": []}}), RECV)
    assert (empty.requests, empty.observations) == ([], [])


def test_a_rate_limit_in_the_body_is_retried_and_an_unknown_pair_is_not() -> None:
    feed = session()
    say(feed, trade(10))
    [request] = say(feed, trade(14)).requests
    throttled = feed.on_response(request, 200, {}, text({"error": ["EAPI:Rate limit exceeded"]}), RECV)
    assert [reject.reject_class for reject, _ in throttled.rejects] == ["throttled"]
    [again] = throttled.requests
    assert again.url == request.url
    unknown = feed.on_response(again, 200, {}, text({"error": ["EQuery:Unknown asset pair"]}), RECV)
    assert unknown.requests == []


def test_a_lost_connection_is_a_gap_until_book_and_trades_are_back() -> None:
    feed, made = session(), venue()
    say(feed, instrument(), made.snapshot(), trade(10))
    lost = feed.on_close(0, "reset", RECV)
    assert gaps(lost) == [("feed", "reset", True, None, None)]
    assert feed.on_close(0, "reset", RECV).observations == []
    assert [each["params"]["channel"] for each in sent(feed.on_open(0, RECV))][1:3] == ["book", "trade"]
    assert say(feed, change(made, "bids", "99.5", "3")).observations == []
    trades = say(feed, trade(11, 12, kind="snapshot"))
    assert gaps(trades) == []
    back = say(feed, made.snapshot())
    assert gaps(back) == [("feed", "restored", False, None, None)]
    assert back.resynced == [(BTC, "feed")]


def test_trades_missed_while_away_are_a_gap_of_their_own() -> None:
    feed = session(channels=("trades",))
    say(feed, trade(10))
    feed.on_close(0, "reset", RECV)
    feed.on_open(0, RECV)
    effects = say(feed, trade(61, 62, kind="snapshot"))
    assert gaps(effects) == [
        ("trades", "missing trade ids", True, 11, 60),
        ("feed", "restored", False, None, None),
    ]
    assert len(effects.requests) == 1


def test_instruments_and_bars_are_asked_for_on_start() -> None:
    feed = adapter().session(FeedSettings((BTC,), backfill_bars=2))
    pairs, bars = feed.on_start(RECV).requests
    since = RECV // NS_PER_S - 180
    assert pairs.url == "https://api.kraken.com/0/public/AssetPairs"
    assert bars.url == f"https://api.kraken.com/0/public/OHLC?pair=XBTUSD&interval=1&since={since}"
    assert bars.not_before > pairs.not_before
    rows = [[since + 60 * each, "1", "2", "1", "2", "1.5", "3", 4] for each in range(4)]
    body = text({"error": [], "result": {"XXBTZUSD": rows, "last": since}})
    told = feed.on_response(bars, 200, {}, body, RECV).observations
    assert [each.ts_event // NS_PER_S - since for each in told] == [60, 120]
    assert all(isinstance(each, Bar) and each.closed for each in told)
    pair = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8}
    other = {**pair, "altname": "ETHUSD", "wsname": "ETH/USD"}
    body = text({"error": [], "result": {"XXBTZUSD": pair, "XETHZUSD": other}})
    assert [each.instrument for each in feed.on_response(pairs, 200, {}, body, RECV).observations] == [BTC]
