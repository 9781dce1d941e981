"""Where the last trade of an instrument is in the log."""

from __future__ import annotations

from msgspec.structs import replace

from actors.answers import LastAnswer
from actors.directory import Directory
from actors.event_pages import newest_page
from deployments.http.trades_page import TRADES
from domain.envelope import Recorded

SAME_TIME = 1_000
"""Trades of one instrument with one time among which it is looked for."""


async def placed(directory: Directory, last: LastAnswer) -> LastAnswer:
    """The answer with the trade's offset and recorded time.

    The shard knows them of what it has in memory. Of an older trade they are looked for in the log: back
    from the answer's place, then on from the trade's own time, a bounded number of blocks each. None where
    that finds nothing.
    """
    if last.trade is None or last.recorded is not None:
        return last
    for page in (newest_page(last.instrument, last.place[1]), None):
        found = await _found(directory, last, page)
        if found is not None:
            return replace(last, recorded=(found.offset, found.recorded_at))
    return last


async def _found(directory: Directory, last: LastAnswer, page: str | None) -> Recorded | None:
    trade = last.trade
    if trade is None:
        return None
    begin, end = trade.ts_event, trade.ts_event + 1
    looked = await directory.events_between(last.instrument, TRADES, begin, end, SAME_TIME, page)
    same = (each for each in looked.items if isinstance(each, Recorded) and each.event == trade)
    return max(
        (each for each in same if each.offset <= last.place[1]), key=lambda each: each.offset, default=None
    )
