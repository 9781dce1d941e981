"""The order book of a venue that publishes every order (L3), read by price level like the L2 book.

It begins with a BookSnapshot without levels, after which each resting order comes as an `add`. A
`modify` of an order not known carries its whole state and adds it; a `delete` of one not known changes
nothing, because it rested beyond the depth that the venue shows. Each order is judged by itself: of one
message the deletes and reductions come before the adds, or a book that only moved would look crossed.
"""

from __future__ import annotations

from math import fsum

from msgspec import Struct

from domain.market.book import BookChange, Broken, OrderBook, Restored, Status, overlapping
from domain.market.levels import Levels
from domain.market.observations import BookOrder, BookSnapshot, Level, Side

MAX_ORDERS = 100_000
"""Beyond it the book is broken rather than wrong."""

Order = tuple[str, Side, float, float]
"""(order id, side, price, size)"""


class OrderQueueState(Struct, frozen=True, array_like=True):
    status: Status
    sequence: int | None
    ts_event: int
    orders: tuple[Order, ...]


class OrderQueue:
    """L3 book of one instrument; orders of a price in the order of their arrival.

    A changed price sends an order to the end of the new price's queue, a changed size does not move it.
    A level's size is summed over its orders anew after each change, so that no rounding remains behind.
    """

    __slots__ = ("_levels", "_orders", "_queues", "_status", "sequence", "ts_event")

    def __init__(self) -> None:
        self._orders: dict[str, tuple[Side, float]] = {}
        self._queues: dict[tuple[Side, float], dict[str, float]] = {}
        self._levels: dict[Side, Levels] = {"buy": Levels(1), "sell": Levels(-1)}
        self._status: Status = "unsynced"
        self.sequence: int | None = None
        self.ts_event = 0

    @classmethod
    def begun(cls, book: OrderBook) -> OrderQueue:
        """From the level book that the snapshot without levels left behind; else not usable."""
        queue = cls()
        if book.usable and book.top(1) == ((), ()):
            queue._status, queue.sequence, queue.ts_event = "usable", book.sequence, book.ts_event
        return queue

    @property
    def usable(self) -> bool:
        return self._status == "usable"

    @property
    def synchronised(self) -> bool:
        """Whether there ever was a snapshot."""
        return self._status != "unsynced"

    @property
    def best_bid(self) -> float | None:
        return self._levels["buy"].best

    @property
    def best_ask(self) -> float | None:
        return self._levels["sell"].best

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """(bids, asks) by level, best first; both empty while not usable."""
        return self._levels["buy"].top(depth), self._levels["sell"].top(depth)

    def queue(self, side: Side, price: float) -> tuple[tuple[str, float], ...]:
        """(order id, size) at a price, first in line first."""
        return tuple(self._queues.get((side, price), {}).items())

    def place(self, order_id: str) -> tuple[Side, float] | None:
        """(side, price) at which an order rests."""
        return self._orders.get(order_id)

    def size_at(self, side: Side, price: float) -> float:
        """The level's size, as `top` tells it; 0 where nothing rests."""
        return fsum(self._queues.get((side, price), {}).values())

    def repeats(self, order: BookOrder) -> bool:
        """Whether an order is older than the book; the orders of one message share a sequence."""
        if self.sequence is None or order.sequence is None:
            return False
        return order.sequence < self.sequence

    def apply_snapshot(self, snapshot: BookSnapshot, ts_event: int | None = None) -> BookChange | None:
        """Begin anew; the orders follow."""
        was_broken = self._status == "broken"
        self._clear()
        self._status = "usable"
        self.sequence = None if snapshot.sequence is None else snapshot.sequence[1]
        self.ts_event = snapshot.ts_event if ts_event is None else ts_event
        return Restored(self.sequence) if was_broken else None

    def apply_order(self, order: BookOrder, ts_event: int | None = None) -> BookChange | None:
        """Without effect while not usable, and for a repeat."""
        if self._status != "usable" or self.repeats(order):
            return None
        if order.action == "delete" or order.size <= 0.0:
            self._remove(order.order_id)
        else:
            self._put(order.order_id, order.side, order.price, order.size)
        if order.sequence is not None:
            self.sequence = order.sequence
        self.ts_event = max(self.ts_event, order.ts_event if ts_event is None else ts_event)
        return self._check()

    def _check(self) -> Broken | None:
        bid, ask = self.best_bid, self.best_ask
        if bid is not None and ask is not None and bid >= ask:
            self.break_()
            return overlapping(bid, ask)
        if len(self._orders) > MAX_ORDERS:
            self.break_()
            return Broken("overflow")
        return None

    def _put(self, order_id: str, side: Side, price: float, size: float) -> None:
        place = (side, price)
        if self._orders.get(order_id) != place:
            self._remove(order_id)
            self._orders[order_id] = place
        self._queues.setdefault(place, {})[order_id] = size
        self._sum(place)

    def _remove(self, order_id: str) -> None:
        place = self._orders.pop(order_id, None)
        if place is not None:
            del self._queues[place][order_id]
            self._sum(place)

    def _sum(self, place: tuple[Side, float]) -> None:
        side, price = place
        queue = self._queues[place]
        self._levels[side].set(price, fsum(queue.values()))
        if not queue:
            del self._queues[place]

    def break_(self) -> None:
        """Unusable until the next snapshot. Without effect on a book that never had one."""
        if self._status == "usable":
            self._status = "broken"
        self._clear()
        self.sequence = None

    def _clear(self) -> None:
        self._orders.clear()
        self._queues.clear()
        for levels in self._levels.values():
            levels.clear()

    def snapshot(self) -> OrderQueueState:
        orders = tuple(
            (order_id, place[0], place[1], self._queues[place][order_id])
            for order_id, place in self._orders.items()
        )
        return OrderQueueState(self._status, self.sequence, self.ts_event, orders)

    @classmethod
    def restored(cls, state: OrderQueueState) -> OrderQueue:
        book = cls()
        for order_id, side, price, size in state.orders:
            book._put(order_id, side, price, size)
        book._status = state.status
        book.sequence = state.sequence
        book.ts_event = state.ts_event
        return book
