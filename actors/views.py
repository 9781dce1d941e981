"""A keeper's state as the answers of the serving side: pure functions, one per question.

The shard (now) and the Reader (a past place in the log) answer through the same functions, so that a
state `at` the head equals the state the shard tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.answers import BarRow, BookAnswer, HeldBars, LastAnswer, OrdersAnswer, Place, StateAnswer
from actors.packed import PackedBars
from domain.keeper import SymbolKeeper
from domain.market.book import OrderBook
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.figures import book_figures
from domain.market.order_queue import OrderQueue

STATE_DEPTH = 25
"""Book levels a side in a state answer."""


def last_answer(keeper: SymbolKeeper, place: Place) -> LastAnswer:
    """The newest trade, quote and ticker; each None before the first."""
    return LastAnswer(
        instrument=keeper.instrument,
        trade=keeper.last_trade,
        quote=keeper.last_quote,
        ticker=keeper.last_ticker,
        place=place,
        reference=keeper.signals.consensus(),
    )


def book_answer(keeper: SymbolKeeper, depth: int, place: Place) -> BookAnswer:
    """At most `depth` levels a side, best first; none while the book is not usable.

    The figures are over the whole book, whatever `depth`.
    """
    book = keeper.book
    bids, asks = book.top(depth) if book.usable else ((), ())
    return BookAnswer(
        instrument=keeper.instrument,
        bids=bids,
        asks=asks,
        sequence=book.sequence,
        usable=book.usable,
        ts_event=book.ts_event,
        place=place,
        figures=book_figures(book),
        venue_depth=book.depth if isinstance(book, OrderBook) else None,
        provider=keeper.record.source or None,
        by_order=isinstance(book, OrderQueue),
    )


def orders_answer(keeper: SymbolKeeper, place: Place) -> OrdersAnswer:
    """Every resting order, first in line first within a price."""
    book = keeper.book
    queue = OrderQueue.begun(book) if isinstance(book, OrderBook) else book
    return OrdersAnswer(keeper.instrument, queue.snapshot(), keeper.record.source, place)


def state_answer(keeper: SymbolKeeper, at: int, place: Place, depth: int = STATE_DEPTH) -> StateAnswer:
    """Everything known of an instrument at a place; `at` is the recorded time of that place, ns.

    Bars of all intervals that the keeper builds, shortest interval first, oldest first.
    """
    rows = [row for interval in keeper.builders for row in bar_rows(keeper, interval)]
    return StateAnswer(
        instrument=keeper.instrument,
        at=at,
        last=last_answer(keeper, place),
        book=book_answer(keeper, depth, place),
        forming=tuple(row for row in rows if not row.closed),
        bars=tuple(row for row in rows if row.closed),
        flow=keeper.flow.figures(),
        gaps_open=keeper.gaps_open,
        place=place,
        splits=keeper.splits.known(),
        indicators={} if keeper.kept is None else keeper.kept.newest(keeper.instrument),
    )


def bar_rows(keeper: SymbolKeeper, interval: str) -> list[BarRow]:
    """The closed bars the keeper still holds of an interval it builds, then the forming ones (`closed`
    False), each oldest first. Empty for an interval it does not build."""
    builder = keeper.builders.get(interval)
    if builder is None:
        return []
    closed = [bar_row(bar) for bar in builder.closed]
    return closed + [bar_row(bar, closed=False) for bar in builder.forming()]


def held(keeper: SymbolKeeper, intervals: Sequence[str], place: Place) -> HeldBars:
    """See `bar_rows`."""
    bars: dict[str, Sequence[BarRow]] = {each: PackedBars(bar_rows(keeper, each)) for each in intervals}
    return HeldBars(bars, keeper.splits.known(), place)


def bar_row(bar: BarClosed | BarCorrected, *, closed: bool = True) -> BarRow:
    """A bar built from trades. `closed` False: it still forms."""
    return BarRow(
        provider=bar.provider,
        instrument=bar.instrument,
        ts_event=bar.ts_event,
        ts_recv=bar.ts_recv,
        interval=bar.interval,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        trades=bar.trades,
        vwap=bar.vwap,
        closed=closed,
        adjusted=False,
        revision=bar.revision,
        tainted=bar.tainted,
    )
