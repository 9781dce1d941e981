"""Trades through the session: repeats, jumps, backfill, reconnects."""

from __future__ import annotations

import pytest

from actors.feeds.base import Effects, FeedSettings, HttpRequest
from actors.feeds.binance import adapter
from actors.feeds.binance.session import MAX_TRADE_ATTEMPTS, BinanceSession
from actors.feeds.binance.trades import MAX_BACKFILL, MAX_HOLES, TradeTrack
from domain.clock import NS_PER_MIN
from domain.market.observations import Gap, Trade
from tests.actors.feeds.binance.frames import NOW, combined, rest_agg_trades, trade_frame

BTC = "BTC-USDT.BINANCE"
SETTINGS = FeedSettings(instruments=(BTC,), channels=("trades",), backfill_bars=0)


def opened() -> BinanceSession:
    session = adapter().session(SETTINGS)
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session


def seen(*trade_ids: int) -> BinanceSession:
    session = opened()
    for trade_id in trade_ids:
        session.on_frame(0, trade_frame(trade_id), NOW)
    return session


def told(effects: Effects) -> list[object]:
    """Trade ids, and gaps as (channel, opened, first, last)."""
    return [
        (each.channel, each.opened, each.first, each.last)
        if isinstance(each, Gap)
        else int(each.trade_id or 0)
        for each in effects.observations
        if isinstance(each, Gap | Trade)
    ]


def page(session: BinanceSession, request: HttpRequest, *trade_ids: int, now: int = NOW) -> Effects:
    return session.on_response(request, 200, {}, rest_agg_trades(*trade_ids), now)


def test_the_first_trade_seen_opens_no_gap() -> None:
    effects = opened().on_frame(0, trade_frame(500), NOW)
    assert told(effects) == [500]
    assert effects.requests == []


def test_a_repeated_trade_is_dropped() -> None:
    session = seen(5, 6)
    assert told(session.on_frame(0, trade_frame(6), NOW)) == []
    assert told(session.on_frame(0, trade_frame(7), NOW)) == [7]


def test_a_jump_in_trade_ids_is_a_gap_that_a_backfill_closes() -> None:
    session = seen(5)
    jump = session.on_frame(0, trade_frame(9), NOW)
    assert told(jump) == [("trades", True, 6, 8), 9]
    (request,) = jump.requests
    assert request.url == "https://api.binance.com/api/v3/aggTrades?symbol=BTCUSDT&fromId=6&limit=1000"

    filled = page(session, request, 6, 7, 8, 9, 10)
    assert told(filled) == [6, 7, 8, 10, ("trades", False, 6, 8)]
    assert filled.resynced == [(BTC, "trades")]
    assert filled.requests == []
    assert told(session.on_frame(0, trade_frame(10), NOW)) == []


def test_a_row_that_cannot_be_read_does_not_fill_its_gap() -> None:
    session = seen(5)
    (request,) = session.on_frame(0, trade_frame(9), NOW).requests
    body = rest_agg_trades(6, 7, 8, 9).replace('"a":7,', '"a":null,')
    filled = session.on_response(request, 200, {}, body, NOW)
    assert (told(filled), len(filled.rejects)) == ([6, 8], 1)
    (again,) = filled.requests
    assert "fromId=7&" in again.url
    assert told(page(session, again, 7, 8, 9)) == [7, ("trades", False, 6, 8)]


def test_a_row_that_cannot_be_read_beyond_the_mark_opens_a_gap() -> None:
    session = seen(5)
    session.on_close(0, "reset", NOW)
    (request,) = session.on_open(0, NOW).requests
    body = rest_agg_trades(6, 7, 8).replace('"a":7,', '"a":null,')
    assert told(session.on_response(request, 200, {}, body, NOW))[:3] == [
        6,
        ("feed", False, None, None),
        ("trades", True, 7, 7),
    ]


def test_a_wide_gap_is_filled_page_by_page() -> None:
    session = seen(5)
    (request,) = session.on_frame(0, trade_frame(2000), NOW).requests
    first = page(session, request, *range(6, 1006))
    assert len(first.observations) == 1000
    (second,) = first.requests
    assert "fromId=1006&" in second.url
    last = page(session, second, *range(1006, 2000))
    assert told(last)[-1] == ("trades", False, 6, 1999)


def test_ids_that_the_venue_itself_skips_are_missing_no_longer() -> None:
    session = seen(5)
    (request,) = session.on_frame(0, trade_frame(9), NOW).requests
    assert told(page(session, request, 6, 9)) == [6, ("trades", False, 6, 8)]


def test_a_late_trade_fills_its_own_hole() -> None:
    session = seen(5, 7)
    filled = session.on_frame(0, trade_frame(6), NOW)
    assert told(filled) == [6, ("trades", False, 6, 6)]


def test_a_page_that_brings_nothing_is_asked_for_again_a_few_times_and_then_given_up() -> None:
    session = seen(5)
    (request,) = session.on_frame(0, trade_frame(9), NOW).requests
    now, asked = NOW, 0
    while True:
        asked += 1
        requests = page(session, request, now=now).requests
        now += 2 * NS_PER_MIN
        requests += session.on_timer(now).requests
        if not requests:
            break
        (request,) = requests
    assert asked == MAX_TRADE_ATTEMPTS
    assert told(session.on_frame(0, trade_frame(7), now)) == []


def test_after_a_reconnect_trades_are_fetched_from_the_last_one_seen() -> None:
    session = seen(5)
    assert told(session.on_close(0, "reset", NOW)) == [("feed", True, None, None)]
    (request,) = session.on_open(0, NOW).requests
    assert "fromId=6&" in request.url
    assert told(page(session, request, 6, 7)) == [6, 7, ("feed", False, None, None)]
    assert told(session.on_frame(0, trade_frame(7), NOW)) == []
    assert told(session.on_frame(0, trade_frame(8), NOW)) == [8]


def test_a_reconnect_that_missed_no_trade_ends_the_gap_with_the_next_one() -> None:
    session = seen(5)
    session.on_close(0, "reset", NOW)
    session.on_open(0, NOW)
    assert told(session.on_frame(0, trade_frame(6), NOW)) == [6, ("feed", False, None, None)]
    assert told(session.on_frame(0, trade_frame(7), NOW)) == [7]


def test_quotes_do_not_end_an_interruption_while_trades_may_be_missing() -> None:
    session = seen(5)
    session.on_close(0, "reset", NOW)
    session.on_open(0, NOW)
    quote = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}
    assert told(session.on_frame(0, combined("btcusdt@bookTicker", quote), NOW)) == []


def test_a_quiet_instrument_recovers_when_the_venue_has_nothing_newer() -> None:
    session = seen(5)
    session.on_close(0, "reset", NOW)
    (request,) = session.on_open(0, NOW).requests
    assert told(page(session, request)) == [("feed", False, None, None)]


def test_trades_of_a_second_kind_do_not_count_twice() -> None:
    session = seen(5)
    single = {"e": "trade", "s": "BTCUSDT", "t": 99, "p": "1", "q": "1", "T": NOW // 10**6, "m": True}
    assert told(session.on_frame(0, combined("btcusdt@trade", single), NOW)) == []


def test_single_trades_are_checked_for_repeats_but_not_for_gaps() -> None:
    session = opened()
    got = []
    for trade_id in (10, 15, 15, 16):
        single = {
            "e": "trade",
            "s": "BTCUSDT",
            "t": trade_id,
            "p": "1",
            "q": "1",
            "T": NOW // 10**6,
            "m": True,
        }
        got += told(session.on_frame(0, combined("btcusdt@trade", single), NOW))
    assert got == [10, 15, 16]


def test_quotes_end_an_interruption_where_nothing_else_is_known() -> None:
    session = opened()
    session.on_close(0, "reset", NOW)
    session.on_open(0, NOW)
    quote = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}
    effects = session.on_frame(0, combined("btcusdt@bookTicker", quote), NOW)
    assert [each.kind for each in effects.observations] == ["quote", "gap"]


def test_a_hole_too_wide_to_fetch_is_reported_and_left() -> None:
    track = TradeTrack()
    track.admit(1)
    assert track.admit(MAX_BACKFILL + 3) == (True, (2, MAX_BACKFILL + 2))
    assert track.next_missing is None


def test_the_number_of_holes_is_bounded() -> None:
    track = TradeTrack()
    for trade_id in range(0, 4 * MAX_HOLES, 2):
        track.admit(trade_id)
    holes = 0
    while track.next_missing is not None:
        track.abandon()
        holes += 1
    assert holes == MAX_HOLES


@pytest.mark.parametrize(
    ("page_ids", "left"),
    [([], 6), ([6], 7), ([7], 8), ([6, 8], 9), ([6, 7, 8, 9], None), ([12], None)],
)
def test_a_page_settles_everything_up_to_its_last_trade(page_ids: list[int], left: int | None) -> None:
    track = TradeTrack()
    track.admit(5)
    track.admit(10)
    track.admit_page(page_ids, 6)
    assert track.next_missing == left
