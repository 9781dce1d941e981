"""The order book by level: continuity, never crossed, never shown before its snapshot."""

from __future__ import annotations

from domain.market.book import Broken, OrderBook, Restored
from domain.market.decisions import BookBroken, BookRestored
from domain.market.levels import Levels
from tests.builders import T0, a_delta, a_gap, a_snapshot, at
from tests.domain.folding import Folding, only


def a_book(**snapshot: object) -> OrderBook:
    book = OrderBook()
    assert book.apply_snapshot(a_snapshot(**snapshot)) is None
    return book


def test_a_book_is_not_shown_before_its_snapshot():
    book = OrderBook()
    assert book.apply_delta(a_delta(bids=[(99.0, 1.0)])) is None
    assert not book.usable
    assert book.top(5) == ((), ())
    assert (book.best_bid, book.best_ask, book.sequence) == (None, None, None)


def test_levels_are_read_best_first():
    book = a_book(bids=[(98.0, 2.0), (99.0, 1.0), (97.0, 3.0)], asks=[(102.0, 2.0), (101.0, 1.0)])
    assert book.usable
    assert book.top(2) == (((99.0, 1.0), (98.0, 2.0)), ((101.0, 1.0), (102.0, 2.0)))
    assert (book.best_bid, book.best_ask) == (99.0, 101.0)
    assert book.top(0) == ((), ())


def test_a_delta_adds_replaces_and_deletes_levels():
    book = a_book(sequence=5)
    book.apply_delta(
        a_delta(
            bids=[(99.0, 0.0), (98.5, 4.0), (12.0, 0.0)],
            asks=[(101.0, 7.0)],
            sequence=(6, 8),
            ts=at(3),
        )
    )
    assert book.top(9) == (((98.5, 4.0), (98.0, 2.0)), ((101.0, 7.0), (102.0, 2.0)))
    assert (book.sequence, book.ts_event) == (8, at(3))


def test_a_book_is_cut_to_the_depth_of_its_subscription_after_each_change():
    book = a_book(bids=[(99.0, 1.0), (98.0, 1.0)], asks=[(101.0, 1.0), (102.0, 1.0)], depth=2)
    book.apply_delta(a_delta(bids=[(98.5, 1.0)], asks=[(100.0, 1.0)]))
    assert book.top(9) == (((99.0, 1.0), (98.5, 1.0)), ((100.0, 1.0), (101.0, 1.0)))
    book.apply_delta(a_delta(bids=[(99.0, 0.0)]))
    assert book.top(9)[0] == ((98.5, 1.0),), "the level that was cut must not come back"


def test_a_delta_that_does_not_continue_the_book_breaks_it():
    book = a_book(sequence=10)
    assert book.apply_delta(a_delta(sequence=(11, 12), prev_sequence=10)) is None
    assert book.apply_delta(a_delta(sequence=(14, 15), prev_sequence=13)) == Broken("gap", 12, 13)
    assert not book.usable
    assert book.top(1) == ((), ())


def test_the_first_delta_after_a_snapshot_may_begin_before_it():
    book = a_book(sequence=10)
    assert book.apply_delta(a_delta(bids=[(98.9, 1.0)], sequence=(8, 12), prev_sequence=7)) is None
    assert book.usable
    assert book.apply_delta(a_delta(sequence=(11, 14), prev_sequence=10)) == Broken("gap", 12, 10)


def test_the_first_delta_after_a_snapshot_may_not_begin_after_it():
    assert a_book(sequence=10).apply_delta(a_delta(sequence=(13, 14), prev_sequence=12)) == Broken(
        "gap", 10, 12
    )


def test_a_delta_wholly_at_or_before_the_book_is_a_repeat():
    book = a_book(sequence=10)
    repeat = a_delta(bids=[(99.0, 0.0)], sequence=(9, 10), prev_sequence=8)
    assert book.repeats(repeat)
    assert book.apply_delta(repeat) is None
    assert book.best_bid == 99.0
    assert not book.repeats(a_delta(sequence=(10, 11)))
    assert not book.repeats(a_delta())


def test_a_delta_that_crosses_the_book_breaks_it():
    for price, reason in ((101.0, "locked"), (101.5, "crossed"), (105.0, "crossed")):
        book = a_book()
        assert book.apply_delta(a_delta(bids=[(price, 1.0)])) == Broken(reason)
        assert not book.usable
        assert book.top(9) == ((), ())


def test_a_delta_is_judged_as_a_whole():
    book = a_book()
    assert book.apply_delta(a_delta(bids=[(101.0, 1.0)], asks=[(101.0, 0.0)])) is None
    assert (book.best_bid, book.best_ask) == (101.0, 102.0)


def test_a_crossed_snapshot_is_refused():
    book = OrderBook()
    crossed = a_snapshot(bids=[(102.0, 1.0)], asks=[(101.0, 1.0)])
    assert book.apply_snapshot(a_snapshot(bids=[(101.0, 1.0)])) == Broken("locked")
    assert book.apply_snapshot(crossed) == Broken("crossed")
    assert not book.usable
    assert book.apply_snapshot(a_snapshot()) == Restored(None)


def test_initial_synchronisation_restores_nothing():
    folding = Folding()
    assert folding.fold(a_gap("book"), clock=T0) == [a_gap("book")]
    assert folding.fold(a_snapshot(), clock=T0) == [a_snapshot()]
    assert folding.keeper.book.usable


def test_a_gap_makes_the_book_unusable_until_a_snapshot_restores_it():
    for channel in ("book", "feed"):
        folding = Folding()
        folding.fold(a_snapshot(sequence=3), clock=T0)
        assert only(folding.fold(a_gap(channel), clock=T0), BookBroken) == []
        assert not folding.keeper.book.usable
        assert folding.keeper.gaps_open == (f"{channel}: connection lost",)
        folding.fold(a_gap(channel, opened=False), a_delta(bids=[(99.5, 1.0)]), clock=T0)
        assert not folding.keeper.book.usable, "only a snapshot can restore it"
        restored = only(folding.fold(a_snapshot(sequence=9), clock=T0), BookRestored)
        assert [decision.sequence for decision in restored] == [9]
        assert folding.keeper.book.usable
        assert folding.keeper.gaps_open == ()


def test_a_gap_in_another_channel_leaves_the_book_alone():
    folding = Folding()
    folding.fold(a_snapshot(), a_gap("trades"), clock=T0)
    assert folding.keeper.book.usable


def test_a_broken_book_is_a_decision_that_says_what_was_expected():
    folding = Folding()
    folding.fold(a_snapshot(sequence=3), clock=T0)
    folding.fold(a_delta(sequence=(4, 4), prev_sequence=3), clock=T0)
    broken = only(folding.fold(a_delta(sequence=(7, 7), prev_sequence=6), clock=T0), BookBroken)
    assert [(each.reason, each.expected, each.got) for each in broken] == [("gap", 4, 6)]
    again = folding.fold(a_delta(sequence=(9, 9), prev_sequence=8), clock=T0)
    assert only(again, BookBroken) == [], "a broken book is not broken again"


def test_a_repeated_delta_is_no_event_of_the_log():
    folding = Folding()
    folding.fold(a_snapshot(sequence=3), clock=T0)
    assert folding.fold(a_delta(sequence=(2, 3)), clock=T0) == []
    assert folding.partition.repeats == 1


def test_a_state_put_down_is_taken_up_exactly():
    book = a_book(sequence=10, depth=3)
    book.apply_delta(a_delta(bids=[(98.9, 1.0)], sequence=(11, 11), prev_sequence=10))
    again = OrderBook.restored(book.snapshot())
    assert again.snapshot() == book.snapshot()
    assert (again.top(9), again.sequence, again.usable) == (book.top(9), 11, True)


def test_levels_of_one_side_stay_sorted_under_any_change():
    bids = Levels(1)
    for price in (3.0, 1.0, 2.0, 5.0, 4.0):
        bids.set(price, price)
    bids.set(5.0, 0.0)
    bids.set(9.0, 0.0)
    bids.set(2.0, 7.0)
    assert bids.top(9) == ((4.0, 4.0), (3.0, 3.0), (2.0, 7.0), (1.0, 1.0))
    bids.cut(2)
    assert bids.top(9) == ((4.0, 4.0), (3.0, 3.0))
    assert bids.best == 4.0
