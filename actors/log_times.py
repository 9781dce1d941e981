"""What a time is in the log: a cursor, once no open append can still land below it.

Recorded time never decreases in a partition. So after a clock that had been ahead it stands still until that
time has come, and what happened meanwhile cannot be told apart by time: such times are refused.

    recorded   ... P | ahead ... R R R R R R R (R has come) ...     refused: P < time < R
    true time  ... P |       ...   ^ set right          R

P is where recorded time jumped by at least what the clock was set back by later. A clock that drifted
ahead, or was wrong for much longer than it was ahead, shows no such jump nearby: then only the times from
when it was set right until R are refused, and earlier ones are off by at most what it was set back by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from domain.clock import NS_PER_MS, NS_PER_S, Clock, format_time
from domain.envelope import Cursor
from domain.errors import Gone, Rejected, TimeUnclear
from storage.event_log import ClockStep, EventLog, Head

MARKET = "market"
MOST_LOOKS = 16
"""For the jump, each as far back as the clock was ahead: it is found if the clock was wrong no longer."""
MOST_KEPT = 1_000
"""Clock steps of which P is remembered."""
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
        self._known: dict[ClockStep, int] = {}

    async def heads(self) -> Cursor:
        """Durable head of every partition that has been claimed."""
        return Cursor({head.partition: head.offset for head in await self._log.heads(MARKET)})

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        """The last offset of every partition recorded at or before a time.

        Waits while an append that is under way could still land below it: `settle_ms` for one on its way
        to the log, and then for one that has got there, as long as it takes (Unavailable past the read
        timeout). A partition whose head is later than the time cannot change there any more. Raises
        Rejected for a time that has not come yet, Gone for one before the retained log, TimeUnclear for one
        at which the clock was wrong.
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
        await self._require_clear(recorded_ns, {head.partition for head in heads})
        return Cursor({head.partition: offset for head, offset in zip(heads, offsets, strict=True)})

    async def _require_clear(self, recorded_ns: int, partitions: Collection[str]) -> None:
        """Raises TimeUnclear where the clock of one of the partitions was wrong at that time."""
        known_ns, last_ns = recorded_ns, recorded_ns + 1
        unclear: list[ClockStep] = []
        while known_ns < last_ns:  # what is known before one step may be unclear by an earlier one
            last_ns = known_ns
            for step in await self._log.clock_steps(known_ns):
                if step.partition in partitions and (before_ns := await self._known_before(step)) < known_ns:
                    known_ns = before_ns
                    unclear.append(step)
        if unclear:
            first = unclear[0]
            since = f"between {format_time(known_ns)} and" if known_ns else "until"
            raise TimeUnclear(
                f"{format_time(recorded_ns)} names no place in {first.partition!r}: a clock was wrong"
                f" {since} {format_time(first.recorded_ns)}; ask for another time, or at a cursor",
                known_ns,
            )

    async def _known_before(self, step: ClockStep) -> int:
        """The newest time before a step that names a place. What lies before a step changes no more."""
        if step not in self._known:
            known_ns = await self._last_before_the_jump(step)
            if len(self._known) >= MOST_KEPT:
                del self._known[next(iter(self._known))]
            self._known[step] = known_ns
            return known_ns
        return self._known[step]

    async def _last_before_the_jump(self, step: ClockStep) -> int:
        """Recorded time of the last block before the clock went ahead; 0 where the log begins after that.

        Between that block and the next, recorded time jumps by at least what the clock was set back by. So of
        looks that far apart one falls between the two. Where none does, the time at which the clock was set
        right: since when it was wrong cannot be seen, and earlier times are off by no more than that step.
        """
        ahead_ns = step.recorded_ns - step.sealed_ns
        for look in range(MOST_LOOKS):
            before, after = await self._around(step.partition, step.sealed_ns - look * ahead_ns)
            if after - before >= ahead_ns:
                return before
        return step.sealed_ns

    async def _around(self, partition: str, recorded_ns: int) -> tuple[int, int]:
        """Recorded times of the last block at or before a time (0: none is left) and of the one after it."""
        try:
            offset = await self._log.offset_at(partition, recorded_ns)
        except Gone:
            return 0, recorded_ns
        following = await self._log.read(partition, offset, until=offset + 1, max_blocks=1)
        after = following[0].recorded_ns if following else recorded_ns
        if offset == 0:
            return 0, after
        try:
            last = await self._log.read(partition, offset - 1, until=offset, max_blocks=1)
        except Gone:
            return 0, after
        return last[0].recorded_ns if last else 0, after

    async def _heads_of(self, only: str | None) -> list[Head]:
        return [head for head in await self._log.heads(MARKET) if only in (None, head.partition)]

    async def _settled(self, recorded_ns: int, wait_s: float, only: str | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while (left_s := deadline - loop.time()) > 0:
            if all(head.recorded_ns > recorded_ns for head in await self._heads_of(only)):
                return
            await asyncio.sleep(min(left_s, HEAD_LOOK_S))
