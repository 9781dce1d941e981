"""One instrument on the line: parts lost with their socket, and numbers given anew."""

from __future__ import annotations

from actors.feeds.base import Effects
from actors.feeds.carriers import BOOK, QUOTES, TRADES
from actors.feeds.line import BACKFILLED_RESTART, HOLD_NS, Line
from domain.market.gaps import RENUMBERED
from domain.market.observations import BookSnapshot, Gap, Trade

NAME = "BTC-USD.COINBASE"
START = 1_700_000_000_000_000_000


def line() -> Line:
    return Line(provider="coinbase", instrument=NAME, connection=0)


def trade(trade_id: int | None, second: int) -> Trade:
    at = START + second * 1_000_000_000
    return Trade("coinbase", NAME, at, at + 1, 100.0, 1.0, "buy", None if trade_id is None else str(trade_id))


def snapshot() -> BookSnapshot:
    return BookSnapshot("coinbase", NAME, START, START, ((99.0, 1.0),), ((101.0, 1.0),))


def take(on: Line, *trades: Trade) -> Effects:
    effects = Effects()
    for each in trades:
        on.take_trade(each, each.ts_recv, effects)
    return effects


def ids(effects: Effects) -> list[str | None]:
    return [each.trade_id for each in effects.observations if isinstance(each, Trade)]


def gaps(effects: Effects) -> list[tuple[str, str, bool]]:
    return [
        (each.channel, each.reason, each.opened) for each in effects.observations if isinstance(each, Gap)
    ]


def carried(**channels: int) -> Line:
    """A line whose book and trades have come."""
    on, effects = line(), Effects()
    on.heard = True
    on.carriers.update(channels)
    on.take_snapshot(snapshot(), START, effects)
    on.take_trade(trade(10, 0), START, effects)
    return on


def test_a_lost_part_is_a_gap_of_that_channel_and_the_rest_goes_on() -> None:
    on, effects = carried(book=0, trades=1), Effects()
    assert on.lose(0, "reset", START, effects) == {BOOK}
    assert gaps(effects) == [(BOOK, "reset", True)]
    assert not on.book_ready
    assert not on.waits
    assert ids(take(on, trade(11, 1))) == ["11"]
    back = Effects()
    on.take_snapshot(snapshot(), START, back)
    assert gaps(back) == [(BOOK, "snapshot", False)]
    assert back.resynced == [(NAME, BOOK)]


def test_lost_trades_break_no_book_and_are_back_with_the_next_one() -> None:
    on, effects = carried(book=0, trades=1, quotes=0), Effects()
    on.lose(1, "reset", START, effects)
    on.lose(1, "reset", START, effects)
    assert gaps(effects) == [(TRADES, "reset", True)]
    assert on.book_ready
    back = take(on, trade(13, 1))
    assert gaps(back) == [(TRADES, "restored", False), (TRADES, "missing trade ids", True)]
    on.restored(TRADES, START, back)
    assert not on.waits


def test_whatever_carried_everything_interrupts_the_feed_once() -> None:
    on, effects = carried(book=0, trades=0, quotes=0), Effects()
    on.lose(0, "reset", START, effects)
    on.lose(0, "reset", START, effects)
    assert gaps(effects) == [("feed", "reset", True)]
    back = take(on, trade(11, 1))
    on.restored(TRADES, START, back)
    assert gaps(back) == []
    on.take_snapshot(snapshot(), START, back)
    assert gaps(back) == [("feed", "restored", False)]


def test_a_part_that_is_lost_inside_a_lost_feed_must_come_back_as_well() -> None:
    on, effects = carried(book=0, trades=0), Effects()
    on.lose(0, "reset", START, effects)
    on.carriers[TRADES] = 1
    take(on, trade(11, 1))
    on.restored(TRADES, START, effects)
    on.lose(1, "reset again", START, effects)
    on.take_snapshot(snapshot(), START, effects)
    assert gaps(effects) == [("feed", "reset", True)], "trades are still away"
    on.restored(TRADES, START, effects)
    assert gaps(effects)[-1] == ("feed", "restored", False)


def test_a_book_that_was_broken_before_its_socket_was_lost_closes_both_gaps() -> None:
    on, effects = carried(book=0, trades=0), Effects()
    on.lose_book("checksum", START, effects)
    on.lose(0, "reset", START, effects)
    on.restored(TRADES, START, effects)
    on.take_snapshot(snapshot(), START, effects)
    opened = [each[0] for each in gaps(effects) if each[2]]
    closed = [each[0] for each in gaps(effects) if not each[2]]
    assert sorted(opened) == sorted(closed) == [BOOK, "feed"]


def test_quotes_alone_are_a_channel_too() -> None:
    on, effects = carried(book=0, trades=0, quotes=1), Effects()
    on.lose(1, "reset", START, effects)
    on.restored(QUOTES, START, effects)
    assert gaps(effects) == [(QUOTES, "reset", True), (QUOTES, "restored", False)]


def test_smaller_ids_with_newer_times_that_continue_are_a_new_numbering() -> None:
    on = line()
    take(on, trade(50_000, 0), trade(50_001, 1))
    effects = take(on, trade(1, 600), trade(2, 601), trade(3, 602))
    assert ids(effects) == ["1", "2", "3"]
    assert gaps(effects) == [(TRADES, RENUMBERED, True), (TRADES, RENUMBERED, False)]
    assert on.ids.high == 3
    assert ids(take(on, trade(2, 601), trade(50_001, 1), trade(4, 603))) == ["4"], "repeats of both runs"


def test_a_new_numbering_may_begin_with_a_hole() -> None:
    on = line()
    take(on, trade(50_000, 0))
    effects = take(on, trade(5, 600), trade(9, 601))
    assert ids(effects) == ["5", "9"]
    missing = [(each.first, each.last) for each in effects.observations if isinstance(each, Gap)]
    assert missing == [(1, 4), (6, 8)]
    filled = Effects()
    on.fill([trade(each, 500 + each) for each in (1, 2, 3, 4, 6, 7, 8)], START, filled)
    assert ids(filled) == ["1", "2", "3", "4", "6", "7", "8"]
    assert [each[2] for each in gaps(filled)] == [False, False]


def test_trades_of_the_old_numbering_never_fill_holes_of_the_new_one() -> None:
    on = line()
    take(on, trade(3, 0), trade(50_000, 1))
    assert gaps(take(on, trade(5, 600), trade(6, 601))) == [(TRADES, RENUMBERED, True)]
    filled = Effects()
    on.fill([trade(3, 0), trade(4, 0)], START, filled)
    assert ids(filled) == []


def test_a_numbering_that_begins_far_from_one_is_not_filled_from_one() -> None:
    on = line()
    take(on, trade(50_000, 0))
    number = BACKFILLED_RESTART + 2
    effects = take(on, trade(number, 600), trade(number + 1, 601))
    assert ids(effects) == [str(number), str(number + 1)]
    assert gaps(effects) == [(TRADES, RENUMBERED, True), (TRADES, RENUMBERED, False)]


def test_what_was_seen_is_a_repeat_and_begins_nothing() -> None:
    on = line()
    take(on, trade(100, 0), trade(101, 1), trade(102, 2))
    effects = take(on, trade(100, 0), trade(101, 1), trade(102, 2), trade(103, 3))
    assert ids(effects) == ["103"]
    assert (gaps(effects), effects.rejects, on.held) == ([], [], None)


def test_a_single_stray_number_does_not_move_the_mark() -> None:
    on = line()
    take(on, trade(100, 0), trade(101, 1))
    assert ids(take(on, trade(7, 2), trade(102, 3))) == ["102"]
    effects = Effects()
    on.settle(START + HOLD_NS * 10, effects)
    assert (ids(effects), gaps(effects), on.ids.high) == ([], [], 102)
    assert [reject.reject_class for reject, _ in effects.rejects] == ["malformed"], (
        "and it is not lost silently"
    )


def test_a_single_trade_of_a_new_numbering_counts_once_the_old_one_stayed_silent() -> None:
    on = line()
    take(on, trade(100, 0))
    first = trade(1, 600)
    assert ids(take(on, first, first)) == []
    early, late = Effects(), Effects()
    on.settle(first.ts_recv + HOLD_NS - 1, early)
    on.settle(first.ts_recv + HOLD_NS, late)
    assert (ids(early), ids(late), on.ids.high) == ([], ["1"], 1)


def test_a_late_trade_that_fills_a_hole_is_no_new_numbering() -> None:
    on = line()
    effects = take(on, trade(100, 0), trade(103, 1), trade(101, 2), trade(102, 3))
    assert ids(effects) == ["100", "103", "101", "102"]
    assert gaps(effects) == [(TRADES, "missing trade ids", True), (TRADES, "backfilled", False)]
    assert on.held is None


def test_numbering_may_begin_anew_more_than_once() -> None:
    on = line()
    take(on, trade(500, 0))
    for day in range(1, 4):
        at = day * 10_000
        assert ids(take(on, trade(1, at), trade(2, at + 1), trade(3, at + 2))) == ["1", "2", "3"]


def test_trades_without_ids_are_all_admitted() -> None:
    on = line()
    assert len(ids(take(on, trade(None, 0), trade(None, 0)))) == 2


def test_a_trade_that_was_overtaken_fills_its_hole_though_the_pair_is_quiet_then() -> None:
    on = line()
    effects = take(on, trade(100, 0), trade(102, 1), trade(101, 2), trade(101, 2))
    on.settle(START + HOLD_NS * 10, effects)
    assert ids(effects) == ["100", "102", "101"]
    assert gaps(effects) == [(TRADES, "missing trade ids", True), (TRADES, "backfilled", False)]
    assert (effects.rejects, on.ids.high, on.ids.open_gaps()) == ([], 102, [])
    assert (ids(take(on, trade(103, 40))), on.ids.open_gaps()) == (["103"], [])


def test_a_number_of_a_hole_with_a_stamp_that_is_too_new_fills_it_in_the_end() -> None:
    for after in ([trade(103, 31)], []):
        on = line()
        take(on, trade(100, 0), trade(102, 1))
        assert ids(take(on, trade(101, 30), *after)) == [each.trade_id for each in after]
        effects = Effects()
        on.settle(START + HOLD_NS * 10, effects)
        assert (ids(effects), effects.rejects) == (["101"], [])
        assert gaps(effects) == [(TRADES, "backfilled", False)]


def test_a_channel_that_was_lost_before_everything_was_ends_its_gap_when_it_comes_again() -> None:
    line, effects = Line(provider="p", instrument="A-B.X", connection=0), Effects()

    def come(channel: str, connection: int) -> None:
        line.carriers[channel] = connection
        if channel == "book":
            line.book_ready = True
        line.came(channel, connection, 1, effects)

    come("bars", 0)
    come("book", 1)
    line.lose(0, "gone", 2, effects)
    come("book", 0)
    line.lose(0, "gone", 3, effects)
    line.restored("book", 4, effects)
    come("bars", 0)
    assert line.gaps == set()
    closed = [gap.channel for gap in effects.observations if isinstance(gap, Gap) and not gap.opened]
    assert closed == ["feed", "bars"]
