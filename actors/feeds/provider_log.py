"""The log partition `provider/<name>` in a feed's hands."""

from __future__ import annotations

from collections.abc import Sequence

from actors.feeds.journal import JournalWriter
from domain.errors import OutcomeUnknown
from domain.feed_events import FeedEvent
from storage.event_log import Head
from storage.writer import LogWriter, Part


class ProviderLog:
    """Appends feed events; survives a log that was away, and an append whose answer was lost.

    The incarnation stays the epoch of the first claim, whatever claims follow in our own name.
    """

    def __init__(self, writer: LogWriter, head: Head) -> None:
        self._writer = writer
        self._partition = head.partition
        self._settled = head.offset

    async def append(self, events: Sequence[FeedEvent]) -> int:
        """Returns how many events, counted from the first, are durable now.

        Raises Retryable where it cannot be known or done yet, NotOwner where another incarnation
        writes. Nobody else writes here, so a head that has moved holds the first of these events.
        """
        head = self._writer.heads.get(self._partition)
        if head is None:
            head = await self._writer.reclaim(self._partition)
        if head.offset > self._settled:
            return self._settle(head)
        try:
            await self._writer.append([Part(self._partition, (), events)])
        except OutcomeUnknown:
            return self._settle(await self._writer.reclaim(self._partition))
        return self._settle(self._writer.heads[self._partition])

    def _settle(self, head: Head) -> int:
        durable, self._settled = head.offset - self._settled, head.offset
        return durable


async def claim_provider(writer: LogWriter, provider: str) -> tuple[int, JournalWriter]:
    """Become the one feed of a provider: (incarnation, its log). Raises Unavailable."""
    head = await writer.claim(f"provider/{provider}")
    return head.epoch, ProviderLog(writer, head)
