"""The whole system in one process and one event loop: the Directory over plain objects, without Ray.

    HandFeed -> KeeperShards -> log <- Projector -> read models
                     ^           ^                      ^
                     +-- LocalDirectory --- Reader -----+

Serving tests and the simulation talk to it as deployments talk to the actors; `feed` puts observations
in. Everything it runs is the production code of those objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from actors.answers import FeedStatus, PollReply
from actors.arming import Keep
from actors.connections import ConnectionManager, ConnectionSettings, Named, SessionInfo
from actors.hand_feed import HandFeed
from actors.history import History, HistorySettings
from actors.keeper_shard import KeeperShard
from actors.kept_task import KeptTask, reports
from actors.projector import Projector, ProjectorSettings
from actors.reader import Reader, ReaderSettings
from actors.routed_directory import READ_S, RoutedDirectory, merge
from actors.runtime import WallClock
from actors.shard_settings import ShardSettings
from actors.sharding import assign
from actors.stores import Stores, memory_stores
from domain.clock import Clock
from domain.envelope import Cursor
from domain.errors import Conflict, NotOwner, Unavailable
from domain.keeper_state import PartitionSettings
from domain.market.observations import InstrumentInfo, Observation

Answer = TypeVar("Answer")

CALL_S = 2.0
"""How long a call looks for the owner of a partition that moves."""
RETRY_S = 0.02
TICK_S = 0.1


class LocalSettings(Struct, frozen=True):
    """Production defaults, but blocks do not linger: a test should not wait for 20 ms."""

    shard: ShardSettings = ShardSettings(linger_ms=0.0, linger_polled_ms=0.0)
    fold: PartitionSettings = PartitionSettings()
    reader: ReaderSettings = ReaderSettings()
    history: HistorySettings = HistorySettings()
    projector: ProjectorSettings = ProjectorSettings()
    connections: ConnectionSettings = ConnectionSettings()
    keep: Keep = Keep()
    projecting: bool = True
    """False: the read models move only when `projected` is called."""


class LocalDirectory(RoutedDirectory):
    """`Directory` in one process. Open it with `over_memory` or `over`, and `close` it."""

    def __init__(
        self,
        stores: Stores[Any],
        *,
        partition_count: int,
        shard_count: int,
        clock: Clock,
        settings: LocalSettings,
        instance: str,
    ) -> None:
        super().__init__(partition_count)
        self.clock = clock
        self.stores = stores
        history = History(stores.log, stores.snapshots, settings.fold, settings.history)
        self.reader = Reader(
            stores.log,
            history,
            stores.bars,
            stores.events,
            stores.checkpoints,
            clock,
            partition_count,
            settings.reader,
        )
        self.shards = {
            name: KeeperShard(
                name,
                stores.log,
                stores.snapshots,
                clock,
                settings.shard,
                instance=instance,
                partition_count=partition_count,
                fold_settings=settings.fold,
                keep=settings.keep,
                reader=self.reader,
            )
            for name in (f"keeper-shard-{index}" for index in range(shard_count))
        }
        self.routes: dict[str, KeeperShard] = {}
        self.projector = Projector(stores.log, stores.checkpoints, stores.projections, settings.projector)
        self.connections = ConnectionManager(
            stores.log, clock, settings.connections, owner=f"connections#{instance}"
        )
        self._feeds: dict[str, HandFeed] = {}
        self._tasks = [KeptTask("tick", self._tick, pause_s=TICK_S, retry_s=TICK_S, retry_cap_s=TICK_S)]
        if settings.projecting:
            self._tasks.append(self.projector.task)

    @classmethod
    async def over_memory(
        cls,
        partition_count: int = 4,
        *,
        shard_count: int = 1,
        clock: Clock | None = None,
        settings: LocalSettings | None = None,
    ) -> LocalDirectory:
        """A started system over a log in memory."""
        return await cls.over(
            memory_stores(),
            partition_count=partition_count,
            shard_count=shard_count,
            clock=clock,
            settings=settings,
        )

    @classmethod
    async def over(
        cls,
        stores: Stores[Any],
        *,
        partition_count: int = 4,
        shard_count: int = 1,
        clock: Clock | None = None,
        settings: LocalSettings | None = None,
        instance: str = "1",
    ) -> LocalDirectory:
        """A started system over any stores; `instance` differs between two lives over the same ones."""
        directory = cls(
            stores,
            partition_count=partition_count,
            shard_count=shard_count,
            clock=clock or WallClock(),
            settings=settings or LocalSettings(),
            instance=instance,
        )
        await directory.start()
        return directory

    async def start(self) -> None:
        """Give every partition to its shard and begin to project, audit and keep leases."""
        for partition, name in assign(self._partitions, self.shards).items():
            await self._adopt(partition, name)
        await self.connections.start()
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop everything; the stores keep what is durable."""
        for task in self._tasks:
            await task.stop()
        await self.connections.stop()
        for shard in self.shards.values():
            await shard.close()

    async def feed(
        self, observations: Sequence[Observation], provider: str = "sim", *, clock: int | None = None
    ) -> Cursor:
        """Hand observations in as that provider's feed; the heads once they are durable.

        `clock`: the feed's time for all of them, ns UTC; else it follows their `ts_recv`. A bar closes
        when the clock passes its end by the allowance: `beat` moves the clock alone.
        """
        await (await self._hand_feed(provider)).observe(observations, clock)
        self.projector.nudge()
        return await self.heads()

    async def beat(self, clock: int, provider: str = "sim") -> Cursor:
        """Move the feed's clock; the heads once what became due is durable."""
        await (await self._hand_feed(provider)).beat(clock)
        await self.instruments()
        self.projector.nudge()
        return await self.heads()

    async def restart_feed(self, provider: str = "sim") -> None:
        """The next `feed` is a new incarnation of the provider's feed."""
        self._feeds.pop(provider, None)

    async def projected(self) -> None:
        """Wait until the read models have everything that is durable."""
        await self.projector.catch_up()

    async def move(self, partition: str, shard: str) -> None:
        """Hand a partition to another shard: stop intake, drain, snapshot, release, adopt."""
        await self.routes[partition].release(partition)
        await self._adopt(partition, shard)

    # Directory

    async def instruments(self, *, fresh: bool = False) -> Sequence[InstrumentInfo]:
        found = [info for shard in self._owners() for info in await shard.instruments()]
        return sorted(found, key=lambda info: info.instrument)

    async def poll(self, after: Mapping[str, int], *, wait_s: float) -> PollReply:
        """One poll at each owner concerned; the first that has something ends the others' waiting."""
        asked: dict[KeeperShard, dict[str, int]] = {}
        for partition, offset in after.items():
            asked.setdefault(self._owner(partition), {})[partition] = offset
        loop = asyncio.get_running_loop()
        waiting = {loop.create_task(shard.poll(offsets, wait_s)) for shard, offsets in asked.items()}
        try:
            return await _first_reply(waiting)
        finally:
            for task in waiting:
                task.cancel()

    async def feeds(self) -> Sequence[FeedStatus]:
        return [feed.status() for _, feed in sorted(self._feeds.items())]

    async def sell_ticket(self, ticket: str, user: str) -> None:
        self.connections.sell_ticket(ticket, user)

    async def open_session(
        self, session: str, user: str, role: str, expires_at: int, gateway: str, ticket: str | None = None
    ) -> None:
        self.connections.open_session(session, user, role, expires_at, gateway, ticket)

    async def subscribed(self, session: str, named: Named) -> None:
        self.connections.subscribed(session, named)

    async def close_session(self, session: str, code: int, reason: str) -> None:
        self.connections.close_session(session, code, reason)

    async def register_gateway(
        self, gateway: str, sessions: Sequence[SessionInfo], opening: Sequence[str] = ()
    ) -> int:
        return await self.connections.admit_gateway(gateway, sessions, opening)

    async def renew_gateway(self, gateway: str) -> int:
        return self.connections.renew(gateway)

    async def leave_gateway(self, gateway: str) -> None:
        await self.connections.leave(gateway)

    async def system(self) -> Mapping[str, object]:
        lags = await self.projector.lags()
        return {
            "actors": [
                {"role": "keeper_shard", "name": name, "state": "running", **_told_of(shard)}
                for name, shard in self.shards.items()
            ],
            "feeds": [asdict(status) for status in await self.feeds()],
            "projections": [{"name": name, "lag_events": lag} for name, lag in lags],
            "sessions": len(self.connections),
        }

    async def _adopt(self, partition: str, name: str) -> None:
        shard = self.shards[name]
        await shard.start([partition])
        self.routes[partition] = shard

    async def _hand_feed(self, provider: str) -> HandFeed:
        feed = self._feeds.get(provider)
        if feed is None:
            feed = await HandFeed.started(provider, self.stores.log, self.partition_count, self.routes)
            self._feeds[provider] = feed
        return feed

    def _owners(self) -> list[KeeperShard]:
        return list(dict.fromkeys(self.routes.values()))

    def _owner(self, partition: str) -> KeeperShard:
        if partition not in self.routes:
            raise Unavailable(f"nobody owns {partition!r}")
        return self.routes[partition]

    async def _ask_owner(self, instrument: str, method: str, *args: Any, **named: Any) -> Any:
        partition = self.partition_of(instrument)
        deadline = asyncio.get_running_loop().time() + CALL_S
        while True:
            try:
                return await getattr(self._owner(partition), method)(*args, **named)
            except NotOwner:
                if asyncio.get_running_loop().time() >= deadline:
                    raise Unavailable(f"{partition!r} has found no owner within {CALL_S} s") from None
            await asyncio.sleep(RETRY_S)

    async def _ask_reader(self, method: str, *args: Any, timeout_s: float = READ_S, **named: Any) -> Any:
        """In the same process there is nobody to wait for: no timeout."""
        return await getattr(self.reader, method)(*args, **named)

    async def _tick(self) -> None:
        for shard in self.shards.values():
            await shard.tick()
        await self.connections.sweep()


async def _first_reply(waiting: set[asyncio.Task[PollReply]]) -> PollReply:
    """The replies that are there once one has something, or all have come. Raises where none did."""
    reply = PollReply(events={}, behind={}, epochs={})
    failure: Exception = Unavailable("no partition was asked for")
    answered = False
    pending = waiting
    while pending and not (reply.events or reply.behind):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            try:
                merge(reply, task.result())
                answered = True
            except (Conflict, Unavailable) as error:
                failure = error
    if not answered:
        raise Unavailable(str(failure))
    return reply


def _told_of(shard: KeeperShard) -> dict[str, object]:
    tasks = [to_builtins(report) for report in reports(shard.healths())]
    return {"partitions": shard.stats()["partitions"], "tasks": tasks, "troubles": shard.troubles()}
