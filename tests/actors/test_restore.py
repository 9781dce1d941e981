"""State out of the log: the newest snapshot that fits and its tail, an older one, or everything."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from actors.history import partition_at
from actors.recent import RecentEvents
from actors.replay_progress import SNAPSHOT_EVERY_S, Replay, Restoring, restoring_line
from actors.restore import restore
from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.errors import Corrupt, Gone, Unavailable
from domain.keeper_state import PartitionSettings
from domain.market.observations import Trade
from domain.partition import FOLD_VERSION, MarketPartition
from storage.anchors import Anchor
from storage.block import head_after, seal
from storage.event_log import Head, Snapshot
from storage.memory import MemoryLog, MemoryRetention, MemorySnapshots

PARTITION = "market/00"
START_NS = 1_700_000_000 * NS_PER_S
SETTINGS = PartitionSettings()


class Written:
    """A partition of five blocks of two trades, and what its owner knew after each."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.snapshots = MemorySnapshots()
        self.head = Head(PARTITION, 0, "", 0, b"")
        self.market = MarketPartition(PARTITION, SETTINGS)

    async def write(self) -> Written:
        self.head = await self.log.claim(PARTITION, "owner")
        for sequence in range(1, 6):
            trades = tuple(a_trade(2 * sequence + n) for n in (-1, 0))
            admitted, events = self.market.observe(Batch("sim", 1, sequence, START_NS + sequence, trades))
            assert admitted is not None
            block = seal(self.head, [admitted], events, START_NS + sequence)
            await self.log.append([block])
            self.head = head_after(block, "owner")
            await self.snapshots.save(self.snapshot(START_NS + sequence * 3600 * NS_PER_S))
        return self

    def snapshot(self, recorded_ns: int) -> Snapshot:
        head = self.head
        return Snapshot(PARTITION, head.offset, head.hash, FOLD_VERSION, recorded_ns, self.market.snapshot())

    async def spoil(self, **changes: object) -> None:
        """Change every snapshot from offset 6 on."""
        for kept in await self.snapshots.ladder(PARTITION):
            if kept.offset >= 6:
                full = await self.snapshots.latest(PARTITION, at_most=kept.offset)
                await self.snapshots.save(replace(full, **changes))

    async def restored(self) -> tuple[bool, int, RecentEvents]:
        recent = RecentEvents(PARTITION, 0, max_events=100, max_bytes=1 << 20)
        market, offset = await restore(self.log, self.snapshots, self.head, SETTINGS, recent)
        return market.snapshot() == self.market.snapshot(), offset, recent


def a_trade(number: int) -> Trade:
    return Trade("sim", "A.SIM", START_NS, START_NS, 100.0 + number, 1.0, trade_id=str(number))


def run(work):
    return asyncio.run(work())


def test_the_newest_snapshot_is_enough() -> None:
    async def work() -> tuple[bool, int, RecentEvents]:
        return await (await Written().write()).restored()

    same, offset, recent = run(work)
    assert (same, offset, recent.base, recent.head) == (True, 10, 10, 10)


@pytest.mark.parametrize(
    "changes",
    [
        {"fold_version": FOLD_VERSION + 1},
        {"block_hash": bytes(32)},
        {"state": b"\x93nonsense"},
        {"state": MarketPartition(PARTITION, SETTINGS).snapshot()},
    ],
    ids=["other fold version", "other log", "damaged", "of another place"],
)
def test_a_snapshot_that_does_not_fit_gives_way_to_an_older_one(changes: dict[str, object]) -> None:
    async def work() -> tuple[bool, int, RecentEvents]:
        written = await Written().write()
        await written.spoil(**changes)
        await written.log.append([seal(written.head, *_more(written), START_NS)])
        written.head = (await written.log.heads())[0]
        return await written.restored()

    same, offset, recent = run(work)
    assert (same, offset) == (True, 4)
    assert [one.offset for one in recent.after(recent.base, 100)] == list(range(5, 12))


def _more(written: Written):
    admitted, events = written.market.observe(Batch("sim", 1, 6, START_NS + 9, (a_trade(99),)))
    return [admitted], events


def test_without_a_snapshot_the_whole_log_is_replayed() -> None:
    async def work() -> tuple[bool, int, RecentEvents]:
        written = await Written().write()
        written.snapshots = MemorySnapshots()
        return await written.restored()

    same, offset, _ = run(work)
    assert (same, offset) == (True, 0)


def test_a_log_that_contradicts_its_head_is_corrupt() -> None:
    async def work() -> None:
        written = await Written().write()
        written.snapshots = MemorySnapshots()
        written.head = replace(written.head, hash=bytes(32))
        await written.restored()

    with pytest.raises(Corrupt):
        run(work)


def test_a_cut_log_without_a_snapshot_of_this_build_says_what_to_do() -> None:
    async def work() -> None:
        written = await Written().write()
        retention = MemoryRetention(written.log, written.snapshots)
        block = written.log.blocks(PARTITION)[1]
        anchor = Anchor(PARTITION, block.last_offset, block.hash, block.recorded_ns, START_NS)
        await retention.drop(anchor)
        for kept in await written.snapshots.ladder(PARTITION):
            await written.snapshots.save(replace(kept, fold_version=FOLD_VERSION - 1))
        await written.restored()

    with pytest.raises(Gone, match="that wrote them") as told:
        run(work)
    assert told.value.kept_from == 5
    assert f"this build's fold version {FOLD_VERSION}" in str(told.value)
    assert f"fold version {FOLD_VERSION - 1}:" in str(told.value)


async def cut_log() -> Written:
    """Offsets 1 to 4 are dropped; snapshots are left at 4, 6, 8 and 10."""
    written = await Written().write()
    block = written.log.blocks(PARTITION)[1]
    anchor = Anchor(PARTITION, block.last_offset, block.hash, block.recorded_ns, START_NS)
    await MemoryRetention(written.log, written.snapshots).drop(anchor)
    return written


async def drop_newest_snapshots(written: Written, after: int) -> None:
    kept = [rung for rung in await written.snapshots.ladder(PARTITION) if rung.offset <= after]
    full = [await written.snapshots.latest(PARTITION, at_most=rung.offset) for rung in kept]
    written.snapshots = MemorySnapshots()
    for each in full:
        await written.snapshots.save(each)


def damage_block(written: Written, first_offset: int) -> None:
    blocks = written.log._blocks[PARTITION]
    (index,) = [n for n, block in enumerate(blocks) if block.first_offset == first_offset]
    other = seal(replace(written.head, offset=first_offset - 1), [], [a_trade(77), a_trade(78)], START_NS)
    blocks[index] = replace(blocks[index], codec=other.codec, payload=other.payload)


@pytest.mark.parametrize("damaged", [7, 9])
def test_a_damaged_block_of_a_cut_log_is_reported_and_no_version(damaged: int) -> None:
    async def work() -> None:
        written = await cut_log()
        await drop_newest_snapshots(written, 6)
        damage_block(written, damaged)
        await written.restored()

    with pytest.raises(Corrupt, match=f"block {damaged} of 'market/00' is not what was sealed"):
        run(work)


def test_of_several_damages_the_one_that_was_met_first_is_reported() -> None:
    async def work() -> None:
        written = await cut_log()
        await drop_newest_snapshots(written, 8)
        damage_block(written, 9)
        damage_block(written, 5)
        await written.restored()

    with pytest.raises(Corrupt, match="block 9 of"):
        run(work)


def test_a_hole_in_a_cut_log_is_no_work_of_retention() -> None:
    async def work() -> None:
        written = await cut_log()
        await drop_newest_snapshots(written, 4)
        del written.log._blocks[PARTITION][0]
        await written.restored()

    with pytest.raises(Corrupt, match="lacks the offsets before 7"):
        run(work)


def test_snapshots_that_cannot_be_read_are_damage_and_no_version() -> None:
    async def work() -> None:
        written = await cut_log()
        for rung in await written.snapshots.ladder(PARTITION):
            full = await written.snapshots.latest(PARTITION, at_most=rung.offset)
            await written.snapshots.save(replace(full, state=b""))
        await written.restored()

    with pytest.raises(Corrupt, match="snapshot of 'market/00' at 10 cannot be read"):
        run(work)


@pytest.mark.parametrize("state", [b"", b"\x93nonsense"], ids=["lost", "spoilt"])
def test_the_past_of_a_cut_log_tells_of_damage_too(state: bytes) -> None:
    async def work() -> None:
        written = await cut_log()
        for rung in await written.snapshots.ladder(PARTITION):
            full = await written.snapshots.latest(PARTITION, at_most=rung.offset)
            await written.snapshots.save(replace(full, state=state))
        await partition_at(written.log, written.snapshots, PARTITION, 9, SETTINGS)

    with pytest.raises(Corrupt, match="at 8 cannot be read"):
        run(work)


def test_what_retention_has_dropped_stays_gone_for_who_asks_for_it() -> None:
    async def work() -> None:
        written = await cut_log()
        await partition_at(written.log, written.snapshots, PARTITION, 2, SETTINGS)

    with pytest.raises(Gone, match="is kept from offset 5"):
        run(work)


class Ticking:
    """A monotonic clock that moves by `step_s` at each look, so that blocks seem to take long."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class Dying(MemorySnapshots):
    """The process ends with the n-th snapshot that it saves."""

    def __init__(self, lives: int) -> None:
        super().__init__()
        self.lives = lives

    async def save(self, snapshot: Snapshot) -> None:
        await super().save(snapshot)
        self.lives -= 1
        if self.lives == 0:
            raise SystemError("the end")


async def replayed(written: Written, snapshots: MemorySnapshots, step_s: float) -> tuple[bool, int, Replay]:
    recent = RecentEvents(PARTITION, 0, max_events=100, max_bytes=1 << 20)
    progress = Replay(PARTITION, 1, written.head.offset, Ticking(step_s))
    market, offset = await restore(written.log, snapshots, written.head, SETTINGS, recent, progress)
    return market.snapshot() == written.market.snapshot(), offset, progress


def test_a_long_replay_puts_its_state_down_on_the_way_and_a_quick_one_does_not() -> None:
    async def work() -> None:
        written = await Written().write()
        for step_s, rungs in ((SNAPSHOT_EVERY_S, [2, 4, 6, 8]), (0.001, [])):
            snapshots = MemorySnapshots()
            same, offset, _ = await replayed(written, snapshots, step_s)
            assert same and offset == (rungs or [0])[-1]
            assert [rung.offset for rung in await snapshots.ladder(PARTITION)] == rungs

    run(work)


def test_a_replay_that_was_cut_short_goes_on_from_where_it_put_its_state_down() -> None:
    async def work() -> None:
        written = await Written().write()
        snapshots = Dying(lives=3)
        with pytest.raises(SystemError):
            await replayed(written, snapshots, SNAPSHOT_EVERY_S)
        same, _, progress = await replayed(written, snapshots, SNAPSHOT_EVERY_S)
        assert same and progress.report() == Restoring(PARTITION, 1, 6, 10, 10)

    run(work)


def test_a_snapshot_on_the_way_that_cannot_be_saved_costs_nothing_else() -> None:
    class Refusing(MemorySnapshots):
        async def save(self, snapshot: Snapshot) -> None:
            raise Unavailable("the disk is full")

    async def work() -> None:
        written = await Written().write()
        same, offset, progress = await replayed(written, Refusing(), SNAPSHOT_EVERY_S)
        assert same and (offset, progress.snapshots) == (0, 0)

    run(work)


def test_progress_reads_as_events_of_the_tail() -> None:
    waiting = [Restoring("market/01", 3, 0, 0, 0), Restoring("market/00", 2, 1_000, 251_000, 1_001_000)]
    assert restoring_line(waiting) == (
        "restoring market/00: 250,000 of 1,000,000 events (25 %), market/01: 0 of 0 events (0 %)"
    )
    assert restoring_line([]) == ""
