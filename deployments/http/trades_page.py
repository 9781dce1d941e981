"""Pages of trades out of the log, forwards from a time or backwards from the head."""

from __future__ import annotations

from actors.answers import Page
from actors.directory import Directory
from actors.event_pages import forward_page, newest_page
from deployments.http.schemas import TradeBody, trade_body
from domain.clock import MAX_NS
from domain.envelope import Recorded
from domain.market.observations import Trade

TRADES = ("trade",)
Found = tuple[list[TradeBody], int | None]
"""(trades, oldest recorded first; the offset to go on from, None where there is no more)"""


async def trades_from(
    directory: Directory, instrument: str, after: int, until: int, start: int, end: int, count: int
) -> Found:
    """The first `count` trades with start <= ts_event < end between two offsets."""
    page = forward_page(instrument, after, max(after, until))
    return _found(await directory.events_between(instrument, TRADES, start, end, count, page))


async def newest_trades(
    directory: Directory, instrument: str, until: int, end: int | None, count: int
) -> Found:
    """The newest `count` trades before a time at or before an offset."""
    before = MAX_NS if end is None else end
    page = newest_page(instrument, until)
    return _found(await directory.events_between(instrument, TRADES, 0, before, count, page))


def _found(page: Page) -> Found:
    bodies = [
        trade_body(recorded.event, (recorded.offset, recorded.recorded_at))
        for recorded in page.items
        if isinstance(recorded, Recorded) and isinstance(recorded.event, Trade)
    ]
    return bodies, None if page.next_page is None else page.place[1]
