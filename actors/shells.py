"""The Ray side of each role: build the plain object, forward calls, report. No business here.

A shell builds its inside at the first call, so that a process that Ray has restarted comes back by
itself as soon as anybody talks to it (the supervisor does, every second). A build that fails is tried
again by the next call.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from typing import Any, ClassVar

from actors.garbage import settle_garbage
from actors.runtime import Runtime, WallClock
from actors.spawn import node_id
from domain.errors import FinanceHubError, Unavailable
from observability.log import configure, get_log
from observability.metrics import Sample, Telemetry

TICK_S = 0.1
BRIDGE_EVERY_TICKS = 50

log = get_log("shell")


class FailedForGood(Exception):
    """What runs inside has ended by itself, for the reason that this was raised from."""


def still_running(task: asyncio.Task[None]) -> None:
    """Raises FailedForGood where a task has ended with an error."""
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise FailedForGood(task.get_name()) from error


class Shell:
    """One actor process."""

    role: ClassVar[str]

    def __init__(self, name: str, runtime: Runtime) -> None:
        configure(runtime.log_level)
        self.name = name
        self.runtime = runtime
        self.clock = WallClock()
        self.telemetry = Telemetry(name, otlp_endpoint=runtime.otlp_endpoint)
        self._inside: Any = None
        self._building: asyncio.Lock | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Forward to the plain object."""
        inside = await self._ready()
        result = getattr(inside, method)(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def report(self) -> dict[str, Any]:
        """Raises Unavailable where the inside has failed for good; the next call builds another one."""
        inside = await self._ready()
        who = {"role": self.role, "name": self.name, "pid": os.getpid(), "node": node_id()}
        try:
            return who | await self.about(inside)
        except FailedForGood as failure:
            log.error("begins again", actor=self.name, error=repr(failure.__cause__))
            await self.stop()
            raise Unavailable(f"{self.name} has failed and begins again") from None

    async def told(self) -> Runtime:
        """What this process was started with."""
        return self.runtime

    async def samples(self) -> list[Sample]:
        return self.telemetry.collect()

    async def stop(self) -> None:
        """Drain; the process is ended by whoever asked."""
        if self._ticking is not None:
            self._ticking.cancel()
        if self._inside is not None:
            inside, self._inside = self._inside, None
            await self.close(inside)

    async def build(self) -> Any:
        """Make the plain object and start it."""
        raise NotImplementedError(self.role)

    async def about(self, inside: Any) -> dict[str, Any]:
        """What this role adds to its report."""
        return {}

    async def tick(self, inside: Any) -> None:
        """Called about every 100 ms."""

    async def close(self, inside: Any) -> None:
        """Give back what `build` took."""

    async def _ready(self) -> Any:
        if self._inside is not None:
            return self._inside
        if self._building is None:
            self._building = asyncio.Lock()
        async with self._building:
            if self._inside is None:
                self._inside = await self._build_guarded()
                settle_garbage()
                self._ticking = asyncio.create_task(self._tick_forever(self._inside))
        return self._inside

    async def _build_guarded(self) -> Any:
        try:
            return await self.build()
        except FinanceHubError:
            raise
        except Exception as error:
            log.error("build failed", actor=self.name, exc_info=True)
            raise Unavailable(f"{self.name} cannot start: {error!r}") from error

    async def _tick_forever(self, inside: Any) -> None:
        bridge = self._bridge()
        turn = 0
        while True:
            await asyncio.sleep(TICK_S)
            turn += 1
            try:
                await self.tick(inside)
                if bridge is not None and turn % BRIDGE_EVERY_TICKS == 0:
                    bridge.publish(self.telemetry.collect())
            except FinanceHubError as error:
                log.warning("tick failed", actor=self.name, error=str(error))
            except Exception:
                log.error("tick failed", actor=self.name, exc_info=True)

    def _bridge(self) -> Any:
        with contextlib.suppress(ImportError):
            from observability.ray_bridge import RayBridge

            return RayBridge(self.name)
        return None
