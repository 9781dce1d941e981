"""Group commit: one append in flight over all dirty partitions while the next batches fold.

Blocks grow with the load by themselves: what folds during one append is the next block. When nobody
polls or waits, a block lingers to grow, since a row and an fsync cost the same for one event as for
thousands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from actors.recorder import SILENT, Recorder
from actors.seat import Seat
from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_S, Clock
from domain.errors import FinanceHubError, Malformed, Unavailable
from storage.block import head_after
from storage.event_log import Block
from storage.writer import LogWriter, Part

KEPT_LATENCIES = 1_024
LIVE_WITHIN_S = 60.0
"""What was received longer ago is a recording: its age says nothing about this system."""


class GroupCommit:
    """The one loop of a shard that appends. `on_commit` after each append, `on_lost` for each lost seat."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        writer: LogWriter,
        owner: str,
        monotonic: Callable[[], float],
        settings: ShardSettings,
        *,
        polled: Callable[[], bool],
        on_commit: Callable[[], None],
        on_lost: Callable[[Seat, FinanceHubError], None],
        clock: Clock,
        recorder: Recorder = SILENT,
    ) -> None:
        self._seats = seats
        self._writer = writer
        self._owner = owner
        self._monotonic = monotonic
        self._settings = settings
        self._polled = polled
        self._on_commit = on_commit
        self._on_lost = on_lost
        self._clock = clock
        self._recorder = recorder
        self._dirty = asyncio.Event()
        self._dirty_since_s = 0.0
        self._urgent = asyncio.Event()
        self.blocks = 0
        self.events = 0
        self.failures = 0
        self.latencies_s: deque[float] = deque(maxlen=KEPT_LATENCIES)

    def nudge(self, seat: Seat) -> None:
        """The seat has something to commit; much of it does not linger."""
        if not self._dirty.is_set():
            self._dirty_since_s = self._monotonic()
            self._dirty.set()
        if seat.pending_events >= self._settings.linger_events:
            self._urgent.set()

    def hurry(self) -> None:
        """Somebody waits: linger no longer."""
        self._urgent.set()

    async def turn(self) -> None:
        """Wait until something is to be committed, and commit it."""
        await self._dirty.wait()
        await self._linger()
        self._dirty.clear()
        if taken := self._take():
            await self._commit(taken)
        if not self._dirty.is_set() and any(seat.dirty for seat in self._seats.values()):
            self._dirty_since_s = float("-inf")  # what one block could not take
            self._dirty.set()

    async def _linger(self) -> None:
        """Until the oldest has waited for so long: what came during the last append has done so already."""
        linger_ms = self._settings.linger_polled_ms if self._polled() else self._settings.linger_ms
        left_s = self._dirty_since_s + linger_ms / 1e3 - self._monotonic()
        if left_s > 0.0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):  # wait_for of 3.11 may swallow a cancellation
                    await self._urgent.wait()
        else:
            await asyncio.sleep(0)
        self._urgent.clear()

    def _take(self) -> list[tuple[Seat, Part]]:
        return [
            (seat, seat.next_part(self._settings.block_events, self._settings.block_bytes))
            for seat in list(self._seats.values())
            if seat.dirty and self._in_step(seat)
        ]

    def _in_step(self, seat: Seat) -> bool:
        """The writer seals on its own heads: they must be the ones this seat has folded on."""
        held = self._writer.heads.get(seat.partition)
        if held is not None and (held.offset, held.hash) == (seat.head.offset, seat.head.hash):
            return True
        self._on_lost(seat, Unavailable(f"{seat.partition!r} is being claimed again"))
        return False

    async def _commit(self, taken: Sequence[tuple[Seat, Part]]) -> None:
        """Bring the parts into the log in one transaction, or lose the seats that they came from."""
        began_s = self._monotonic()
        try:
            written = await self._writer.append([part for _, part in taken])
        except Malformed as error:
            self.failures += 1
            await self._one_by_one(taken, error)
        except FinanceHubError as error:
            self.failures += 1
            for seat, _ in taken:
                self._on_lost(seat, error)
        else:
            self._landed([seat for seat, _ in taken], written, began_s)
            self._measure([part for _, part in taken])

    def _measure(self, parts: Sequence[Part]) -> None:
        """Once per append: how long it took, and how old the newest event of each block is now."""
        self._recorder.observe("financehub.shard.append", self.latencies_s[-1])
        self._recorder.count("financehub.shard.blocks", len(parts))
        self._recorder.count("financehub.shard.events", sum(len(part.events) for part in parts))
        now = self._clock.now_ns()
        for part in parts:
            age_s = (now - getattr(part.events[-1], "ts_recv", now)) / NS_PER_S
            if age_s < LIVE_WITHIN_S:
                self._recorder.observe("financehub.stage.received_to_durable", max(0.0, age_s))

    def _landed(self, seats: Sequence[Seat], written: Sequence[Block], began_s: float) -> None:
        self.latencies_s.append(self._monotonic() - began_s)
        self.blocks += len(written)
        self.events += sum(block.event_count for block in written)
        for seat, block in zip(seats, written, strict=True):
            if seat.lost is None:
                head = self._writer.heads.get(seat.partition) or head_after(block, self._owner)
                seat.committed(head, began_s)  # its epoch is later where the answer was lost
        self._on_commit()

    async def _one_by_one(self, taken: Sequence[tuple[Seat, Part]], error: Malformed) -> None:
        """One part cannot be encoded: a defect of the fold. The others must not suffer for it."""
        if len(taken) == 1:
            self._on_lost(taken[0][0], Unavailable(f"a block could not be encoded: {error}"))
            return
        for pair in taken:
            await self._commit([pair])

    def stats(self) -> dict[str, float | int]:
        """Counters, and the latency of the last appends in ms."""
        latencies_ms = sorted(1e3 * latency for latency in self.latencies_s)
        return {
            "blocks": self.blocks,
            "events": self.events,
            "append_failures": self.failures,
            "append_p50_ms": _quantile(latencies_ms, 0.5),
            "append_p99_ms": _quantile(latencies_ms, 0.99),
        }


def _quantile(ordered: Sequence[float], q: float) -> float:
    """Nearest rank; 0.0 of nothing."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0
