"""Pages of trades out of the log, forwards from a time or backwards from the head."""

from __future__ import annotations

from actors.directory import Directory
from deployments.http.schemas import TradeBody, trade_body
from domain.clock import MAX_NS
from domain.envelope import Recorded
from domain.errors import Rejected
from domain.market.observations import Trade

READ = 5_000
MAX_READS = 8
"""Reads per answer: a range with few matches is told in several pages instead of one slow answer."""
FIRST_WINDOW = 20_000
"""Offsets before the head that are looked at first for the newest trades; grows eightfold."""
MAX_WINDOWS = 8

Found = tuple[list[TradeBody], int | None]


async def trades_from(
    directory: Directory, instrument: str, after: int, start: int, end: int, count: int
) -> Found:
    """Trades with start <= ts_event < end after an offset -> (at most `count`, offset to go on from)."""
    found: list[TradeBody] = []
    for _ in range(MAX_READS):
        events = await directory.events(instrument, ("trade",), after, None, READ)
        for recorded in events:
            trade = recorded.event
            if isinstance(trade, Trade) and start <= trade.ts_event < end:
                if len(found) == count:
                    return found, after
                found.append(trade_body(trade, recorded))
            after = recorded.offset
        if len(events) < READ:
            return found, None
    return found, after


async def newest_trades(
    directory: Directory, instrument: str, until: int, end: int | None, count: int
) -> Found:
    """The newest `count` trades at or before an offset, oldest first -> (them, offset to go on from)."""
    kept: list[Recorded] = []
    width = FIRST_WINDOW
    start = until
    for _ in range(MAX_WINDOWS):
        wider = max(0, until - width)
        try:
            kept = await _between(directory, instrument, wider, until, MAX_NS if end is None else end)
        except Rejected:
            start = 0  # below the retained log: what a narrower window found is all
            break
        start = wider
        if len(kept) >= count or start == 0:
            break
        width *= 8
    page = kept[-count:]
    bodies = [trade_body(recorded.event, recorded) for recorded in page if isinstance(recorded.event, Trade)]
    more = start > 0 or len(kept) > count
    return bodies, _before(page, start) if more else None


async def _between(directory: Directory, instrument: str, start: int, until: int, end: int) -> list[Recorded]:
    kept: list[Recorded] = []
    while start < until:
        events = await directory.events(instrument, ("trade",), start, until, READ)
        kept += [
            recorded
            for recorded in events
            if isinstance(recorded.event, Trade) and recorded.event.ts_event < end
        ]
        if len(events) < READ:
            break
        start = events[-1].offset
    return kept


def _before(page: list[Recorded], start: int) -> int:
    return page[0].offset - 1 if page else start
