"""An event loop without a clock or a socket: virtual time, seeded order, processes that freeze and die.

Every callback carries the context it was scheduled in, and the context names its `Process`. So killing
a process means that none of its callbacks ever runs again (no `finally`, no cancellation: what a real
kill does), and freezing one (SIGSTOP) means that its callbacks wait while time goes on. Among the
callbacks that could run now the seed picks, which explores more orders than asyncio's own queue.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from collections.abc import Coroutine
from typing import Any

MAX_STEPS = 400_000
"""A schedule needs some 10,000 steps; far beyond it something spins."""

_CURRENT: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Stuck(AssertionError):
    """Nothing can ever run again, or a callback loop never lets time pass."""


class Process:
    """A box of tasks that freezes and dies as one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.stalled: list[asyncio.Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(_CURRENT.set, self)

    def spawn(self, loop: SimLoop, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return loop.create_task(work, context=self.context)


class SimLoop(asyncio.BaseEventLoop):
    """Deterministic for a seed: same seed, same schedule."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._ready: Any = []
        self._now_s = 0.0
        self._order = random.Random(f"order-{seed}")
        self._graveyard: list[asyncio.Handle] = []
        self.steps = 0
        self.defects: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._now_s

    def _asyncgen_finalizer_hook(self, agen: object) -> None:
        """Of a killed process: nothing of it runs again, not even to close a generator."""

    def kill(self, process: Process) -> None:
        process.dead = True
        process.frozen = False

    def freeze(self, process: Process) -> None:
        process.frozen = True

    def thaw(self, process: Process) -> None:
        process.frozen = False
        self._ready.extend(process.stalled)
        process.stalled.clear()

    def bury(self) -> None:
        """At the end: give back the coroutines of the dead and of whoever still waits."""
        for task in asyncio.all_tasks(self):
            task.get_coro().close()

    def _run_once(self) -> None:
        self._wake_due()
        handle = self._take()
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Stuck(f"no end after {MAX_STEPS} steps at {self._now_s:.3f} s")
        if handle is None or handle._cancelled:
            return
        process = handle._context.get(_CURRENT)
        if process is None or not (process.dead or process.frozen):
            handle._run()
        elif process.frozen:
            process.stalled.append(handle)
        else:
            self._graveyard.append(handle)

    def _wake_due(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._drop_timer()
        if not self._ready and not self._stopping:
            if not scheduled:
                raise Stuck(f"nothing left to run at {self._now_s:.3f} s")
            self._now_s = max(self._now_s, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now_s:
            self._ready.append(self._drop_timer())

    def _drop_timer(self) -> asyncio.TimerHandle:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False
        return timer

    def _take(self) -> asyncio.Handle | None:
        ready = self._ready
        if not ready:
            return None
        if len(ready) > 1:
            index = int(self._order.random() * len(ready))
            ready[index], ready[-1] = ready[-1], ready[index]
        return ready.pop()

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody awaited is a defect; a task of a dead process that is left is none."""
        if "exception" in context:
            self.defects.append(f"{context['message']}: {context['exception']!r}")

    def _write_to_self(self) -> None:
        raise Stuck("a thread tried to wake the loop")
