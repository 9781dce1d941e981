"""Bars that have not closed yet, told a few times a second to whoever listens to the bars channel.

Provisional: without offset, never resumed, and the newest value replaces one that is still queued.
"""

from __future__ import annotations

import asyncio

from actors.answers import BarRow
from actors.directory import Directory
from deployments.ws.channels import Key
from deployments.ws.frames import forming_bar_frame
from deployments.ws.hub import Hub
from domain.errors import FinanceHubError
from domain.market.intervals import bar_start, interval_ns
from observability.log import get_log

log = get_log("forming")


class FormingBars:
    """Asks for the bars of instruments that have traded since the last round."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: dict[Key, int] = {}
        """Chain -> time of the newest trade; what one round cannot do waits for the next."""
        self.traded: dict[str, int] = {}
        """What had traded before the last round, by instrument."""

    async def tell(self) -> None:
        """One round: at most `forming_at_once` questions."""
        traded, self._hub.traded = self._hub.traded, {}
        self.traded = traded
        for key in self._hub.keys("bars"):
            if key.instrument in traded:
                self._waiting[key] = traded[key.instrument]
        now = [key for key, _ in zip(self._waiting, range(self._hub.settings.forming_at_once), strict=False)]
        await asyncio.gather(*(self._tell_one(key, self._waiting.pop(key)) for key in now))

    async def _tell_one(self, key: Key, traded_at: int) -> None:
        row = await forming_bar(self._hub.directory, key, traded_at)
        # The bar may have closed while we asked.
        if row is None or row.ts_event <= self._hub.newest_bar(key):
            return
        for lane in self._hub.lanes(key):
            lane.outbox.provisional(lane, forming_bar_frame(row, lane.outbox.codec))


async def forming_bar(directory: Directory, bars: Key, traded_at: int) -> BarRow | None:
    """The bar of a chain of bars that forms since a trade at `traded_at`, ns UTC; None where there is none
    any more, or nobody could be asked."""
    length = interval_ns(bars.variant)
    start = bar_start(traded_at, length)
    try:
        rows, _ = await directory.bars(bars.instrument, bars.variant, start, start + 2 * length, 2)
    except FinanceHubError as error:
        log.debug("forming_bar_failed", instrument=bars.instrument, error=str(error))
        return None
    return next((row for row in reversed(rows) if not row.closed), None)
