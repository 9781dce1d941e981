"""One schedule: a small system under a seeded run of misfortunes, then quiet, then the reckoning."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from actors.seat import Seat
from actors.shard_settings import ShardSettings
from domain.clock import NS_PER_MS, NS_PER_S
from domain.errors import FinanceHubError
from domain.ids import market_partitions
from domain.keeper_state import PartitionSettings
from storage.event_log import Head
from storage.memory import MemoryLog, MemorySnapshots
from storage.settings import WriterSettings
from tests.simulation.feed_truth import Violation
from tests.simulation.feeds import REFERENCE, TIME_RUNS, Feed, Line, Role, Venue
from tests.simulation.loop import Process, SimLoop
from tests.simulation.network import Network
from tests.simulation.parties import Poller, Reader, Slot
from tests.simulation.truth import Truth

START_NS = 1_700_000_000 * NS_PER_S
CHAOS_S = 8.0
QUIET_S = 60.0
FEEDS = ("feed0", "feed1", "feed2")
ROLES: tuple[tuple[Role, ...], ...] = (
    ("home", "witness", "second"),
    ("home", "second"),
    ("home", "witness"),
    ("home", "second", "witness"),
    ("home", "echo"),
)
"""Of each instrument, for feeds in turn."""


KINDS = ("anomaly_found", "pattern_found", "source_changed", "bar_closed", "bar_corrected", "book_broken")


class SkewedClock:
    """A host's wall clock: a little off, and off by another bit on each host."""

    def __init__(self, loop: SimLoop, skew_ns: int) -> None:
        self._loop = loop
        self._skew_ns = skew_ns

    def now_ns(self) -> int:
        return START_NS + self._skew_ns + int(self._loop.time() * NS_PER_S)


class World:
    """Two shards, three partitions, three feeds that bring the same instruments, a poller, a reader;
    everything follows from the seed."""

    def __init__(self, seed: int, log: MemoryLog | None = None) -> None:
        self.seed = seed
        self.loop = SimLoop(seed)
        self.random = random.Random(f"world-{seed}")
        self.network = Network(self.loop, seed)
        self.log = log or MemoryLog()
        self.snapshots = MemorySnapshots()
        self.partition_count = 3
        self.partitions = [str(partition) for partition in market_partitions(self.partition_count)]
        self.fold_settings = PartitionSettings(keep_bars=5)
        self.writer_settings = WriterSettings(
            deadline_s=2.0, max_attempts=6, first_delay_s=0.05, max_delay_s=0.4
        )
        self.shard_settings = ShardSettings(
            linger_ms=15.0,
            linger_polled_ms=3.0,
            intake_events=120,
            fold_slice_events=10,
            timer_slice=1,
            recent_events=60,
            lease_s=1.0,
            snapshot_events=40,
            snapshot_min_s=0.0,
            snapshot_s=2.0,
            recover_backoff_cap_s=0.5,
        )
        self.truth = Truth(self.log, self.snapshots, self.fold_settings, self.shard_settings.lease_s)
        self.directory = Process("directory")
        self.slots = [Slot(self, f"keeper-{number}") for number in range(2)]
        self.owners = {p: self.random.choice(self.slots) for p in self.partitions}
        self.start_ns = START_NS
        self.feeds = self._make_feeds()
        told = {line.venue.instrument for feed in self.feeds for line in feed.lines}
        self.poller = Poller(self)
        self.reader = Reader(self, [*sorted(told), REFERENCE])
        self.placing = asyncio.Lock()
        self.story: list[str] = []
        self.held = 0
        self.set_clocks = 0

    def _make_feeds(self) -> list[Feed]:
        """Each line of an instrument is another feed's."""
        lines: list[list[Line]] = [[] for _ in FEEDS]
        for number, roles in enumerate(ROLES):
            venue = Venue(f"C{number}.SIM", FEEDS[number % 3])
            for step, role in enumerate(roles):
                feed = (number + step) % 3
                of = Venue(venue.instrument, FEEDS[feed]) if role in ("witness", "echo") else venue
                lines[feed].append(Line(of, role))
        return [Feed(self, name, lines[number]) for number, name in enumerate(FEEDS)]

    def wall_clock(self) -> SkewedClock:
        return SkewedClock(self.loop, self.random.randrange(-40, 40) * NS_PER_MS)

    def now_ns(self) -> int:
        """What time it is where the feeds live; it runs faster there."""
        return START_NS + int(self.loop.time() * TIME_RUNS * NS_PER_S)

    def note_claim(self, head: Head) -> None:
        self.truth.claimed(head, self.loop.time())

    def tell(self, what: str) -> None:
        self.story.append(f"{self.loop.time():7.3f} {what}")

    def run(self) -> dict[str, int]:
        """The whole schedule; counts of what happened. Raises Violation, or Stuck."""
        asyncio.set_event_loop(None)
        try:
            return self.loop.run_until_complete(self._run())
        finally:
            self.loop.bury()
            self.loop.close()

    async def _run(self) -> dict[str, int]:
        for party in (*self.slots, *self.feeds, self.poller, self.reader):
            party.begin()
        watching = self.loop.create_task(self._keep_placed())
        await self._chaos()
        await self._calm()
        await self._until(
            self._settled,
            "partitions owned, all that was added durable and polled, all figures armed, no book lost",
        )
        watching.cancel()
        return await self._reckon()

    async def _chaos(self) -> None:
        misfortunes: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (4, self._kill_a_shard),
            (4, self._freeze_a_shard),
            (4, self._move),
            (2, self._seize),
            (4, self._trouble),
            (2, self._log_outage),
            (3, self._kill_a_feed),
            (2, self._freeze_the_poller),
            (2, self._set_a_feeds_clock),
            (2, self._hush_a_feed),
        ]
        weights = [weight for weight, _ in misfortunes]
        while self.loop.time() < CHAOS_S:
            await asyncio.sleep(self.random.uniform(0.1, 1.4))
            [(_, misfortune)] = self.random.choices(misfortunes, weights)
            self.loop.create_task(misfortune())

    async def _calm(self) -> None:
        self.tell("calm")
        await asyncio.sleep(4.0)
        self.network.trouble = 0.0
        self.network.log_is_out = False
        self.loop.thaw(self.poller.process)
        for slot in self.slots:
            self.loop.thaw(slot.process)
            if slot.process.dead:
                slot.begin()
        for feed in self.feeds:
            feed.stopping = True

    async def _until(self, reached: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline_s = self.loop.time() + QUIET_S
        while not await reached():
            if self.truth.violations:
                raise self.truth.violations[0]
            if self.loop.time() > deadline_s:
                raise Violation(f"not within {QUIET_S} s of calm: {what}")
            await asyncio.sleep(0.2)

    async def _settled(self) -> bool:
        for feed in self.feeds:
            if feed.sender is not None and feed.sender.failure is not None:
                raise Violation(f"{feed.name} failed: {feed.sender.failure!r}")
        drained = all(feed.finished and feed.sender.buffered == 0 for feed in self.feeds)
        placed = all(self._seat(partition) is not None for partition in self.partitions)
        heads = {head.partition: head.offset for head in await self.log.heads("market")}
        polled = heads == {p: o for p, o in self.poller.cursor.items() if p in heads}
        return drained and placed and polled and all(self._armed()) and not self._lost_books()

    async def _reckon(self) -> dict[str, int]:
        events = 0
        for partition in self.partitions:
            seat = self._seat(partition)
            if seat is None:
                raise Violation(f"{partition} has no owner after the calm")
            await seat.durable(seat.eventful)
            live = seat.market.expose(seat.places()).whole()
            events += await self.truth.check(partition, live)
        if self.truth.violations:
            raise self.truth.violations[0]
        if self.loop.defects:
            raise Violation(f"defects: {self.loop.defects}")
        return {
            "events": events,
            "armed": sum(self._armed()),
            "steps": self.loop.steps,
            "reads": self.truth.reads,
            "resumes": self.poller.resumes,
            "restored": sum(slot.restored() for slot in self.slots),
            "held": self.held,
            "unknown": self.network.unknown,
            "set": self.set_clocks,
            "lost": self.network.lost,
            "duplicated": self.network.duplicated,
            "restarts": self.truth.restarts,
            "tainted": self.truth.tainted,
            "let_go": self.truth.let_go,
            **{f"of_{kind}": self.truth.kinds[kind] for kind in KINDS},
            "lives": sum(party.lives for party in (*self.slots, *self.feeds)),
        }

    def _armed(self) -> list[bool]:
        """Of each instrument with closed bars: whether all is kept up that is wanted."""
        markets = [seat.market for seat in map(self._seat, self.partitions) if seat is not None]
        armed = []
        for market in markets:
            for info in market.instruments():
                keeper, found = market.keeper(info.instrument), market.indicators.armed(info.instrument)
                if keeper is not None and keeper.builders["1s"].closed:
                    armed.append(set(found.get("1s", ())) == {"sma(3)", "rsi(2)"})
        return armed

    def _lost_books(self) -> list[str]:
        """Whoever brings one has been asked for it, and is alive."""
        markets = [seat.market for seat in map(self._seat, self.partitions) if seat is not None]
        keepers = [market.keeper(info.instrument) for market in markets for info in market.instruments()]
        return [keeper.instrument for keeper in keepers if keeper is not None and keeper.book_lost]

    def _seat(self, partition: str) -> Seat | None:
        shard = self.owners[partition].shard
        return None if shard is None else shard._seats.get(partition)

    # Misfortunes

    async def _kill_a_shard(self) -> None:
        slot = self.random.choice(self.slots)
        if slot.process.dead:
            return
        self.tell(f"kill {slot.process.name}")
        self.loop.kill(slot.process)
        slot.shard = None
        await asyncio.sleep(self.random.uniform(0.05, 1.5))
        if slot.process.dead:
            slot.begin()

    async def _freeze_a_shard(self) -> None:
        process = self.random.choice(self.slots).process
        self.tell(f"freeze {process.name}")
        self.loop.freeze(process)
        if self.random.random() < 0.6:
            await asyncio.sleep(self.random.uniform(0.0, 0.5))
            await self._seize()
        await asyncio.sleep(self.random.uniform(0.1, 3.0))
        self.tell(f"thaw {process.name}")
        self.loop.thaw(process)

    async def _freeze_the_poller(self) -> None:
        self.tell("freeze the poller")
        self.loop.freeze(self.poller.process)
        await asyncio.sleep(self.random.uniform(0.5, 4.0))
        self.loop.thaw(self.poller.process)

    async def _kill_a_feed(self) -> None:
        feed = self.random.choice(self.feeds)
        self.tell(f"kill {feed.process.name}")
        self.loop.kill(feed.process)
        feed.begin()

    async def _set_a_feeds_clock(self) -> None:
        """Ahead by days, or back: a live feed ends then and begins again by the new time."""
        feed = self.random.choice(self.feeds)
        feed.ahead_ns = 0 if feed.ahead_ns else self.random.choice((60, 2 * 86_400)) * NS_PER_S
        self.tell(f"set the clock of {feed.process.name} {feed.ahead_ns / NS_PER_S:.0f} s ahead")
        self.set_clocks += 1
        self.loop.kill(feed.process)
        feed.begin()

    async def _hush_a_feed(self) -> None:
        """It lives, and its venues say nothing."""
        feed = self.random.choice(self.feeds)
        self.tell(f"hush {feed.process.name}")
        feed.quiet_until_s = self.loop.time() + self.random.uniform(1.0, 8.0)
        await asyncio.sleep(0)

    async def _trouble(self) -> None:
        self.tell("trouble")
        self.network.trouble = self.random.uniform(0.1, 0.6)
        await asyncio.sleep(self.random.uniform(0.3, 2.0))
        self.network.trouble = 0.0

    async def _log_outage(self) -> None:
        self.tell("the log is out")
        self.network.log_is_out = True
        await asyncio.sleep(self.random.uniform(0.1, 3.0))
        self.network.log_is_out = False

    async def _move(self) -> None:
        """Orderly: release, adopt, then the directory."""
        async with self.placing:
            partition = self.random.choice(self.partitions)
            source = self.owners[partition]
            self.tell(f"move {partition} from {source.name}")
            try:
                await source.ask("release", partition)
            except FinanceHubError:
                return
            await self._adopt(partition, self._other(source))

    async def _seize(self) -> None:
        """Disorderly: the other shard takes it, whoever has it."""
        async with self.placing:
            partition = self.random.choice(self.partitions)
            self.tell(f"seize {partition} from {self.owners[partition].name}")
            await self._adopt(partition, self._other(self.owners[partition]))

    def _other(self, slot: Slot) -> Slot:
        return next(other for other in self.slots if other is not slot)

    async def _adopt(self, partition: str, slot: Slot) -> None:
        try:
            await slot.ask("adopt", partition)
        except FinanceHubError:
            return
        self.owners[partition] = slot

    async def _keep_placed(self) -> None:
        """The supervisor: what nobody reports to have is given to whom it should belong, or the other."""
        while True:
            await asyncio.sleep(0.4)
            async with self.placing:
                held = {slot: await self._held(slot) for slot in self.slots}
                for partition, owner in list(self.owners.items()):
                    if held[owner] is None:
                        await self._adopt(partition, self._other(owner))
                    elif partition not in held[owner]:
                        await self._adopt(partition, owner)

    async def _held(self, slot: Slot) -> set[str] | None:
        try:
            return set(await slot.ask("heads"))
        except FinanceHubError:
            return None
