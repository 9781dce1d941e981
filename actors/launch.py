"""Starting and stopping all actors of an instance, through their supervisor.

The supervisor, and whoever starts the instance, make actors through here; nobody else does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from msgspec import convert

from actors import spawn
from actors.kept_task import TaskHealth
from actors.patience import Patience
from actors.replay_progress import Restoring, restoring_line
from actors.roles import SHELLS
from actors.runtime import SUPERVISOR, Runtime
from actors.shells import Shell
from actors.supervisor import Handle, Supervisor
from domain.errors import Conflict, FinanceHubError, NotFound, Unavailable
from observability.log import get_log

GONE_LOOK_S = 0.1
START_LOOK_S = 0.25
DRAIN_S = 15.0
"""For actors whose starter was killed: what they have acknowledged is in the log anyhow."""
RESOURCES = {"keeper_shard": "keeper", "feed": "feed"}
"""Custom resources of cluster.yaml that place a role, where the cluster offers them."""

log = get_log("launch")


def spawner(runtime: Runtime) -> Callable[[str, str], Handle]:
    """Creates, or finds, the actor of a role."""
    known: dict[str, Handle] = {}
    places = {name: place for place, name in enumerate(runtime.shard_names())}

    def make(role: str, name: str) -> Handle:
        if name not in known or not spawn.exists(name):
            known[name] = spawn.spawn(
                SHELLS[role], name, runtime, resource=RESOURCES.get(role), place=places.get(name)
            )
        return known[name]

    return make


class SupervisorActor(Shell):
    """Hosts the `Supervisor`, which makes all the others."""

    role: ClassVar[str] = "supervisor"

    async def build(self) -> Supervisor:
        supervisor = Supervisor(self.runtime, spawner(self.runtime))
        supervisor.task.start()
        return supervisor

    async def about(self, inside: Supervisor) -> dict[str, Any]:
        return {"start": inside.starting()}

    def healths(self, inside: Supervisor) -> Sequence[TaskHealth]:
        return [inside.task.health, inside.asking]

    async def close(self, inside: Supervisor) -> None:
        await inside.task.stop()
        await inside.stop()


async def start_supervisor(
    runtime: Runtime,
    still_s: float,
    *,
    tell: Callable[[str], None] = lambda _text: None,
    given_up: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the supervisor and wait until everything serves, as long as anything moves.

    `tell` hears what is restored. False once `given_up`. Raises Unavailable where nothing moves.
    """
    return await until_started(
        spawn.spawn(SupervisorActor, SUPERVISOR, runtime), Patience(still_s), tell=tell, given_up=given_up
    )


async def until_started(
    supervisor: Handle, patience: Patience, *, tell: Callable[[str], None], given_up: Callable[[], bool]
) -> bool:
    """See `start_supervisor`."""
    while not given_up():
        start, seen = await _start_of(supervisor)
        if start.get("done"):
            return True
        if not patience.lasts(seen):
            raise Unavailable(f"the start has not moved for {patience.still_s:g} s: {seen}")
        if line := restoring_line(convert(each, Restoring) for each in start.get("restoring", ())):
            tell(line)
        await asyncio.sleep(START_LOOK_S)
    return False


async def _start_of(supervisor: Handle) -> tuple[dict[str, Any], object]:
    """(how far the start is, what changes while it moves)."""
    try:
        start: dict[str, Any] = (await supervisor.report())["start"]
    except Unavailable as error:
        return {}, str(error)
    return start, start


async def clear_the_place(runtime: Runtime, timeout_s: float) -> None:
    """Actors of an earlier life of this very instance, left in a cluster, are stopped; others are not ours.

    Before anything else is done in a Ray that may be shared. Raises Conflict, also for those of another
    build: two builds never work on one log at a time.
    """
    found = await asyncio.to_thread(spawn.running_names)
    if not found:
        return
    if SUPERVISOR in found:
        theirs: Runtime = await spawn.find(SUPERVISOR).runtime()
        if (theirs.build, theirs.dsn) == (runtime.build, runtime.dsn):
            log.warning("stopping the actors of an earlier life", actors=",".join(found))
            await stop_supervisor(min(timeout_s, DRAIN_S))
            found = await _end_all(timeout_s)
    if found:
        raise Conflict(
            f"actors of another instance or build run in this Ray: {', '.join(found)}; stop them first"
        )


async def _end_all(timeout_s: float) -> list[str]:
    """End what did not drain, and wait until no actor of ours has a name any more; returns those that do."""
    deadline = time.monotonic() + timeout_s
    for name in await asyncio.to_thread(spawn.running_names):
        with contextlib.suppress(NotFound):
            spawn.find(name).kill()
    while left := await asyncio.to_thread(spawn.running_names):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(GONE_LOOK_S)
    return left


async def stop_supervisor(timeout_s: float) -> None:
    """Drain everything; what does not drain in time is left to die with Ray."""
    try:
        supervisor = spawn.find(SUPERVISOR)
        await supervisor.stop(timeout_s=timeout_s)
        supervisor.kill()
    except FinanceHubError as error:
        log.warning("stopped hard", error=str(error))
