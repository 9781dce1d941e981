"""A venue that numbers anew: its trades and changes of the book are no repeats of the old ones."""

from __future__ import annotations

import pytest

from actors.feeds.base import Effects, FeedSettings
from actors.feeds.binance import adapter
from actors.feeds.binance.session import BinanceSession
from actors.feeds.binance.trades import HOLD_NS
from domain.clock import NS_PER_S
from domain.market.gaps import RENUMBERED
from domain.market.observations import Gap, Trade
from tests.actors.feeds.binance.frames import (
    NOW,
    NOW_MS,
    combined,
    depth_frame,
    rest_agg_trades,
    snapshot_body,
    trade_frame,
)

BTC = "BTC-USDT.BINANCE"


def opened(*channels: str) -> BinanceSession:
    session = adapter().session(FeedSettings(instruments=(BTC,), channels=channels, backfill_bars=0))
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session


def trade(session: BinanceSession, trade_id: int, second: float) -> Effects:
    """Made and received so many seconds after NOW."""
    frame = trade_frame(trade_id, T=NOW_MS + int(second * 1000))
    return session.on_frame(0, frame, NOW + int(second * NS_PER_S))


def told(effects: Effects) -> list[object]:
    """Trade ids, and gaps as (reason is a new numbering, opened, first, last)."""
    return [
        (each.reason == RENUMBERED, each.opened, each.first, each.last)
        if isinstance(each, Gap)
        else int(each.trade_id or 0)
        for each in effects.observations
        if isinstance(each, Gap | Trade)
    ]


OPENED, CLOSED = (True, True, None, None), (True, False, None, None)


def counted() -> BinanceSession:
    session = opened("trades")
    for trade_id in (50_000, 50_001):
        assert told(trade(session, trade_id, 0)) == [trade_id]
    return session


def test_small_ids_of_later_trades_are_a_gap_and_then_trades_like_any_other() -> None:
    session = counted()
    assert told(trade(session, 0, 1)) == []
    effects = trade(session, 1, 2)
    assert told(effects) == [OPENED, CLOSED, 0, 1]
    assert effects.resynced == [(BTC, "trades")]
    assert told(trade(session, 2, 3)) == [2]
    assert told(trade(session, 2, 3)) == []


def test_the_same_over_a_reconnect() -> None:
    session = counted()
    session.on_close(0, "reset", NOW)
    (request,) = session.on_open(0, NOW + NS_PER_S).requests
    assert told(session.on_response(request, 200, {}, "[]", NOW + NS_PER_S))[0] == (False, False, None, None)
    assert [told(trade(session, number, 2 + number)) for number in range(3)] == [
        [],
        [OPENED, CLOSED, 0, 1],
        [2],
    ]


def test_the_beginning_of_a_new_numbering_that_was_missed_is_fetched() -> None:
    session = counted()
    trade(session, 3, 1)
    effects = trade(session, 4, 2)
    assert told(effects) == [(True, True, 0, 2), 3, 4]
    (request,) = effects.requests
    assert "fromId=0&" in request.url
    body = rest_agg_trades(0, 1, 2, 3).replace(str(NOW_MS), str(NOW_MS + 900))
    filled = session.on_response(request, 200, {}, body, NOW + 3 * NS_PER_S)
    assert told(filled) == [0, 1, 2, (False, False, 0, 2)]


def test_trades_of_the_old_numbering_that_rest_still_has_are_not_taken_for_the_new_ones() -> None:
    session = counted()
    trade(session, 3, 1)
    (request,) = trade(session, 4, 2).requests
    filled = session.on_response(request, 200, {}, rest_agg_trades(0, 1, 2), NOW + 3 * NS_PER_S)
    assert told(filled) == []


def test_an_answer_about_the_old_numbers_does_not_keep_the_new_ones_from_being_asked_for() -> None:
    session = counted()
    session.on_close(0, "reset", NOW)
    (old,) = session.on_open(0, NOW).requests
    trade(session, 3, 1)
    assert trade(session, 4, 2).requests == []
    (new,) = session.on_response(old, 200, {}, "[]", NOW + 2 * NS_PER_S).requests
    assert "fromId=0&" in new.url


@pytest.mark.parametrize("numbers", [(9_000, 9_001), (9_000, 9_003)])
def test_a_numbering_that_goes_on_below_the_mark_need_not_begin_at_0(numbers: tuple[int, int]) -> None:
    session = counted()
    trade(session, numbers[0], 1)
    effects = trade(session, numbers[1], 2)
    assert told(effects)[:3] == [OPENED, CLOSED, numbers[0]]
    assert told(effects)[-1] == numbers[1]


def test_repeats_are_dropped_in_whatever_order_they_come() -> None:
    session = opened("trades")
    for number in range(5, 12):
        trade(session, number, number)
    assert [told(trade(session, number, number)) for number in (5, 6, 7, 11, 10, 9)] == [[]] * 6


def test_a_single_odd_trade_is_a_reject_and_no_new_numbering() -> None:
    session = counted()
    assert told(trade(session, 7, 1)) == []
    assert told(trade(session, 50_002, 2)) == [50_002]
    effects = session.on_timer(NOW + NS_PER_S + HOLD_NS)
    assert [each.reject_class for each, _ in effects.rejects] == ["malformed"]
    assert told(effects) == []
    assert told(trade(session, 50_003, 20)) == [50_003]


def test_odd_trades_that_do_not_continue_each_other_are_rejects() -> None:
    session = counted()
    trade(session, 7, 1)
    effects = trade(session, 5_000, 2)
    assert (told(effects), len(effects.rejects)) == ([], 1)


def test_a_quiet_pairs_only_trade_of_a_new_numbering_counts_after_a_while() -> None:
    session = counted()
    trade(session, 0, 1)
    assert told(session.on_timer(NOW + HOLD_NS)) == []
    assert told(session.on_timer(NOW + NS_PER_S + HOLD_NS)) == [OPENED, CLOSED, 0]
    assert told(session.on_timer(NOW + NS_PER_S + 2 * HOLD_NS)) == []
    assert told(trade(session, 1, 30)) == [1]


def test_a_suspect_that_comes_twice_waits_on() -> None:
    session = counted()
    assert told(trade(session, 0, 1)) == told(trade(session, 0, 1)) == []
    assert told(trade(session, 1, 2)) == [OPENED, CLOSED, 0, 1]


def test_a_page_of_rest_moves_the_time_of_the_mark_so_that_its_trades_are_repeats_later() -> None:
    session = opened("trades")
    trade(session, 5, 0)
    session.on_close(0, "reset", NOW)
    (request,) = session.on_open(0, NOW).requests
    body = rest_agg_trades(6, 7, 8).replace(str(NOW_MS), str(NOW_MS + 5000))
    session.on_response(request, 200, {}, body, NOW + 6 * NS_PER_S)
    assert [told(trade(session, number, 5)) for number in (6, 7, 8)] == [[]] * 3
    assert told(trade(session, 9, 7)) == [9]


@pytest.mark.parametrize("late", [(50_003,), (50_003, 50_004)])
def test_trades_that_were_overtaken_fill_their_hole_and_begin_no_numbering(late: tuple[int, ...]) -> None:
    session = counted()
    assert told(trade(session, 50_005, 1))[-1] == 50_005
    for step, number in enumerate(late, 1):
        assert told(trade(session, number, 1 + step * 0.005)) == [number]
        assert told(trade(session, number, 1 + step * 0.005)) == []
    assert told(session.on_timer(NOW + 2 * NS_PER_S + HOLD_NS)) == []
    assert told(trade(session, 50_006, 20)) == [50_006]


@pytest.mark.parametrize("after", [(), (50_006,)])
def test_a_number_of_a_hole_with_a_stamp_that_is_too_new_fills_it_in_the_end(after: tuple[int, ...]) -> None:
    session = counted()
    trade(session, 50_005, 1)
    assert told(trade(session, 50_003, 60)) == []
    assert [told(trade(session, number, 61)) for number in after] == [[number] for number in after]
    effects = session.on_timer(NOW + 60 * NS_PER_S + HOLD_NS)
    assert (told(effects), effects.rejects) == ([50_003], [])


def test_a_new_numbering_that_lands_in_a_hole_is_one_all_the_same() -> None:
    session = counted()
    trade(session, 60_000, 1)
    assert told(trade(session, 55_000, 600)) == []
    assert told(trade(session, 55_001, 601))[0] == OPENED


def single(session: BinanceSession, trade_id: int, second: int) -> Effects:
    message = {"e": "trade", "s": "BTCUSDT", "t": trade_id, "p": "1", "q": "1", "T": NOW_MS + 1000 * second,
               "m": True}  # fmt: skip
    return session.on_frame(0, combined("btcusdt@trade", message), NOW + second * NS_PER_S)


def test_the_same_for_single_trades() -> None:
    session = opened("raw_trades")
    single(session, 900, 0)
    single(session, 910, 1)
    assert told(single(session, 4, 2)) == []
    assert told(single(session, 6, 3)) == [OPENED, CLOSED, 4, 6]


def change(session: BinanceSession, first: int, last: int, second: float) -> Effects:
    frame = depth_frame(first, last, E=NOW_MS + int(second * 1000))
    return session.on_frame(0, frame, NOW + int(second * NS_PER_S))


def kinds(effects: Effects) -> list[str]:
    return [each.kind for each in effects.observations]


def synchronised() -> BinanceSession:
    session = opened("book")
    (request,) = change(session, 7000, 7010, 0).requests
    session.on_response(request, 200, {}, snapshot_body(7000), NOW)
    assert kinds(change(session, 7011, 7020, 0.1)) == ["book_delta"]
    return session


def test_small_update_ids_of_later_changes_break_the_book_and_begin_it_anew() -> None:
    session = synchronised()
    assert kinds(change(session, 1, 4, 10)) == []
    effects = change(session, 5, 9, 10.1)
    (gap,) = effects.observations
    assert isinstance(gap, Gap)
    assert (gap.channel, gap.reason, gap.opened) == ("book", RENUMBERED, True)
    (request,) = effects.requests
    synced = session.on_response(request, 200, {}, snapshot_body(6), NOW + 11 * NS_PER_S)
    assert kinds(synced) == ["book_snapshot", "gap", "book_delta"]
    assert synced.resynced == [(BTC, "book")]
    assert kinds(change(session, 10, 12, 10.2)) == ["book_delta"]


def test_changes_that_were_seen_are_repeats() -> None:
    session = synchronised()
    for _ in range(3):
        assert kinds(change(session, 7000, 7010, 0)) == kinds(change(session, 7011, 7020, 0.1)) == []
    assert kinds(change(session, 7021, 7022, 0.2)) == ["book_delta"]


def test_a_single_odd_change_leaves_the_book_whole() -> None:
    session = synchronised()
    assert kinds(change(session, 1, 4, 10)) == []
    assert kinds(change(session, 7021, 7022, 10.1)) == ["book_delta"]
    assert kinds(change(session, 5, 9, 10.2)) == []
    assert kinds(change(session, 7023, 7024, 10.3)) == ["book_delta"]


def test_a_new_numbering_while_a_snapshot_is_awaited_begins_with_its_own_changes() -> None:
    session = opened("book")
    (old,) = change(session, 7000, 7010, 0).requests
    change(session, 1, 4, 10)
    change(session, 5, 9, 10.1)
    answer = session.on_response(old, 200, {}, snapshot_body(4), NOW + 11 * NS_PER_S)
    assert kinds(answer) == ["book_snapshot", "book_delta"]


def test_a_snapshot_of_the_old_numbering_is_not_stayed_with() -> None:
    session = opened("book")
    (request,) = change(session, 1, 4, 0).requests
    assert kinds(session.on_response(request, 200, {}, snapshot_body(7000), NOW)) == ["book_snapshot"]
    assert kinds(change(session, 5, 9, 1)) == []
    effects = change(session, 10, 12, 40)
    assert kinds(effects) == ["gap"]
    (again,) = effects.requests
    assert kinds(session.on_response(again, 200, {}, snapshot_body(11), NOW + 41 * NS_PER_S)) == [
        "book_snapshot",
        "gap",
        "book_delta",
    ]


def test_linked_changes_are_followed_through_a_new_numbering_as_well() -> None:
    session = adapter().session(FeedSettings(backfill_bars=0))
    session.on_open(0, NOW)

    def linked(first: int, last: int, before: int, second: int) -> Effects:
        frame = depth_frame(first, last, "SOLUSDT", pu=before, T=NOW_MS + 1000 * second)
        return session.on_frame(0, frame, NOW + second * NS_PER_S, "wss://fstream.binance.com/public/stream")

    asked = linked(7000, 7010, 6990, 0).requests
    request = next(each for each in asked if "depth" in each.url)
    session.on_response(request, 200, {}, snapshot_body(7005), NOW)
    assert kinds(linked(7015, 7020, 7010, 1)) == ["book_delta"]
    assert kinds(linked(30, 40, 20, 2)) == []
    assert kinds(linked(50, 60, 40, 3)) == ["gap"]
