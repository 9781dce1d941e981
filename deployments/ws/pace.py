"""How fast one socket reads the past: as fast as its client takes it, and in turn with other users.

    page()     one reader of the socket at a time, once the client has taken most of what waits
    turn()     the gateway reads for a few users at once, each in turn
    waited()   between the events of a page: while more waits than a socket may have read ahead

Each reader of a socket would find room for itself, and all of them together would fill it many times over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from deployments.fair_turns import FairTurns
from deployments.ws.outbox import Outbox


class Pace:
    """One socket's."""

    def __init__(self, outbox: Outbox, turns: FairTurns, user: str) -> None:
        self._outbox = outbox
        self._turns = turns
        self.user = user
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def page(self) -> AsyncIterator[None]:
        """What is read inside is queued inside, too."""
        async with self._reading:
            await self._outbox.room()
            yield

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Raises Unavailable where none comes in time."""
        return self._turns.of(self.user)

    async def waited(self) -> bool:
        """Whether room had to be waited for: anything may have happened meanwhile."""
        if self._outbox.queued_bytes <= self._outbox.settings.resume_bytes:
            return False
        await self._outbox.room()
        return True
