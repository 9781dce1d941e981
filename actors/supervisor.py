"""Desired topology against actual: creates what is missing, starts what Ray restarted, moves partitions.

One round a second asks every actor for its report. A keeper shard that came back empty is started with
its partitions; one that has been silent for longer than `silent_s` loses them to the others (appends
are fenced, so that needs nobody's consent) and gets a share again when it answers.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, to_builtins

from actors.kept_task import KeptTask, TaskHealth, reports
from actors.patience import Patience
from actors.replay_progress import Nearest
from actors.runtime import CONNECTIONS, PROJECTOR, Runtime
from actors.sharding import Move, assign, plan_moves
from domain.errors import FinanceHubError, Unavailable
from domain.ids import market_partitions
from observability.log import get_log

log = get_log("supervisor")


class Handle(Protocol):
    """An actor somewhere else (`actors.spawn.Remote`)."""

    name: str

    async def call(self, method: str, *args: Any, timeout_s: float = ..., **kwargs: Any) -> Any: ...

    async def report(self, timeout_s: float = ...) -> dict[str, Any]: ...

    async def samples(self, timeout_s: float = ...) -> list[Any]: ...

    async def stop(self, timeout_s: float = ...) -> None: ...

    def kill(self) -> None: ...


Spawn = Callable[[str, str], Handle]
"""(role, name) -> the running actor, created where it is missing"""


class SupervisorSettings(Struct, frozen=True, forbid_unknown_fields=True):
    round_s: float = 1.0
    round_cap_s: float = 5.0
    """Between rounds that fail one after another."""
    report_timeout_s: float = 2.0
    silent_s: float = 6.0
    start_timeout_s: float = 120.0
    """For an actor's process to begin; what it restores after that has as long as it makes progress."""
    stalled_s: float = 120.0
    """A start without any progress for so long goes on without what is missing."""
    start_look_s: float = 0.2
    topology_wait_s: float = 5.0
    stop_timeout_s: float = 20.0


class Member:
    """One actor as the supervisor last saw it."""

    def __init__(self, role: str, name: str) -> None:
        self.role = role
        self.name = name
        self.handle: Handle | None = None
        self.report: dict[str, Any] = {}
        self.state = "starting"
        self.answered_s = time.monotonic()

    @property
    def epochs(self) -> dict[str, int]:
        """partition -> epoch of what it holds or restores, or believes to."""
        return {held["partition"]: held["epoch"] for held in (*self.report.get("restoring", ()), *self.held)}

    @property
    def held(self) -> list[dict[str, Any]]:
        """What it serves."""
        held: list[dict[str, Any]] = self.report.get("partitions", [])
        return held


class Supervisor:
    """Owns the topology. `start` returns once everything serves; `task` starts and then watches."""

    def __init__(self, runtime: Runtime, spawn: Spawn, settings: SupervisorSettings | None = None) -> None:
        self._runtime = runtime
        self._spawn = spawn
        self._settings = settings or SupervisorSettings()
        self._members = {name: Member(role, name) for role, name in _desired(runtime)}
        self._partitions = [str(p) for p in market_partitions(runtime.partition_count)]
        self._owner: dict[str, str] = {}
        self._busy = asyncio.Lock()
        self._stopping = False
        self.started = False
        self._knows = asyncio.Event()
        self._turned_s = time.monotonic()
        self.asking = TaskHealth("questions to actors")
        self.task = KeptTask(
            "rounds",
            self._turn,
            pause_s=self._settings.round_s,
            retry_s=self._settings.round_s,
            retry_cap_s=self._settings.round_cap_s,
        )

    async def start(self) -> None:
        """Create every actor and place every partition; safe to call again after a restart.

        Returns once all partitions are served, but for those that cannot be restored or make no progress.
        """
        for feed in self._role("feed"):
            # Its process starts now, beside the others; what it hosts, when it is first asked.
            feed.handle = self._spawn(feed.role, feed.name)
        await self._ask_all(self._others("feed"), self._settings.start_timeout_s)
        await self._restored()
        if self._stopping:
            return
        await self._ask_all(self._role("feed"), self._settings.start_timeout_s)
        missing = [member.name for member in self._members.values() if member.state != "running"]
        if missing:
            log.warning("started without", actors=",".join(missing))
        self.started = True

    async def _restored(self) -> None:
        """Place every partition and wait until it is served, as long as any comes nearer to that.

        Every actor that has been started is asked meanwhile, so that one that dies is made again. Where a
        partition is served at the first look, the system ran before this supervisor, and so did its feeds.
        """
        patience, nearest = Patience(self._settings.stalled_s), Nearest()
        shards = self._role("keeper_shard")
        started = self._members.values() if any(shard.held for shard in shards) else self._others("feed")
        async with self._busy:
            await self._place()
        self._knows.set()
        while missing := self._missing():
            served = [held["partition"] for shard in shards for held in shard.held]
            replays = [line for shard in shards for line in shard.report.get("restoring", ())]
            if self._stopping or not patience.lasts(nearest.seen(served, replays)):
                log.error("started without", partitions=",".join(missing))
                return
            await asyncio.sleep(self._settings.start_look_s)
            async with self._busy:
                await self._refresh(started)
                await self._place()

    def _missing(self) -> list[str]:
        """Partitions that nobody serves, but for those that cannot be restored."""
        shards = self._role("keeper_shard")
        served = {held["partition"] for shard in shards for held in shard.held}
        broken = {name for shard in shards for name in shard.report.get("stats", {}).get("broken", ())}
        return sorted(set(self._partitions) - served - broken)

    def starting(self) -> dict[str, Any]:
        """How far the start is: whether it is done, what is restored now, which actors do not run yet."""
        members = self._members.values()
        return {
            "done": self.started,
            "restoring": [line for member in members for line in member.report.get("restoring", ())],
            "waiting": [member.name for member in members if member.state != "running"],
        }

    async def run(self) -> None:
        """Until cancelled: one round after another, whatever goes wrong in one."""
        await self.task.run()

    async def _turn(self) -> None:
        if self._stopping:
            return
        if not self.started:
            await self.start()
        async with self._busy:
            await self._round()
        self._turned_s = time.monotonic()

    async def topology(self) -> dict[str, str]:
        """partition -> name of its owner, also while it is restored there.

        Waits until all actors have been asked once: who has just begun knows of nobody, and a gateway would
        take partitions without an owner for empty ones. Raises Unavailable.
        """
        try:
            async with asyncio.timeout(self._settings.topology_wait_s):
                await self._knows.wait()
        except TimeoutError:
            raise Unavailable("the supervisor has not heard of all actors yet") from None
        return dict(self._owner)

    async def move(self, partition: str, target: str) -> None:
        """Hand one partition to another shard: release, adopt, directory. Returns once it serves."""
        async with self._busy:
            await self._move(Move(partition, self._owner.get(partition), target))
            await self._tell(target, "adopt", partition)

    async def system(self) -> dict[str, Any]:
        """The parts of `financehub status --json` that the actors know."""
        await self._refresh(self._members.values())
        told = [member.report for member in self._members.values()]
        return {
            "supervisor": {
                "pid": os.getpid(),
                "round_age_s": round(time.monotonic() - self._turned_s, 3),
                "tasks": [to_builtins(each) for each in reports([self.task.health, self.asking])],
            },
            "actors": [_actor_line(member) for member in self._members.values()],
            "feeds": [report["feed"] for report in told if report.get("feed")],
            "projections": [line for report in told for line in report.get("projections", ())],
        }

    async def samples(self) -> list[tuple[str, Any]]:
        """(process, metric sample) of all members that answer."""
        members = [member for member in self._members.values() if member.handle is not None]
        answers = await asyncio.gather(*(self._samples_of(member) for member in members))
        return [(member.name, s) for member, found in zip(members, answers, strict=True) for s in found]

    async def stop(self) -> None:
        """Drain in the order of the flow: feeds, shards (with snapshots), projector, the rest."""
        self._stopping = True
        async with self._busy:
            for role in ("feed", "keeper_shard", "projector", "reader", "connections"):
                await asyncio.gather(*(self._stop_member(member) for member in self._role(role)))

    def _role(self, role: str) -> list[Member]:
        return [member for member in self._members.values() if member.role == role]

    def _others(self, role: str) -> list[Member]:
        return [member for member in self._members.values() if member.role != role]

    async def _round(self) -> None:
        before = self.asking.failures
        await self._refresh(self._members.values())
        await self._place()
        if self.asking.failures == before:
            self.asking.succeeded()

    async def _refresh(self, members: Iterable[Member]) -> None:
        await self._ask_all(members, self._settings.report_timeout_s)

    async def _ask_all(self, members: Iterable[Member], timeout_s: float) -> None:
        await asyncio.gather(*(self._ask(member, timeout_s) for member in members))

    async def _ask(self, member: Member, timeout_s: float) -> None:
        try:
            member.handle = self._spawn(member.role, member.name)
            member.report = await member.handle.report(timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 - one actor, or one hiccup of Ray's, must not end supervision
            if member.state == "running" or not isinstance(error, FinanceHubError):
                self.asking.failed(error)
            member.state = "silent"
        else:
            member.state = "running"
            member.answered_s = time.monotonic()

    async def _place(self) -> None:
        """Give every partition to a shard that answers, and tell the shards."""
        shards = [member for member in self._role("keeper_shard") if self._can_own(member)]
        self._owner = _owners(shards)
        if not shards:
            return
        names = [member.name for member in shards]
        if not self._owner:
            await self._start_all(assign(self._partitions, names))
            return
        for move in plan_moves(self._owner, self._partitions, names):
            if self._is_restoring(move):
                continue  # what is put together just now moves once it is whole
            try:
                await self._move(move)
            except Exception as error:  # noqa: BLE001 - one damaged partition must not keep the others from a home
                self.asking.failed(error)
                log.error("not placed", partition=move.partition)

    def _can_own(self, member: Member) -> bool:
        """Answers now, or was silent only for a moment and holds partitions."""
        silent_s = time.monotonic() - member.answered_s
        return member.state == "running" or (bool(member.epochs) and silent_s < self._settings.silent_s)

    async def _start_all(self, placed: Mapping[str, str]) -> None:
        """All shards at once, and without waiting for what they restore."""

        async def begin(name: str) -> None:
            mine = [partition for partition, owner in placed.items() if owner == name]
            try:
                await self._tell(name, "begin", mine)
            except Exception as error:  # noqa: BLE001 - it has taken what it could; the next round sees what
                self.asking.failed(error)
                log.error("not all begun", shard=name)
            self._owner.update(dict.fromkeys(mine, name))

        await asyncio.gather(*map(begin, sorted(set(placed.values()))))

    def _is_restoring(self, move: Move) -> bool:
        source = self._members.get(move.source or "")
        if source is None or source.state != "running":
            return False
        return any(line["partition"] == move.partition for line in source.report.get("restoring", ()))

    async def _move(self, move: Move) -> None:
        if move.source is not None and self._members[move.source].state == "running":
            await self._tell(move.source, "release", move.partition)
        await self._tell(move.target, "begin", [move.partition])
        self._owner[move.partition] = move.target
        log.info("moved", partition=move.partition, source=move.source or "-", target=move.target)

    async def _tell(self, name: str, method: str, argument: object) -> None:
        handle = self._members[name].handle
        if handle is not None:
            await handle.call(method, argument, timeout_s=self._settings.start_timeout_s)

    async def _samples_of(self, member: Member) -> list[Any]:
        if member.handle is None or member.state != "running":
            return []
        try:
            return await member.handle.samples(timeout_s=self._settings.report_timeout_s)
        except Exception as error:  # noqa: BLE001 - the others' figures remain
            self.asking.failed(error)
            return []

    async def _stop_member(self, member: Member) -> None:
        if member.handle is None:
            return
        try:
            await member.handle.stop(timeout_s=self._settings.stop_timeout_s)
        except Exception as error:  # noqa: BLE001 - the others are stopped in any case
            self.asking.failed(error)
            log.warning("stopped hard", actor=member.name)
        member.handle.kill()
        member.state = "stopped"


def _desired(runtime: Runtime) -> list[tuple[str, str]]:
    """(role, name) of every actor but the supervisor itself, in starting order."""
    return [
        ("connections", CONNECTIONS),
        *(("keeper_shard", name) for name in runtime.shard_names()),
        *(("reader", name) for name in runtime.reader_names()),
        ("projector", PROJECTOR),
        *(("feed", name) for name in runtime.feed_names()),
    ]


def _owners(shards: Sequence[Member]) -> dict[str, str]:
    """partition -> owner; where a stale one still names a partition, the highest epoch is the owner."""
    claims = [(epoch, partition, shard.name) for shard in shards for partition, epoch in shard.epochs.items()]
    return {partition: name for _, partition, name in sorted(claims)}


def _actor_line(member: Member) -> dict[str, Any]:
    report = member.report
    return {
        "role": member.role,
        "name": member.name,
        "pid": report.get("pid"),
        "node": report.get("node"),
        "state": member.state,
        "partitions": report.get("partitions", []),
        "restoring": report.get("restoring", []),
        "tasks": report.get("tasks", []),
        "troubles": report.get("troubles", []),
    }
