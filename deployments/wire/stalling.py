"""When a client that takes too little is given up: by its progress, not by the time it needs in all."""

from __future__ import annotations

import asyncio
from typing import Protocol

from deployments.wire.limits import MIN_BYTES_PER_S, STALL_S

LOOKS = 4
"""Progress is read so often within the time that a client may take nothing."""
RESOLUTION_S = 0.001
"""uvloop counts milliseconds."""


class Taken(Protocol):
    """A transport that knows how many bytes its client has taken."""

    def abort(self) -> None: ...
    def taken(self) -> int: ...


class Slowness:
    """For how long a client has taken too little. At `least_bytes_per_s` or more, it never grows."""

    def __init__(self, now_s: float, taken: int, least_bytes_per_s: float = MIN_BYTES_PER_S) -> None:
        self.since_s = now_s
        self._least_bytes_per_s = least_bytes_per_s
        self._taken = taken

    def for_s(self, now_s: float, taken: int) -> float:
        """Every byte taken since the last call counts as a moment in which the client was not slow."""
        gained_s = max(0, taken - self._taken) / self._least_bytes_per_s
        self.since_s = min(now_s, self.since_s + gained_s)
        self._taken = max(taken, self._taken)
        return now_s - self.since_s


class Watch:
    """Aborts a connection once its client has been too slow for `patience_s`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: Taken, patience_s: float) -> None:
        self._loop = loop
        self._transport = transport
        self._patience_s = patience_s
        self._slowness = Slowness(loop.time(), transport.taken())
        self._timer = loop.call_later(patience_s / LOOKS, self._look)

    def cancel(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        left_s = self._patience_s - self._slowness.for_s(self._loop.time(), self._transport.taken())
        if left_s <= RESOLUTION_S:
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(min(left_s, self._patience_s / LOOKS), self._look)


class Stall:
    """Watches a connection while its transport is full."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watch: Watch | None = None

    def begins(self, transport: Taken) -> None:
        if self._watch is None:
            self._watch = Watch(self._loop, transport, STALL_S)

    def ends(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
