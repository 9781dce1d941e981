"""What both protocols do with a client that takes nothing of what is written to it."""

from __future__ import annotations

import asyncio

from deployments.wire.limits import STALL_S


class Stall:
    """Armed while the transport is full; aborts it where that lasts."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def begins(self, transport: asyncio.Transport) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(STALL_S, transport.abort)

    def ends(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
