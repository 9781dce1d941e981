"""Who takes part in a schedule besides the feeds: shards, pollers and readers, in processes that can die."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actors.answers import LastAnswer, PollReply
from actors.arming import Keep
from actors.history import History
from actors.intake import Ack
from actors.keeper_shard import KeeperShard
from actors.reader import Reader as BarsReader
from domain.envelope import Recorded
from domain.errors import FinanceHubError, Unavailable
from domain.ids import market_partition
from storage.block import events_of
from storage.codec import decode_batch
from storage.memory import MemoryCheckpoints
from storage.read_models.bars import MemoryBars
from storage.read_models.events import MemoryEvents
from tests.simulation.loop import Process
from tests.simulation.network import SimLog, SimSnapshots

if TYPE_CHECKING:
    from tests.simulation.world import World

KEPT = ("sma(3)@1s", "rsi(2)@1s", "ema(2)@1m")
"""Indicators that every shard is to keep up."""
CALL_TIMEOUT_S = 2.0
LOOK_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 0.8


class Slot:
    """A shard's address: the process behind it changes from life to life."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.lives = 0
        self.process = Process(name)
        self.process.dead = True
        self.shard: KeeperShard | None = None

    def begin(self) -> None:
        """Start a life without partitions; whoever places them comes next."""
        world = self.world
        self.lives += 1
        self.process = Process(f"{self.name}#{self.lives}")
        self.shard = self.process.context.run(self._make)
        self.process.spawn(world.loop, self._tick(self.shard))

    def _make(self) -> KeeperShard:
        world = self.world
        log, clock = SimLog(world.network, world.log, world.note_claim), world.wall_clock()
        snapshots = SimSnapshots(world.network, world.snapshots)
        # Nothing is projected here: what the keepers no longer hold is read from the log.
        reader = BarsReader(
            log,
            History(log, snapshots, world.fold_settings),
            MemoryBars(),
            MemoryEvents(),
            MemoryCheckpoints(),
            clock,
            world.partition_count,
        )
        return KeeperShard(
            self.name,
            log,
            snapshots,
            clock,
            world.shard_settings,
            instance=str(self.lives),
            partition_count=world.partition_count,
            fold_settings=world.fold_settings,
            writer_settings=world.writer_settings,
            monotonic=world.loop.time,
            keep=Keep(KEPT),
            reader=reader,
        )

    async def _tick(self, shard: KeeperShard) -> None:
        while True:
            await asyncio.sleep(0.25)
            try:
                await shard.tick()
            except Unavailable:
                continue
            finally:
                if shard.defects:
                    self.world.loop.defects.append(f"a commit of {shard.owner} fell over")

    def restored(self) -> int:
        """How often the present life made a partition's state from the log."""
        return 0 if self.shard is None else int(str(self.shard.stats()["restored"]))

    async def ask(self, method: str, *args: Any) -> Any:
        """A call over the network to whoever lives here when it arrives; raises Unavailable."""

        async def work() -> Any:
            if self.shard is None:
                raise Unavailable(f"{self.name} is down")
            return await getattr(self.shard, method)(*args)

        try:
            return await asyncio.wait_for(self.world.network.call(lambda: self.process, work), CALL_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(f"{self.name} does not answer") from None

    async def observe(self, payload: list[tuple[str, bytes]]) -> list[Ack]:
        acks = await self.ask("observe", list(payload))
        for (partition, encoded), ack in zip(payload, acks, strict=True):
            batch = decode_batch(encoded)
            self.world.held += ack.refusal == "held"
            if ack.durable and batch.events:
                await self.world.truth.acknowledged(partition, batch)
        return acks

    async def last(self, instrument: str) -> LastAnswer:
        """The answer is judged at the moment it leaves the shard."""

        async def work() -> LastAnswer:
            shard = self.shard
            if shard is None:
                raise Unavailable(f"{self.name} is down")
            answer = await shard.last(instrument)
            await self.world.truth.answered(shard.owner, answer, self.world.loop.time())
            return answer

        return await asyncio.wait_for(self.world.network.call(lambda: self.process, work), READ_TIMEOUT_S)


class Routes:
    """A process's own, maybe old, view of who owns what."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.slots: dict[str, Slot] = dict(world.owners)

    async def refresh(self) -> None:
        async def work() -> Mapping[str, Slot]:
            return dict(self._world.owners)

        self.slots.update(await self._world.network.call(lambda: self._world.directory, work))

    async def look(self) -> None:
        """Refresh, or be content with the old view."""
        try:
            await asyncio.wait_for(self.refresh(), LOOK_TIMEOUT_S)
        except (TimeoutError, FinanceHubError):
            await asyncio.sleep(0.1)


class Poller:
    """A gateway's process: one cursor over everything, one poll per shard at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cursor = dict.fromkeys(world.partitions, 0)
        self.resumes = 0
        self.process = Process("poller")
        self._routes = Routes(world)
        self._log = SimLog(world.network, world.log, lambda _head: None)

    def begin(self) -> None:
        for slot in self.world.slots:
            self.process.spawn(self.world.loop, self._follow(slot))

    async def _follow(self, slot: Slot) -> None:
        while True:
            mine = {p: self.cursor[p] for p, owner in self._routes.slots.items() if owner is slot}
            if mine:
                await self._once(slot, mine)
            else:
                await asyncio.sleep(0.3)
                await self._routes.look()

    async def _once(self, slot: Slot, mine: dict[str, int]) -> None:
        try:
            reply: PollReply = await slot.ask("poll", mine, 0.5, 40)
            for partition, events in reply.events.items():
                await self._take(partition, events)
            for partition, until in reply.behind.items():
                await self._resume(partition, until)
        except FinanceHubError:
            await asyncio.sleep(0.1)
            await self._routes.look()
        else:
            if len(reply.epochs) < len(mine):
                await self._routes.look()

    async def _resume(self, partition: str, until: int) -> None:
        """Memory no longer reaches back: read the log."""
        self.resumes += 1
        blocks = await self._log.read(partition, self.cursor[partition], until=until, max_blocks=8)
        await self._take(partition, [one for block in blocks for one in events_of(block)])

    async def _take(self, partition: str, events: list[Recorded]) -> None:
        """Two owners may be asked for the same at once; what is known already is passed over."""
        new = [recorded for recorded in events if recorded.offset > self.cursor[partition]]
        if new:
            cursor, self.cursor[partition] = self.cursor[partition], new[-1].offset
            await self.world.truth.polled(partition, new, cursor)


class Reader:
    """Asks for the last of some instrument: mostly where its map points, sometimes anybody."""

    def __init__(self, world: World, instruments: list[str]) -> None:
        self.world = world
        self.process = Process("reader")
        self._instruments = instruments
        self._routes = Routes(world)
        self._random = random.Random(f"reader-{world.seed}")

    def begin(self) -> None:
        self.process.spawn(self.world.loop, self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.02, 0.15))
            instrument = self._random.choice(self._instruments)
            slot = self._routes.slots[market_partition(instrument, self.world.partition_count)]
            if self._random.random() < 0.3:
                slot = self._random.choice(self.world.slots)
            try:
                await slot.last(instrument)
            except (FinanceHubError, TimeoutError):
                await self._routes.look()
