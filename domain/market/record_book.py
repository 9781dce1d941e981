"""The order book of one instrument, by level or by order, and the provider it is taken from.

source A ──events──> folded                       another's: not admitted
patience with A is over ──snapshot of B──> B is the source, its snapshot the book
                        ──change of B────> B is the source, the book broken until its snapshot
"""

from __future__ import annotations

from domain.market.book import BookChange, Broken, OrderBook, Restored
from domain.market.observations import BookDelta, BookOrder, BookSnapshot
from domain.market.order_queue import OrderQueue
from domain.market.sources import Patience

BookEvent = BookDelta | BookSnapshot | BookOrder


class RecordBook:
    """`book` as it stands; `source` "" before the first snapshot. Used by the fold and whoever follows it."""

    __slots__ = ("_patience", "book", "source")

    def __init__(
        self, book: OrderBook | OrderQueue | None = None, source: str = "", patience: Patience | None = None
    ) -> None:
        self.book: OrderBook | OrderQueue = OrderBook() if book is None else book
        self.source = source
        self._patience = patience or Patience()

    def admits(self, event: BookEvent, ts: int) -> bool:
        """False for a repeat and for what a provider tells that is not the source of record.

        `ts`: its event time, clamped to the feed clock; so for `fold`.
        """
        if self.source not in ("", event.provider):
            return self._patience.is_over("book", ts, self.book.ts_event)
        book = self.book
        if type(event) is BookDelta:
            return not (isinstance(book, OrderBook) and book.repeats(event))
        return not (isinstance(event, BookOrder) and isinstance(book, OrderQueue) and book.repeats(event))

    def fold(self, event: BookEvent, ts: int) -> BookChange | None:
        """Any event that was admitted."""
        changes = self.source not in ("", event.provider)
        if changes:
            self._patience.changed("book")
        if isinstance(event, BookSnapshot):
            return self._begin(event, ts)
        if changes:
            return self._hand_over(event, ts)
        if isinstance(event, BookOrder):
            return self._order_queue().apply_order(event, ts)
        book = self.book
        return book.apply_delta(event, ts) if isinstance(book, OrderBook) else None

    def _begin(self, event: BookSnapshot, ts: int) -> BookChange | None:
        self.source = event.provider
        before = self.book
        if isinstance(before, OrderBook) or not (event.bids or event.asks):
            return before.apply_snapshot(event, ts)
        book = self.book = OrderBook()
        change = book.apply_snapshot(event, ts)
        was_broken = before.synchronised and not before.usable
        return Restored(book.sequence) if change is None and was_broken else change

    def _hand_over(self, event: BookDelta | BookOrder, ts: int) -> BookChange | None:
        """Changes of another book than this one: it waits for the new source's snapshot."""
        self.source = event.provider
        self.book.break_()
        self.book.ts_event = max(self.book.ts_event, ts)
        return Broken("source")

    def _order_queue(self) -> OrderQueue:
        """The venue publishes orders: from now on the book is kept by order."""
        book = self.book
        if isinstance(book, OrderBook):
            book = self.book = OrderQueue.begun(book)
        return book
