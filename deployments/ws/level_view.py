"""A book that the venue tells by order (L3), followed by level, as clients of the channel `book` see it.

    BookOrder ──the same fold as the owner's──> the size now of each level that it touched, as a BookDelta

One change per order and never none, so the chain is that of the recorded orders, live and on resume. It
begins with the orders at a place of the log, or with the snapshot without levels that precedes them.
"""

from __future__ import annotations

from msgspec.structs import replace

from actors.answers import BookAnswer, OrdersAnswer
from deployments.ws.event_frame import Carried
from domain.envelope import Recorded
from domain.market.gaps import BOOK_CHANNELS, concerns
from domain.market.observations import BookDelta, BookOrder, BookSnapshot, Gap, Level, Side
from domain.market.order_queue import OrderQueue
from domain.market.record_book import RecordBook


class LevelView:
    """`offset`: the last event of the log that is in it."""

    __slots__ = ("_record", "offset")

    def __init__(self, record: RecordBook, offset: int) -> None:
        self._record = record
        self.offset = offset

    @classmethod
    def seeded(cls, answer: OrdersAnswer) -> LevelView:
        return cls(RecordBook(OrderQueue.restored(answer.orders), answer.provider), answer.place[1])

    @classmethod
    def unknown(cls, offset: int) -> LevelView:
        """Before the instrument's first event."""
        return cls(RecordBook(), offset)

    def take(self, recorded: Carried) -> Carried:
        """Fold the next event; returns it as levels. What is in the book already comes back as it is."""
        event = recorded.event
        if recorded.offset <= self.offset or not isinstance(event, BookSnapshot | BookDelta | BookOrder):
            return recorded
        self.offset = recorded.offset
        if not isinstance(event, BookOrder):
            self._record.fold(event, event.ts_event)
            return recorded
        return replace(recorded, event=self._as_levels(event))

    def interrupted(self, recorded: Recorded) -> None:
        """The provider's stream or the fold says that the book is of no use until the next snapshot."""
        event = recorded.event
        if recorded.offset <= self.offset:
            return
        self.offset = recorded.offset
        if isinstance(event, Gap):
            ours = event.channel in BOOK_CHANNELS and concerns(event, self._record.source)
            if not (ours and event.opened):
                return
        self._record.book.break_()

    def answer(self, instrument: str, depth: int, partition: str, reached: int) -> BookAnswer:
        """The book at the newer of `reached` and its own place; best first."""
        book = self._record.book
        bids, asks = book.top(depth) if book.usable else ((), ())
        return BookAnswer(
            instrument=instrument,
            bids=bids,
            asks=asks,
            sequence=book.sequence,
            usable=book.usable,
            ts_event=book.ts_event,
            place=(partition, max(self.offset, reached)),
            provider=self._record.source or None,
            by_order=True,
        )

    def _as_levels(self, order: BookOrder) -> BookDelta:
        before = self._place(order.order_id)
        self._record.fold(order, order.ts_event)
        places = dict.fromkeys(place for place in (before, self._place(order.order_id)) if place is not None)
        book = self._record.book
        bids: list[Level] = []
        asks: list[Level] = []
        if isinstance(book, OrderQueue) and book.usable:
            for side, price in places:
                (bids if side == "buy" else asks).append((price, book.size_at(side, price)))
        return BookDelta(
            provider=order.provider,
            instrument=order.instrument,
            ts_event=order.ts_event,
            ts_recv=order.ts_recv,
            bids=tuple(bids),
            asks=tuple(asks),
            sequence=None if order.sequence is None else (order.sequence, order.sequence),
        )

    def _place(self, order_id: str) -> tuple[Side, float] | None:
        book = self._record.book
        return book.place(order_id) if isinstance(book, OrderQueue) else None
