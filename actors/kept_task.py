"""A loop that must not end: one turn after another, whatever a turn raises.

    turn ── returns ──> pause ──> next turn
      └──── raises ───> counted, logged ──> back-off, capped and jittered ──> next turn

Every task that lives as long as its actor or gateway is a `KeptTask`. `financehub status` and the metrics
show the health of each, so that a loop that fails at every turn looks different from one that works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from actors.backoff import Backoff
from actors.recorder import Recorder
from domain.errors import FinanceHubError
from observability.log import get_log

log = get_log("kept")

MAX_ERROR = 300


class TaskReport(Struct, frozen=True):
    """One line of `tasks` in `financehub status --json`. `failing`: the newest turn has failed."""

    task: str
    alive: bool
    failing: bool
    failures: int
    error: str | None


class TaskHealth:
    """How a recurring piece of work does. Also for work that another loop begins again when it is due."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.failing = False
        self.failures = 0
        self.turns = 0
        self.error: str | None = None
        """The newest failure; it stays after the work has recovered."""
        self._reported = 0

    def succeeded(self) -> None:
        self.turns += 1
        self.failing = False

    def failed(self, error: BaseException) -> None:
        """Count and log it: with a traceback where it is none of our own errors, for then it is a defect."""
        self.failing = True
        self.failures += 1
        self.error = _described(error)
        if isinstance(error, FinanceHubError):
            log.warning("turn_failed", task=self.name, error=self.error)
        else:
            log.error("turn_failed", task=self.name, error=self.error, exc_info=error)

    def report(self) -> TaskReport:
        return TaskReport(self.name, self.alive, self.failing, self.failures, self.error)

    def measure(self, recorder: Recorder) -> None:
        """Record the failures since the last call, and whether it does its work now."""
        if self.failures > self._reported:
            recorder.count("financehub.task.failures", self.failures - self._reported, task=self.name)
            self._reported = self.failures
        recorder.gauge("financehub.task.failing", float(self.failing or not self.alive), task=self.name)


class KeptTask:
    """`turn` again and again until `stop`. It either returns soon or waits for what it serves.

    `pause_s` is waited after each turn that went well. The back-off grows while turns fail one after another;
    one that had lasted for longer than its cap counts as the first. `failed` is told every error.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[], Awaitable[object]],
        *,
        pause_s: float | Callable[[], float] = 0.0,
        retry_s: float = 0.1,
        retry_cap_s: float = 5.0,
        seed: str = "",
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self.health = TaskHealth(name)
        self.health.alive = False
        self._turn = turn
        self._pause_s = pause_s
        self._backoff = Backoff(retry_s, retry_cap_s, seed or name)
        self._retry_cap_s = retry_cap_s
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, unless it runs already."""
        if not self.running:
            self._task = asyncio.get_running_loop().create_task(self.run(), name=self.health.name)
            self._task.add_done_callback(self._ended)
            self.health.alive = True

    async def stop(self) -> None:
        """Cancel it and wait for its end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Until cancelled."""
        self.health.alive = True
        try:
            while True:
                pause_s = await self._one_turn()
                await asyncio.sleep(pause_s)
        finally:
            self.health.alive = False

    def _ended(self, _task: asyncio.Task[None]) -> None:
        """Also of one that was cancelled before its first step."""
        self.health.alive = self.running

    async def _one_turn(self) -> float:
        """Seconds until the next one."""
        began_s = asyncio.get_running_loop().time()
        try:
            await self._turn()
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._after(RuntimeError(f"what it waited for was cancelled: {error!r}"), began_s)
        except Exception as error:  # noqa: BLE001 - counted, logged, shown; the loop must go on
            return self._after(error, began_s)
        self.health.succeeded()
        self._backoff.reset()
        return self._pause_s if isinstance(self._pause_s, float | int) else self._pause_s()

    def _after(self, error: Exception, began_s: float) -> float:
        self.health.failed(error)
        if asyncio.get_running_loop().time() - began_s > self._retry_cap_s:
            self._backoff.reset()
        if self._failed is not None:
            self._failed(error)
        return self._backoff.next_s()


def reports(healths: Iterable[TaskHealth]) -> list[TaskReport]:
    """In the order given."""
    return [health.report() for health in healths]


def _is_cancelled() -> bool:
    """Whether somebody wants the running task to end, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _described(error: BaseException) -> str:
    text = str(error) if isinstance(error, FinanceHubError) and str(error) else repr(error)
    return text[:MAX_ERROR]
