"""One shell per role: how its plain object is put together, and what its report says.

`actors.launch` makes Ray actors of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from actors import spawn
from actors.archivist import Archivist, RetentionSettings
from actors.arming import Keep
from actors.connections import ConnectionManager, ConnectionSettings
from actors.feed import FeedActor
from actors.feeds.provider_log import claim_provider
from actors.feeds.source import Source
from actors.history import History
from actors.keeper_shard import KeeperShard
from actors.kept_task import KeptTask, TaskHealth
from actors.memory import keep_freed_memory
from actors.projector import FAMILIES, Projector
from actors.reader import Reader
from actors.routes import Routes
from actors.runtime import Runtime
from actors.sender import Sender
from actors.shard_settings import ShardSettings
from actors.shells import Shell
from domain.errors import Conflict, FinanceHubError
from observability.log import get_log
from storage.anchor_key import AnchorKey
from storage.checkpoints import PostgresCheckpoints
from storage.pool import MAINTENANCE_ROLE, Connection, Pool, close_pool, open_pool
from storage.postgres_log import PostgresLog
from storage.postgres_retention import PostgresRetention
from storage.projections import Projection
from storage.read_models.postgres_bars import PostgresBars
from storage.read_models.postgres_events import PostgresEvents
from storage.settings import StorageSettings
from storage.snapshots import PostgresSnapshots
from storage.writer import LogWriter

FEED_RETRY_S, FEED_RETRY_CAP_S = 1.0, 60.0
SESSION_SWEEP_TICKS = 20
ARCHIVE_TIMEOUT_S = 60.0
"""Deleting a slice is quick; counting a log of years, once after an upgrade, is less so."""

log = get_log("roles")


class _OverDatabase(Shell):
    """A shell whose inside works on the database."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        super().__init__(name, runtime)
        self._pools: list[Pool] = []

    async def connect(self) -> PostgresLog:
        settings = StorageSettings(
            dsn=self.runtime.dsn, allow_unsafe_durability=self.runtime.allow_unsafe_durability
        )
        self.pool = await self.pool_of(settings, self.runtime.service_role)
        return PostgresLog(self.pool, settings)

    async def pool_of(self, settings: StorageSettings, role: str | None) -> Pool:
        """A pool that is closed with the inside, or with the attempt to build it."""
        pool = await open_pool(settings, role=role)
        self._pools.append(pool)
        return pool

    def reader(self, event_log: PostgresLog) -> Reader:
        """Over this process's own pool."""
        history = History(event_log, PostgresSnapshots(self.pool))
        bars, checkpoints = PostgresBars(self.pool), PostgresCheckpoints(self.pool)
        events, count = PostgresEvents(self.pool), self.runtime.partition_count
        return Reader(event_log, history, bars, events, checkpoints, self.clock, count)

    async def close(self, inside: Any) -> None:
        self.shut_door()
        await self.abandon()

    async def abandon(self) -> None:
        while self._pools:
            await close_pool(self._pools.pop())

    @property
    def life(self) -> str:
        """Differs between two lives of one actor."""
        return f"{os.getpid()}-{self.clock.now_ns():x}"


class KeeperShardActor(_OverDatabase):
    """Hosts a `KeeperShard`. After a restart by Ray it takes up what the log says it owned."""

    role: ClassVar[str] = "keeper_shard"
    has_door: ClassVar[bool] = True

    async def build(self) -> KeeperShard:
        event_log = await self.connect()
        shard = KeeperShard(
            self.name,
            event_log,
            PostgresSnapshots(self.pool),
            self.clock,
            ShardSettings(),
            instance=self.life,
            partition_count=self.runtime.partition_count,
            recorder=self.telemetry,
            keep=Keep(self.runtime.keep_indicators, self.runtime.watched()),
            reader=self.reader(event_log),
        )
        if spawn.was_restarted():
            heads = await event_log.heads("market")
            await shard.begin([h.partition for h in heads if h.owner.startswith(f"{self.name}#")])
        return shard

    async def about(self, inside: KeeperShard) -> dict[str, Any]:
        stats = dict(inside.stats())
        self.telemetry.gauge("financehub.shard.queue", float(str(stats["pending_events"])))
        return {"partitions": stats.pop("partitions"), "restoring": stats.pop("restoring"), "stats": stats}

    def healths(self, inside: KeeperShard) -> Sequence[TaskHealth]:
        return inside.healths()

    def troubles(self, inside: KeeperShard) -> list[str]:
        return inside.troubles()

    async def tick(self, inside: KeeperShard) -> None:
        await inside.tick()

    async def close(self, inside: KeeperShard) -> None:
        for held in list((await self.about(inside))["partitions"]):
            try:
                await inside.release(held["partition"])
            except FinanceHubError as error:
                log.warning("not released", partition=held["partition"], error=str(error))
        self.shut_door()  # not before: who still calls learns that the partitions are elsewhere
        await inside.close()
        await super().close(inside)


class ReaderActor(_OverDatabase):
    """Hosts a `Reader`."""

    role: ClassVar[str] = "reader"
    has_door: ClassVar[bool] = True
    only_reads: ClassVar[bool] = True

    async def build(self) -> Reader:
        keep_freed_memory()
        return self.reader(await self.connect())


class ProjectorActor(_OverDatabase):
    """Hosts the `Projector`."""

    role: ClassVar[str] = "projector"

    async def build(self) -> Projector[Connection]:
        event_log = await self.connect()
        models: list[Projection[Connection]] = [PostgresBars(self.pool), PostgresEvents(self.pool)]
        projector = Projector(event_log, PostgresCheckpoints(self.pool), models)
        self._archivist = await self._make_archivist(event_log, [model.name for model in models])
        self._counted = 0
        for task in self._tasks(projector):
            task.start()
        return projector

    async def about(self, inside: Projector[Connection]) -> dict[str, Any]:
        if self._archivist is not None:
            self.telemetry.gauge("financehub.log.size", self._archivist.log_bytes)
        lags = await inside.lags()
        self.telemetry.count("financehub.projection.rows", inside.applied - self._counted)
        self._counted = inside.applied
        for name, lag in lags:
            self.telemetry.gauge("financehub.projection.lag", lag, projection=name)
        return {"projections": [{"name": name, "lag_events": lag} for name, lag in lags]}

    async def close(self, inside: Projector[Connection]) -> None:
        for task in self._tasks(inside):
            await task.stop()
        await super().close(inside)

    def healths(self, inside: Projector[Connection]) -> Sequence[TaskHealth]:
        return [task.health for task in self._tasks(inside)]

    def troubles(self, inside: Projector[Connection]) -> list[str]:
        found = [f"{name} goes no further in {place}: {why}" for (name, place), why in inside.stuck.items()]
        if self._archivist is not None:
            found += self._archivist.troubles()
        return found

    def _tasks(self, projector: Projector[Connection]) -> list[KeptTask]:
        return [projector.task, *([self._archivist.task] if self._archivist else [])]

    async def _make_archivist(self, event_log: PostgresLog, projections: list[str]) -> Archivist | None:
        """It works beside the projector, whose checkpoints it must not overtake, in a role of its own."""
        told = self.runtime
        bounds = RetentionSettings(
            max_bytes=told.log_max_bytes,
            access_max_bytes=told.log_access_max_bytes,
            max_age_days=told.log_max_age_days,
        )
        if not told.anchor_seed or not bounds.bounded():
            return None
        settings = StorageSettings(dsn=told.dsn, pool_min=0, pool_max=1, read_timeout_s=ARCHIVE_TIMEOUT_S)
        pool = await self.pool_of(settings, MAINTENANCE_ROLE if told.service_role else None)
        return Archivist(
            event_log,
            PostgresSnapshots(self.pool),
            PostgresCheckpoints(self.pool),
            PostgresRetention(pool),
            AnchorKey(told.anchor_seed),
            self.clock,
            bounds,
            projections=projections,
            families=FAMILIES,
        )


class ConnectionsActor(_OverDatabase):
    """Hosts the `ConnectionManager`."""

    role: ClassVar[str] = "connections"
    has_door: ClassVar[bool] = True

    async def build(self) -> ConnectionManager:
        event_log = await self.connect()
        limits = ConnectionSettings(max_sockets_per_user=self.runtime.sockets_per_user)
        manager = ConnectionManager(
            event_log,
            self.clock,
            limits,
            owner=f"{self.name}#{self.life}",
            cluster=spawn.cluster_life(),
        )
        await manager.start()
        self._ticks = 0
        return manager

    async def tick(self, inside: ConnectionManager) -> None:
        self._ticks += 1
        if self._ticks % SESSION_SWEEP_TICKS == 0:
            await inside.sweep()

    def healths(self, inside: ConnectionManager) -> Sequence[TaskHealth]:
        return [inside.audit.task.health]

    async def close(self, inside: ConnectionManager) -> None:
        self.shut_door()
        await inside.stop()
        await super().close(inside)


class FeedShell(_OverDatabase):
    """Hosts one incarnation of a `FeedActor` after another until it is stopped."""

    role: ClassVar[str] = "feed"

    def __init__(self, name: str, runtime: Runtime) -> None:
        super().__init__(name, runtime)
        self._routes = Routes(runtime)

    @property
    def provider(self) -> str:
        return self.runtime.feed_names()[self.name]

    async def build(self) -> FeedShell:
        event_log = await self.connect()
        self._writer_of: Callable[[], LogWriter] = lambda: LogWriter(
            event_log, f"{self.name}#{self.life}", self.clock
        )
        self._feed = self._incarnation(await self._source())
        self._spent = False
        self._asked = asyncio.Event()
        self._task = KeptTask(
            "incarnations",
            self._turn,
            pause_s=FEED_RETRY_S,
            retry_s=FEED_RETRY_S,
            retry_cap_s=FEED_RETRY_CAP_S,
            seed=self.name,
        )
        self._task.start()
        return self

    async def about(self, inside: FeedShell) -> dict[str, Any]:
        self._asked.set()
        status = self._feed.status()
        return {"feed": {field: getattr(status, field) for field in status.__struct_fields__}}

    async def close(self, inside: FeedShell) -> None:
        await self._feed.stop()
        await self._task.stop()
        await super().close(inside)

    def healths(self, inside: FeedShell) -> Sequence[TaskHealth]:
        return [self._task.health]

    async def abandon(self) -> None:
        await self._routes.close()  # else each new attempt would leave a connection with every shard
        await super().abandon()

    async def _turn(self) -> None:
        """One incarnation until it ends. Each opens a gap, so those that fail follow ever more slowly."""
        if self._spent:
            self._feed = self._incarnation(await self._source())
        self._spent = True
        try:
            await self._feed.run()
        except Conflict as error:
            log.warning("another incarnation has taken over", provider=self.provider, error=str(error))
            # The supervisor asks for this feed by name. Once it has, it is this process that should run.
            self._asked.clear()
            await self._asked.wait()
            raise

    def _incarnation(self, source: Source) -> FeedActor:
        settings = self.runtime.feeds[self.provider]
        return FeedActor(
            self.provider,
            source,
            settings.instruments,
            claim=lambda: claim_provider(self._writer_of(), self.provider),
            make_sender=self._sender,
            telemetry=self.telemetry,
        )

    def _sender(self, incarnation: int) -> Sender:
        return Sender(
            self.provider,
            incarnation,
            self.runtime.partition_count,
            self._routes.owners,
            refresh=self._routes.refresh,
            wall=True,
        )

    async def _source(self) -> Source:
        # Imported here: the other roles start faster without them.
        settings = self.runtime.feeds[self.provider]
        if self.provider == "sim":
            from actors.feeds.sim.source import SimSource

            prices = await self._routes.last_prices(settings.instruments)
            return SimSource(settings, self.clock, prices=prices)
        from actors.feeds.live import LiveSource
        from actors.feeds.registry import load_adapter

        return LiveSource(load_adapter(self.provider), settings, self.clock)


SHELLS: dict[str, type[Shell]] = {
    "keeper_shard": KeeperShardActor,
    "reader": ReaderActor,
    "projector": ProjectorActor,
    "connections": ConnectionsActor,
    "feed": FeedShell,
}
