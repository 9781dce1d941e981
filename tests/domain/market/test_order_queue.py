"""The order book by order (L3), read like the book by level."""

from __future__ import annotations

from domain.market.book import Broken, Restored
from domain.market.decisions import BookBroken
from domain.market.order_queue import OrderQueue
from tests.builders import T0, a_delta, a_gap, a_snapshot, an_order
from tests.domain.folding import Folding, only

EMPTY = a_snapshot(bids=(), asks=())


def a_queue() -> OrderQueue:
    queue = OrderQueue()
    queue.apply_snapshot(EMPTY)
    for order in (
        an_order("add", "a", price=99.0, size=1.0),
        an_order("add", "b", price=99.0, size=2.0),
        an_order("add", "c", price=98.0, size=3.0),
        an_order("add", "d", side="sell", price=101.0, size=4.0),
    ):
        assert queue.apply_order(order) is None
    return queue


def test_orders_add_up_to_levels_and_keep_their_place_in_line():
    queue = a_queue()
    assert queue.top(9) == (((99.0, 3.0), (98.0, 3.0)), ((101.0, 4.0),))
    assert queue.queue("buy", 99.0) == (("a", 1.0), ("b", 2.0))


def test_a_changed_size_keeps_the_place_and_a_changed_price_loses_it():
    queue = a_queue()
    queue.apply_order(an_order("modify", "a", price=99.0, size=0.5))
    assert queue.queue("buy", 99.0) == (("a", 0.5), ("b", 2.0))
    queue.apply_order(an_order("modify", "a", price=98.0, size=0.5))
    assert queue.queue("buy", 98.0) == (("c", 3.0), ("a", 0.5))
    assert queue.top(9)[0] == ((99.0, 2.0), (98.0, 3.5))


def test_a_deleted_order_leaves_no_rounding_behind():
    queue = a_queue()
    for order_id, size in (("x", 0.1), ("y", 0.2), ("z", 0.3)):
        queue.apply_order(an_order("add", order_id, price=97.0, size=size))
    for order_id in ("x", "y", "z"):
        queue.apply_order(an_order("delete", order_id, price=97.0))
    queue.apply_order(an_order("delete", "never seen"))
    assert queue.top(9)[0] == ((99.0, 3.0), (98.0, 3.0))


def test_an_order_older_than_the_book_is_a_repeat_but_one_of_the_same_message_is_not():
    queue = OrderQueue()
    queue.apply_snapshot(a_snapshot(bids=(), asks=(), sequence=5))
    queue.apply_order(an_order("add", "a", sequence=6))
    assert queue.repeats(an_order("add", "b", sequence=5))
    assert not queue.repeats(an_order("add", "b", sequence=6))


def test_a_locked_queue_is_broken_too():
    assert a_queue().apply_order(an_order("add", "e", price=101.0)) == Broken("locked")


def test_a_crossed_queue_is_broken_until_its_snapshot():
    queue = a_queue()
    assert queue.apply_order(an_order("add", "e", price=101.5)) == Broken("crossed")
    assert queue.top(9) == ((), ())
    assert queue.apply_order(an_order("add", "f")) is None
    assert not queue.usable
    assert queue.apply_snapshot(EMPTY) == Restored(None)


def test_a_state_put_down_is_taken_up_exactly():
    queue = a_queue()
    queue.apply_order(an_order("modify", "a", price=98.0, size=0.1))
    again = OrderQueue.restored(queue.snapshot())
    assert again.snapshot() == queue.snapshot()
    assert again.top(9) == queue.top(9)
    assert again.queue("buy", 98.0) == queue.queue("buy", 98.0)


def test_the_keeper_turns_to_orders_after_a_snapshot_without_levels():
    folding = Folding()
    folding.fold(EMPTY, an_order("add", "a"), an_order("add", "d", side="sell", price=101.0), clock=T0)
    assert folding.keeper.book.usable
    assert folding.keeper.book.top(9) == (((99.0, 1.0),), ((101.0, 1.0),))
    folding.fold(a_gap("book"), clock=T0)
    assert not folding.keeper.book.usable


def test_orders_without_a_snapshot_are_not_shown():
    folding = Folding()
    folding.fold(an_order("add", "a"), clock=T0)
    assert folding.keeper.book.top(9) == ((), ())
    folding = Folding()
    folding.fold(a_snapshot(), an_order("add", "a"), clock=T0)
    assert not folding.keeper.book.usable, "levels are no orders"


def test_levels_take_over_again_with_a_snapshot_that_has_some():
    folding = Folding()
    folding.fold(EMPTY, an_order("add", "a"), clock=T0)
    folding.fold(a_delta(bids=[(99.5, 1.0)]), clock=T0)
    assert folding.keeper.book.best_bid == 99.0, "a level delta says nothing about orders"
    folding.fold(a_snapshot(), a_delta(bids=[(99.5, 1.0)]), clock=T0)
    assert folding.keeper.book.best_bid == 99.5


def test_a_crossing_order_is_a_decision():
    folding = Folding()
    folding.fold(EMPTY, an_order("add", "d", side="sell", price=101.0), clock=T0)
    broken = only(folding.fold(an_order("add", "a", price=102.0), clock=T0), BookBroken)
    assert [each.reason for each in broken] == ["crossed"]
