"""What must hold, whatever happens: noted while a schedule runs, checked at once or at its end.

1. What was acknowledged is in the log, once, in the sender's order.
2. Offsets are dense, the chain of hashes is whole, no (incarnation, sequence) is admitted twice.
3. Snapshot + tail = full replay = the owner's live state, byte for byte.
4. Pollers see every event once and in order, as it stands in the log, and none before it is durable.
5. Reads show a durable state that the log has at that very place, and no owner answers past its lease.
6. Several feeds of one instrument: see `feed_truth`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from actors.answers import LastAnswer
from actors.restore import decode_market_events
from actors.restore import replay as apply_block
from domain.envelope import Batch, Event, Recorded
from domain.keeper_state import PartitionSettings
from domain.market.observations import Trade
from domain.partition import MarketPartition
from storage.block import verify_chain
from storage.event_log import GENESIS_HASH, Block, Head
from storage.memory import MemoryLog, MemorySnapshots
from tests.simulation.feed_truth import FeedTruth, Violation, let_go_rightly, sources_of

Numbered = tuple[str, int, int]
"""(sender, incarnation, sequence)"""


class Truth:
    """The observer that sees everything at once, and that no process can ask."""

    def __init__(
        self, log: MemoryLog, snapshots: MemorySnapshots, fold: PartitionSettings, lease_s: float
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._fold = fold
        self._lease_s = lease_s
        self._acknowledged: dict[str, dict[Numbered, Batch]] = defaultdict(dict)
        self._seen: dict[str, list[list[Recorded]]] = defaultdict(list)
        self._answers: dict[str, dict[int, list[LastAnswer]]] = defaultdict(lambda: defaultdict(list))
        self._recorded: dict[str, Collection[Event]] = {}
        self._owners: dict[str, tuple[str, float]] = {}
        self._index: dict[str, tuple[set[Numbered], int]] = {}
        self.reads = 0
        self.restarts = 0
        self.tainted = 0
        self.let_go = 0
        self.kinds: Counter[str] = Counter()
        self.violations: list[Violation] = []

    # While it runs

    def claimed(self, head: Head, now_s: float) -> None:
        self._owners[head.partition] = (head.owner, now_s)

    async def acknowledged(self, partition: str, batch: Batch) -> None:
        number = (batch.sender, batch.incarnation, batch.sequence)
        if number not in await self._admitted(partition):
            raise self._note(f"{number} of {partition} was acknowledged and is not in the log")
        self._acknowledged[partition][number] = batch

    async def polled(self, partition: str, events: Sequence[Recorded], cursor: int) -> None:
        if events[0].offset != cursor + 1:
            raise self._note(f"poll of {partition} after {cursor} begins at {events[0].offset}")
        if events[-1].offset > await self._head(partition):
            raise self._note(f"poll of {partition} shows {events[-1].offset} before it is durable")
        self._seen[partition].append(list(events))

    async def answered(self, owner: str, answer: LastAnswer, now_s: float) -> None:
        partition, offset = answer.place
        self.reads += 1
        if offset > await self._head(partition):
            raise self._note(f"{owner} showed {partition} at {offset} before that was durable")
        current, since_s = self._owners[partition]
        if current != owner and now_s - since_s > self._lease_s:
            raise self._note(f"{owner} answers for {partition}, {now_s - since_s:.2f} s after {current} came")
        self._answers[partition][offset].append(answer)

    def _note(self, what: str) -> Violation:
        """Kept too, because it may be raised in a task that nobody awaits."""
        violation = Violation(what)
        self.violations.append(violation)
        return violation

    # At the end

    async def check(self, partition: str, live: bytes) -> int:
        """All of it for one partition and its owner's state, but for what it holds for the next block;
        returns how many events the log has."""
        blocks = await self._log.read(partition, 0, max_blocks=1 << 30)
        self._check_chain(blocks)
        self._check_numbers(blocks)
        events = [event for block in blocks for event in decode_market_events(block)]
        self.kinds.update(event.kind for event in events)
        self._check_acknowledged(partition, events)
        self._check_seen(partition, events)
        replayed = self._replay(partition, blocks)
        self._same(partition, "the live state", live, replayed)
        await self._check_snapshots(partition, blocks, replayed)
        return len(events)

    def _check_chain(self, blocks: Sequence[Block]) -> None:
        verify_chain(blocks, 0, GENESIS_HASH)
        epochs = [block.epoch for block in blocks]
        recorded = [block.recorded_ns for block in blocks]
        if epochs != sorted(epochs) or recorded != sorted(recorded):
            raise Violation("epochs or recorded times go back")

    def _check_numbers(self, blocks: Sequence[Block]) -> None:
        last: dict[str, tuple[int, int]] = {}
        for batch in (batch for block in blocks for batch in block.header.batches):
            incarnation, sequence = last.get(batch.sender, (0, 0))
            timers_only = batch.incarnation == incarnation and batch.sequence == sequence
            follows = sequence + 1 if batch.incarnation == incarnation else 1
            first_beat = batch.incarnation > incarnation and batch.sequence == 0
            if not timers_only and not first_beat and batch.sequence != follows:
                raise Violation(f"{batch} was admitted after {incarnation}/{sequence}")
            last[batch.sender] = (batch.incarnation, batch.sequence)

    def _check_acknowledged(self, partition: str, events: Sequence[Event]) -> None:
        places: dict[Event, list[int]] = defaultdict(list)
        for place, event in enumerate(events):
            places[_identity(event)].append(place)
        self._recorded[partition] = places.keys()
        for number, batch in self._acknowledged[partition].items():
            found = [len(places.get(_identity(event), ())) for event in batch.events]
            if max(found) > 1:
                raise Violation(f"events of the acknowledged {number} are in the log {found} times")
        latest: dict[tuple[str, int], int] = {}
        for number, batch in sorted(self._acknowledged[partition].items()):
            once = [places.get(_identity(e), ()) for e in batch.events if not _may_repeat(e)]
            firsts = [where[0] for where in once if where]
            before = latest.get(number[:2], -1)
            if firsts and (firsts != sorted(firsts) or firsts[0] <= before):
                raise Violation(f"events of {number} are not in the sender's order")
            latest[number[:2]] = max([before, *firsts])

    def _check_seen(self, partition: str, events: Sequence[Event]) -> None:
        for page in self._seen[partition]:
            for recorded in page:
                if events[recorded.offset - 1] != recorded.event:
                    raise Violation(f"{partition} {recorded.offset} was polled as {recorded.event}")

    def _replay(self, partition: str, blocks: Sequence[Block]) -> bytes:
        """Batch by batch, comparing what readers were told at each place."""
        market = MarketPartition(partition, self._fold)
        feeds = FeedTruth(self._fold.intervals, self._fold.allowance_ns)
        asked = self._answers[partition]
        offset = 0
        for block in blocks:
            events = decode_market_events(block)
            for admitted in block.header.batches:
                start = offset - block.first_offset + 1
                mine = events[start : start + admitted.count]
                number = admitted.sender, admitted.incarnation, admitted.sequence
                batch = self._acknowledged[partition].get(number)
                before = {} if batch is None else sources_of(market, batch)
                market.apply(admitted, mine)
                feeds.admitted(admitted, mine, market)
                if batch is not None:
                    self._check_let_go(partition, batch, before, market)
                offset += admitted.count
                for answer in asked.get(offset, ()):
                    self._check_answer(market, answer)
        state = market.snapshot()
        feeds.heartbeats_close_all(market)
        self.restarts += feeds.restarts
        self.tainted += feeds.tainted
        return state

    def _check_let_go(
        self, partition: str, batch: Batch, before: Mapping[str, tuple[str, str]], market: MarketPartition
    ) -> None:
        """Events of an acknowledged batch that are not in the log."""
        for event in batch.events:
            if _identity(event) not in self._recorded[partition]:
                self.let_go += 1
                if not let_go_rightly(event, before[event.instrument], market):
                    raise Violation(f"{event} was acknowledged and is nowhere in the log")

    def _check_answer(self, market: MarketPartition, answer: LastAnswer) -> None:
        keeper = market.keeper(answer.instrument)
        told = (answer.trade, answer.quote, answer.ticker)
        if keeper is None or told != (keeper.last_trade, keeper.last_quote, keeper.last_ticker):
            raise Violation(f"{answer} is not what the log says at {answer.place}")

    async def _check_snapshots(self, partition: str, blocks: Sequence[Block], replayed: bytes) -> None:
        hashes = {block.last_offset: block.hash for block in blocks}
        for kept in await self._snapshots.ladder(partition):
            full = await self._snapshots.latest(partition, at_most=kept.offset)
            if full is None or full.block_hash != hashes.get(full.offset):
                raise Violation(f"snapshot of {partition} at {kept.offset} is of no block's end")
            market = MarketPartition.restore(full.state, self._fold)
            for block in blocks:
                if block.first_offset > full.offset:
                    apply_block(market, block, decode_market_events(block))
            self._same(partition, f"snapshot at {full.offset} + tail", market.snapshot(), replayed)

    def _same(self, partition: str, what: str, found: bytes, replayed: bytes) -> None:
        if found != replayed:
            raise Violation(f"{what} of {partition} differs from the full replay")

    async def _head(self, partition: str) -> int:
        return next((h.offset for h in await self._log.heads() if h.partition == partition), 0)

    async def _admitted(self, partition: str) -> set[Numbered]:
        """Read on from where the last look ended."""
        known, offset = self._index.get(partition, (set(), 0))
        for block in await self._log.read(partition, offset, max_blocks=1 << 30):
            known.update((b.sender, b.incarnation, b.sequence) for b in block.header.batches)
            offset = block.last_offset
        self._index[partition] = (known, offset)
        return known


def _identity(event: Event) -> Event:
    """A trade sent again has another receive time and is the same trade."""
    if isinstance(event, Trade):
        return Trade(
            event.provider, event.instrument, event.ts_event, 0, event.price, event.size, None, event.trade_id
        )
    return event


def _may_repeat(event: Event) -> bool:
    """Trades are asked for again after a gap, so their place is that of the first time."""
    return isinstance(event, Trade)
