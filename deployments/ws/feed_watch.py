"""The states of feeds for the `status` channel: asked for once a second, told when they change."""

from __future__ import annotations

from collections.abc import Callable

from actors.answers import FeedStatus
from actors.directory import Directory
from domain.errors import Retryable

EVERY_S = 1.0


class FeedWatch:
    """`known` by provider, as last told."""

    def __init__(self, directory: Directory) -> None:
        self.known: dict[str, FeedStatus] = {}
        self._directory = directory
        self._asked_at = float("-inf")

    async def look(self, now_s: float, tell: Callable[[FeedStatus], None]) -> None:
        """Calls `tell` for every feed whose state, instruments, gaps or incarnation changed."""
        if now_s - self._asked_at < EVERY_S:
            return
        self._asked_at = now_s
        try:
            feeds = await self._directory.feeds()
        except Retryable:
            return  # asked again in a second
        for status in feeds:
            before = self.known.get(status.provider)
            self.known[status.provider] = status
            if before is None or _essence(before) != _essence(status):
                tell(status)


def _essence(status: FeedStatus) -> tuple[object, ...]:
    return status.state, status.instruments, status.gaps, status.incarnation, status.connections
