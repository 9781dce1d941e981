"""A feed's own partition `provider/<name>`: what happened to its connections and frames, written behind.

Bounded on both ends: a venue that sends rubbish cannot fill the log (a bucket of tokens lets a few
rejected frames through and counts the rest), and a log that does not answer cannot fill the memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from actors.backoff import Backoff
from actors.feeds.base import Reject
from actors.feeds.redaction import redact
from actors.feeds.source import Step
from domain.clock import NS_PER_S
from domain.errors import Retryable
from domain.feed_events import (
    WHOLE_FEED,
    FeedConnected,
    FeedEvent,
    FeedLost,
    FeedResynced,
    FeedSilent,
    FeedStarted,
    FrameRejected,
)

MAX_FRAME_BYTES = 4096
MAX_REASON = 500


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`reject_burst` frames are recorded at once, then one every `reject_every_s`."""

    max_waiting: int = 2000
    reject_burst: int = 20
    reject_every_s: float = 5.0
    backoff_base_s: float = 0.1
    backoff_cap_s: float = 10.0


class JournalWriter(Protocol):
    """Appends to one claimed partition."""

    async def append(self, events: Sequence[FeedEvent]) -> int:
        """Returns how many, counted from the first, are durable. Raises Retryable, Conflict when fenced."""


class Journal:
    """`note` steps as they come; `run` writes them."""

    def __init__(self, provider: str, writer: JournalWriter, settings: JournalSettings | None = None) -> None:
        self.dropped = 0
        self._provider = provider
        self._writer = writer
        self._settings = settings or JournalSettings()
        self._waiting: deque[FeedEvent] = deque()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._down: set[int] = set()
        self._tokens = float(self._settings.reject_burst)
        self._tokens_at = 0
        self._suppressed = 0

    def started(self, now: int, incarnation: int, instruments: Sequence[str]) -> None:
        self._put(FeedStarted(self._provider, now, incarnation, tuple(instruments)))

    def failed(self, now: int, error: Exception) -> None:
        """The feed ends because of an error; what follows is another incarnation."""
        reason = f"{type(error).__name__}: {error}"
        self._put(FeedLost(self._provider, now, WHOLE_FEED, reason[:MAX_REASON]))

    def note(self, step: Step) -> None:
        for connection, endpoint in step.connected:
            self._down.discard(connection)
            self._put(FeedConnected(self._provider, step.clock, connection, redact(endpoint)))
        for connection, reason in step.lost:
            self._note_loss(step.clock, connection, reason)
        for instrument, channel in step.resynced:
            self._put(FeedResynced(self._provider, step.clock, instrument, channel))
        for each in step.silences:
            self._put(
                FeedSilent(
                    self._provider, step.clock, each.connection, each.channel, each.silent_s, each.ended
                )
            )
        for reject, frame in step.rejects:
            self._note_reject(step.clock, reject, frame)

    def _note_loss(self, now: int, connection: int, reason: str) -> None:
        """Only the first of a row: an hour of vain attempts is one loss."""
        if connection not in self._down:
            self._down.add(connection)
            self._put(FeedLost(self._provider, now, connection, reason[:MAX_REASON]))

    def _note_reject(self, now: int, reject: Reject, frame: bytes) -> None:
        earned = (now - self._tokens_at) / NS_PER_S / self._settings.reject_every_s
        self._tokens = min(self._settings.reject_burst, self._tokens + max(0.0, earned))
        self._tokens_at = now
        if self._tokens < 1.0:
            self._suppressed += 1
            return
        self._tokens -= 1.0
        reason = reject.reason[:MAX_REASON]
        if self._suppressed:
            reason += f" ({self._suppressed} before it were not recorded)"
            self._suppressed = 0
        kept = frame[:MAX_FRAME_BYTES]
        self._put(FrameRejected(self._provider, now, reject.reject_class, reason, kept))

    def _put(self, event: FeedEvent) -> None:
        if len(self._waiting) >= self._settings.max_waiting:
            self.dropped += 1
            return
        self._waiting.append(event)
        self._idle.clear()
        self._changed.set()

    async def run(self) -> None:
        """For ever. Raises Conflict where another incarnation owns the partition."""
        settings = self._settings
        backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s, f"journal/{self._provider}")
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                try:
                    durable = await self._writer.append(tuple(self._waiting))
                except Retryable:
                    await asyncio.sleep(backoff.next_s())
                    continue
                backoff.reset()
                for _ in range(durable):
                    self._waiting.popleft()
            self._idle.set()

    async def written(self) -> None:
        """Wait until everything noted is durable."""
        await self._idle.wait()
