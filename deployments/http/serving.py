"""What every handler needs, and how it gets there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from litestar import Request

from actors.directory import Directory
from actors.kept_task import TaskHealth
from deployments.auth.principal import Principal
from deployments.auth.tickets import TicketBooth
from deployments.auth.tokens import Authority
from deployments.fair_turns import FairTurns, TurnSettings
from deployments.http.metrics import MetricsSource
from deployments.http.parameters import cursor_of
from deployments.instrument_index import InstrumentIndex
from domain.envelope import Cursor
from domain.errors import Unavailable

AFTER_WAIT_S = 2.0
AFTER_POLL_S = 0.02
PAST = TurnSettings(at_once=2, per_user=1, waiting_per_user=32, wait_s=15.0)
"""Questions about the past that one gateway process asks: a Reader rebuilds one state at a time."""


@dataclass(slots=True)
class Serving:
    """One per process, in the application's state."""

    directory: Directory
    authority: Authority
    booth: TicketBooth
    index: InstrumentIndex
    metrics: MetricsSource | None
    metrics_open: bool
    draining: bool = False
    past: FairTurns = field(default_factory=lambda: FairTurns("the past", PAST))
    healths: Callable[[], Sequence[TaskHealth]] = tuple
    """Of the tasks of this gateway."""

    def now_ns(self) -> int:
        return self.authority.clock.now_ns()

    def turn_at(
        self, request: Request[Any, Any, Any], at: int | Cursor | None
    ) -> AbstractAsyncContextManager[None]:
        """The caller's turn to ask about the past; about now (`at` None) nobody waits.

        Raises OverLimit, Unavailable.
        """
        return nullcontext() if at is None else self.past.of(principal(request).user)

    async def wait_for(self, after: str | None) -> Cursor | None:
        """Wait until the log has reached a cursor, with the instruments seen by then.

        Raises BadParameter, Unavailable after 2 s.
        """
        if after is None:
            return None
        cursor = cursor_of("after", after)
        until = time.monotonic() + AFTER_WAIT_S
        while not await self._reached(cursor):
            if time.monotonic() >= until:
                raise Unavailable(f"the log has not reached `after` within {AFTER_WAIT_S:g} s")
            await asyncio.sleep(AFTER_POLL_S)
        await self.index.include(cursor)
        return cursor

    async def _reached(self, cursor: Cursor) -> bool:
        heads = await self.directory.heads()
        return all(heads.at(partition) >= offset for partition, offset in cursor.offsets.items())


def serving(request: Request[Any, Any, Any]) -> Serving:
    found: Serving = request.app.state["serving"]
    return found


def principal(request: Request[Any, Any, Any]) -> Principal:
    """The caller; present on every route that is not open."""
    found: Principal = request.scope["auth"]
    return found
