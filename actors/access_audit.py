"""The audit of sessions: `access/NN` partitions, written behind in batches.

    record ──> queue ──(linger, or a full batch)──> one append over all partitions touched

Nobody waits for it, except who stops the process. At least once: an append whose outcome stays unknown
past the writer's own deadline is made again. One user fills no more of the log than `user_bytes_per_hour`:
what is beyond is counted in one `AuditCut` at the end of that hour.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from actors.audit_budget import AuditBudget
from actors.kept_task import KeptTask
from domain.access_events import SessionEvent
from domain.clock import Clock
from domain.errors import Conflict, FinanceHubError, Malformed
from storage.codec import encode_plain
from storage.event_log import EventLog
from storage.settings import WriterSettings
from storage.writer import LogWriter, Part


class AuditSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the audit."""

    partitions: int = 4
    """Chosen before the first session; fixed for the life of a database."""
    backlog: int = 100_000
    """Events not yet durable at which the audit says that it is `full`."""
    user_bytes_per_hour: int = 1_000_000
    """Some 1,500 events."""
    batch: int = 2_000
    linger_ms: int = 100
    stop_s: float = 10.0
    """How long a stop waits for the backlog."""
    backoff_base_s: float = 0.1
    backoff_cap_s: float = 5.0


class AccessAudit:
    """Writes one process' session events. `owner` names one life of that process."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: AuditSettings,
        *,
        owner: str,
        writer: WriterSettings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._budget = AuditBudget(monotonic, settings.user_bytes_per_hour)
        self._writer = LogWriter(log, owner, clock, writer)
        self._queue: deque[SessionEvent] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self.task = KeptTask(
            "audit",
            self._turn,
            retry_s=settings.backoff_base_s,
            retry_cap_s=settings.backoff_cap_s,
            seed=owner,
        )
        self.written = 0
        self.contested = 0
        """Times that another owner had claimed a partition: is there a second ConnectionManager?"""
        self.unwritable = 0
        """Events that no block could hold; each was logged and counted instead."""

    @property
    def backlog(self) -> int:
        """Events recorded and not known to be durable."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        return len(self._queue) >= self._settings.backlog

    def record(self, event: SessionEvent) -> None:
        """Take an event over, also when full: it is the caller who lets in no more sessions then."""
        if self._budget.admits(event):
            self._put(event)

    def sweep(self) -> None:
        """Write down what was left out of the hours that have ended."""
        for cut in self._budget.ended(self._clock.now_ns()):
            self._put(cut)

    def _put(self, event: SessionEvent) -> None:
        self._queue.append(event)
        if len(self._queue) >= self._settings.batch:
            self._filled.set()

    async def start(self) -> None:
        """Begin writing; claims its partitions when there is something to write."""
        self.task.start()

    async def stop(self) -> None:
        """Write what is left, for at most `stop_s`. What then remains is given up and stays in `backlog`."""
        if not self.task.running:
            return
        for cut in self._budget.ended(self._clock.now_ns(), early=True):
            self._put(cut)
        self._drained.clear()
        self._filled.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_s):
                await self._drained.wait()
        await self.task.stop()

    async def _turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.linger_ms / 1e3):
                await self._filled.wait()
        self._filled.clear()
        await self._drain()
        self._drained.set()

    async def _drain(self) -> None:
        while self._queue:
            batch = [self._queue[index] for index in range(min(len(self._queue), self._settings.batch))]
            try:
                await self._write(batch)
            except FinanceHubError as error:
                # Another owner's claim costs the partitions, which the next turn claims again.
                self.contested += isinstance(error, Conflict)
                if not isinstance(error, Malformed) or not self._without_unwritable(batch):
                    raise
                continue
            except Exception:
                if not self._without_unwritable(batch):
                    raise
                continue
            for _ in batch:
                self._queue.popleft()
            self.written += len(batch)

    def _without_unwritable(self, batch: Sequence[SessionEvent]) -> bool:
        """Take out what no block can hold, for it would keep all others out; whether there was any."""
        kept = [event for event in batch if self._is_writable(event)]
        for _ in batch:
            self._queue.popleft()
        self._queue.extendleft(reversed(kept))
        self.unwritable += len(batch) - len(kept)
        return len(kept) < len(batch)

    def _is_writable(self, event: SessionEvent) -> bool:
        try:
            audit_partition(event.user, self._settings.partitions)
            encode_plain([event])
        except (ValueError, TypeError, Malformed) as error:
            self.task.health.failed(error)
            return False
        return True

    async def _write(self, batch: Iterable[SessionEvent]) -> None:
        by_partition: dict[str, list[SessionEvent]] = {}
        for event in batch:
            by_partition.setdefault(audit_partition(event.user, self._settings.partitions), []).append(event)
        for partition in by_partition.keys() - self._writer.heads.keys():
            await self._writer.claim(partition)
        await self._writer.append([Part(name, (), events) for name, events in sorted(by_partition.items())])


def audit_partition(user: str, count: int) -> str:
    """The `access/NN` partition of a user among `count`."""
    digest = hashlib.blake2b(user.encode(), digest_size=8).digest()
    return f"access/{int.from_bytes(digest, 'big') % count:02d}"
