"""The Ray side of each role: build the plain object, forward calls, report. No business here.

A shell builds its inside at the first call, so that a process that Ray has restarted comes back by
itself as soon as anybody talks to it (the supervisor does, every second). A build that fails is tried
again by the next call. One that was told to stop builds nothing any more, whoever calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import to_builtins

from actors.direct import DirectServer, Door
from actors.garbage import settle_garbage
from actors.kept_task import KeptTask, TaskHealth, reports
from actors.runtime import Runtime, WallClock
from actors.spawn import node_address, node_id
from domain.errors import FinanceHubError, Unavailable
from observability.log import configure, get_log
from observability.metrics import Sample, Telemetry

TICK_S = 0.1
TICK_CAP_S = 0.5
"""Between ticks that fail: leases and commits must be looked at again soon."""
PUBLISH_S = 5.0

log = get_log("shell")


class Shell:
    """One actor process."""

    role: ClassVar[str]
    has_door: ClassVar[bool] = False
    """Whether its inside can be called without Ray; see `actors.direct`."""
    only_reads: ClassVar[bool] = False
    """Whether any call through the door may end half-way: nothing is changed by one."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        configure(runtime.log_level)
        self.name = name
        self.runtime = runtime
        self.clock = WallClock()
        self.telemetry = Telemetry(name, otlp_endpoint=runtime.otlp_endpoint)
        self._inside: Any = None
        self._direct: DirectServer | None = None
        self._door: Door | None = None
        self._changing = asyncio.Lock()  # one build or close at a time
        self._stopped = False
        self._ticking = KeptTask("tick", self._tick, pause_s=TICK_S, retry_s=TICK_S, retry_cap_s=TICK_CAP_S)
        self._publishing = KeptTask("ray metrics", self._publish, pause_s=PUBLISH_S)
        self._bridge: Any = None

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Forward to the plain object."""
        inside = await self._ready()
        result = getattr(inside, method)(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    async def report(self) -> dict[str, Any]:
        """Raises Unavailable where a task of the inside has ended; the next call builds another inside."""
        inside = await self._ready()
        healths = self._all_healths(inside)
        if ended := [health.name for health in healths if not health.alive]:
            log.error("begins again", actor=self.name, ended=",".join(ended))
            await self._end(inside)
            raise Unavailable(f"{self.name} begins again: {', '.join(ended)} had ended")
        who = {"role": self.role, "name": self.name, "pid": os.getpid(), "node": node_id()}
        tasks = [to_builtins(report) for report in reports(healths)]
        return who | {"tasks": tasks, "troubles": self.troubles(inside)} | await self.about(inside)

    async def told(self) -> Runtime:
        """What this process was started with."""
        return self.runtime

    async def door(self) -> Door | None:
        """Where the inside can be called without Ray; None where it cannot."""
        await self._ready()
        return self._door

    async def samples(self) -> list[Sample]:
        if self._inside is not None:
            for health in self._all_healths(self._inside):
                health.measure(self.telemetry)
        return self.telemetry.collect()

    async def stop(self) -> None:
        """Drain; the process is ended by whoever asked. Calls that come from now on are refused."""
        self._stopped = True
        await self._end()

    async def build(self) -> Any:
        """Make the plain object and start it."""
        raise NotImplementedError(self.role)

    async def about(self, inside: Any) -> dict[str, Any]:
        """What this role adds to its report."""
        return {}

    def healths(self, inside: Any) -> Sequence[TaskHealth]:
        """Of every task that lives as long as the inside, the shell's own apart."""
        return ()

    def troubles(self, inside: Any) -> list[str]:
        """What does not mend itself and somebody should look at, one sentence each."""
        return []

    async def tick(self, inside: Any) -> None:
        """Called about every 100 ms."""

    async def close(self, inside: Any) -> None:
        """Give back what `build` took."""

    async def abandon(self) -> None:
        """Give back what a `build` that failed had taken: it is tried again every second."""

    async def _ready(self) -> Any:
        if self._inside is not None:
            return self._inside
        self._check_wanted()
        async with self._changing:
            self._check_wanted()
            if self._inside is None:
                self._inside = await self._build_guarded()
                settle_garbage()
                self._bridge = self._bridge or _bridge_of(self.name)
                self._ticking.start()
                self._publishing.start()
                await self._open_door()
        return self._inside

    def _check_wanted(self) -> None:
        if self._stopped:
            raise Unavailable(f"{self.name} has been stopped")

    async def _end(self, failed: Any = None) -> None:
        """Close the inside, or that very one where it is named; the next is not built before that is done."""
        async with self._changing:
            inside = self._inside
            if inside is None or (failed is not None and inside is not failed):
                return
            self._inside = None
            await self._ticking.stop()
            await self._publishing.stop()
            await self.close(inside)

    async def _open_door(self) -> None:
        if not self.has_door:
            return
        self._direct = DirectServer(self._inside, only_reads=self.only_reads)
        try:
            self._door = await self._direct.start(node_address())
        except OSError as error:
            log.warning("no direct way", actor=self.name, error=repr(error))

    def shut_door(self) -> None:
        """Before anything behind it ends; whoever asks meanwhile loses the connection and comes by Ray."""
        self._door = None
        if self._direct is not None:
            self._direct.close()

    async def _build_guarded(self) -> Any:
        try:
            return await self.build()
        except FinanceHubError:
            await self.abandon()
            raise
        except Exception as error:
            log.error("build failed", actor=self.name, exc_info=True)
            await self.abandon()
            raise Unavailable(f"{self.name} cannot start: {error!r}") from error

    async def _tick(self) -> None:
        if self._inside is not None:
            await self.tick(self._inside)

    async def _publish(self) -> None:
        if self._bridge is not None:
            self._bridge.publish(await self.samples())

    def _all_healths(self, inside: Any) -> list[TaskHealth]:
        return [*self.healths(inside), self._ticking.health, self._publishing.health]


def _bridge_of(name: str) -> Any:
    with contextlib.suppress(ImportError):
        from observability.ray_bridge import RayBridge

        return RayBridge(name)
    return None
