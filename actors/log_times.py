"""What a time is in the log: a cursor, once no open append can still land below it."""

from __future__ import annotations

import asyncio

from domain.clock import NS_PER_MS, NS_PER_S, Clock
from domain.envelope import Cursor
from domain.errors import Rejected
from storage.event_log import EventLog, Head

MARKET = "market"
HEAD_LOOK_S = 0.02
"""How often a waiting `cursor_at` looks at the heads."""


class LogTimes:
    """Of the market partitions. Methods raise Unavailable where the log cannot be reached.

    `settle_ms`: an append has reached the log, or is sealed anew, so long after its block was stamped.
    """

    def __init__(self, log: EventLog, clock: Clock, settle_ms: int) -> None:
        self._log = log
        self._clock = clock
        self._settle_ns = settle_ms * NS_PER_MS

    async def heads(self) -> Cursor:
        """Durable head of every partition that has been claimed."""
        return Cursor({head.partition: head.offset for head in await self._log.heads(MARKET)})

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        """The last offset of every partition recorded at or before a time.

        Waits while an append that is under way could still land below it: `settle_ms` for one on its way
        to the log, and then for one that has got there, as long as it takes (Unavailable past the read
        timeout). A partition whose head is later than the time cannot change there any more. Raises
        Rejected for a time that has not come yet, Gone for one before the retained log.
        """
        return await self._cursor_at(recorded_ns, None)

    async def offset_of(self, partition: str, at: int | Cursor) -> int:
        """A recorded time (ns) or a cursor -> offset. Raises Rejected for one beyond the log."""
        if not isinstance(at, Cursor):
            return (await self._cursor_at(at, partition)).at(partition)
        head = (await self.heads()).at(partition)
        if at.at(partition) > head:
            raise Rejected(f"cursor lies beyond the log: {partition!r} ends at {head}")
        return at.at(partition)

    async def _cursor_at(self, recorded_ns: int, only: str | None) -> Cursor:
        """Of one partition where `only` that is asked for: the others need not be waited for then."""
        now = self._clock.now_ns()
        if recorded_ns > now + self._settle_ns:
            raise Rejected(f"time {recorded_ns} has not come yet")
        await self._settled(recorded_ns, (recorded_ns + self._settle_ns - now) / NS_PER_S, only)
        heads = await self._heads_of(only)
        # The log itself tells of an append that stalls on its way to disk, by the lock on its head.
        open_still = (head.partition for head in heads if head.recorded_ns <= recorded_ns)
        await asyncio.gather(*map(self._log.settled, open_still))
        offsets = await asyncio.gather(*(self._log.offset_at(head.partition, recorded_ns) for head in heads))
        return Cursor({head.partition: offset for head, offset in zip(heads, offsets, strict=True)})

    async def _heads_of(self, only: str | None) -> list[Head]:
        return [head for head in await self._log.heads(MARKET) if only in (None, head.partition)]

    async def _settled(self, recorded_ns: int, wait_s: float, only: str | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while (left_s := deadline - loop.time()) > 0:
            if all(head.recorded_ns > recorded_ns for head in await self._heads_of(only)):
                return
            await asyncio.sleep(min(left_s, HEAD_LOOK_S))
