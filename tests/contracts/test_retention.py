"""Old blocks leave the log by one door: whole, with an anchor in their place, alike on every backend."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence

import asyncpg
import pytest
from msgspec.structs import replace

from actors.archivist import Archivist, RetentionSettings
from actors.tail import Wanted, beginning, cursor_at, tail
from actors.verify import verify
from domain.access_events import SessionOpened
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Batch
from domain.errors import Conflict, FinanceHubError, Gone
from domain.partition import FOLD_VERSION, MarketPartition
from storage import postgres_retention
from storage.anchor_key import AnchorKey
from storage.anchors import Anchor
from storage.block import events_of
from storage.event_log import Block, Snapshot
from storage.retention import SLICE_NS
from storage.writer import LogWriter, Part
from tests.builders import PROVIDER, T0, a_trade
from tests.contracts.conftest import Backend

pytestmark = pytest.mark.anyio

KEY = AnchorKey(bytes(range(32)))
MINUTE_NS = 60 * 10**9
BLOCKS = 24
FAR = 1 << 40


class Kept:
    """A market partition, written block by block, an hour and a half of recorded time apart."""

    def __init__(self, backend: Backend, partition: str) -> None:
        self.backend = backend
        self.partition = partition
        self.clock = ManualClock(T0)
        self.market = MarketPartition(partition)
        self.writer = LogWriter(backend.log, f"writer of {partition}", self.clock)
        self.blocks: list[Block] = []

    async def write(self, count: int = BLOCKS, *, step_ns: int = 90 * MINUTE_NS, size: int = 10) -> Kept:
        if not self.blocks:
            await self.writer.claim(self.partition)
        for _ in range(count):
            now = self.clock.advance(step_ns)
            number = len(self.blocks)
            trades = [a_trade(100.0 + n, ts=now, trade_id=1000 * number + n) for n in range(size)]
            batch = Batch(PROVIDER, 1, number + 1, now, tuple(trades))
            admitted, events = self.market.observe(batch)
            assert admitted is not None
            self.blocks += await self.writer.append([Part(self.partition, (admitted,), events)])
        return self

    async def snapshot(self) -> Snapshot:
        head = self.writer.heads[self.partition]
        taken = Snapshot(
            self.partition, head.offset, head.hash, FOLD_VERSION, head.recorded_ns, self.market.snapshot()
        )
        await self.backend.snapshots.save(taken)
        return taken

    def anchor(self, index: int) -> Anchor:
        block = self.blocks[index]
        return KEY.signed(
            Anchor(self.partition, block.last_offset, block.hash, block.recorded_ns, self.clock.now_ns())
        )

    def archivist(self, projections: Sequence[str] = (), **settings: float) -> Archivist:
        return Archivist(
            self.backend.log,
            self.backend.snapshots,
            self.backend.checkpoints,
            self.backend.retention,
            KEY,
            self.clock,
            RetentionSettings(**settings),
            projections=projections,
            families=("market",),
        )

    async def kept(self) -> list[Block]:
        """What is there from the anchor on."""
        anchor = (await self.backend.log.anchors()).get(self.partition)
        found: list[Block] = []
        after = anchor.offset if anchor else 0
        while page := await self.backend.other_log.read(self.partition, after):
            found += page
            after = page[-1].last_offset
        return found


@pytest.fixture
async def kept(backend: Backend, partition: str) -> Kept:
    return await Kept(backend, partition).write()


async def sizes(kept: Kept) -> list[tuple[int, int, int]]:
    slices = await kept.backend.retention.slices(FAR)
    return [(s.first_offset, s.last_offset, s.blocks) for s in slices if s.partition == kept.partition]


async def test_slices_cover_the_log_and_grow_with_it(backend: Backend, partition: str) -> None:
    kept = await Kept(backend, partition).write(step_ns=1)
    assert await sizes(kept) == [(1, kept.blocks[-1].last_offset, BLOCKS)]
    await kept.write(3, step_ns=1)
    assert await sizes(kept) == [(1, kept.blocks[-1].last_offset, BLOCKS + 3)]
    assert await kept.backend.retention.other_bytes() >= 0


async def test_a_slice_ends_with_its_day(kept: Kept) -> None:
    """However little there is, and whether it is counted day by day or all at once."""
    days = [block.recorded_ns // SLICE_NS for block in kept.blocks]
    assert len(set(days)) > 1
    assert [blocks for *_, blocks in await sizes(kept)] == list(Counter(days).values())
    kept.clock.advance(SLICE_NS)
    await kept.write(1)
    found = await sizes(kept)
    assert found[-1] == (kept.blocks[-1].first_offset, kept.blocks[-1].last_offset, 1)
    assert sum(blocks for *_, blocks in found) == BLOCKS + 1


async def test_a_quiet_partition_is_cut_to_its_age_too(backend: Backend) -> None:
    partition = f"access/{uuid.uuid4().hex[:10]}"
    clock = ManualClock(T0)
    writer = LogWriter(backend.log, "audit", clock)
    await writer.claim(partition)
    for day in range(10):
        now = T0 + day * SLICE_NS
        clock.set(now)
        await writer.append([Part(partition, (), [SessionOpened(f"s{day}", "u", "viewer", now, "g", now)])])
    kept = Kept(backend, partition)
    kept.clock = clock
    await kept.archivist(max_bytes=0, max_age_days=3).sweep()
    assert (await backend.log.anchors())[partition].offset == 6


async def _audited(backend: Backend, sessions: int) -> Kept:
    """An audit of its own partition, a block per session, with its rows in the read model."""
    kept = Kept(backend, f"access/{uuid.uuid4().hex[:10]}")
    await kept.writer.claim(kept.partition)
    for number in range(sessions):
        now = kept.clock.advance(NS_PER_S)
        opened = SessionOpened(f"s{number}", "u" * 100, "viewer", now, "g", now)
        kept.blocks += await kept.writer.append([Part(kept.partition, (), [opened])])
    seen = await backend.checkpoints.load("events", kept.partition)

    async def output(connection: object) -> None:
        recorded = [each for block in kept.blocks for each in events_of(block)]
        await backend.events.apply(connection, kept.partition, recorded)

    await backend.checkpoints.advance(seen, sessions, output)
    return kept


async def _rows(backend: Backend, partition: str) -> list[int]:
    if backend.pool is None:
        return sorted(offset for name, offset in backend.events._rows if name == partition)
    rows = await backend.pool.fetch('SELECT "offset" FROM events WHERE partition = $1 ORDER BY 1', partition)
    return [row["offset"] for row in rows]


async def _bytes(kept: Kept) -> int:
    slices = await kept.backend.retention.slices(1)
    return sum(one.bytes for one in slices if one.partition == kept.partition)


async def test_the_audit_is_cut_to_a_bound_of_its_own_and_the_market_s_history_stays(
    backend: Backend, partition: str
) -> None:
    market = await Kept(backend, partition).write(8, step_ns=1)
    audit = await _audited(backend, 20)  # all of it is younger than the market's
    others = sum(
        one.bytes for one in await backend.retention.slices(1) if one.partition.startswith("access/")
    )
    kept_bytes = others - await _bytes(audit) // 2
    archivist = audit.archivist(max_bytes=0, access_max_bytes=kept_bytes, slice_bytes=1)
    assert await archivist.sweep() > 0
    left = [one for one in await backend.retention.slices(1) if one.partition.startswith("access/")]
    assert sum(one.bytes for one in left) <= kept_bytes
    assert len(await market.kept()) == 8


async def test_rows_of_the_audit_go_with_its_blocks(backend: Backend) -> None:
    audit = await _audited(backend, 6)
    assert await _rows(backend, audit.partition) == [1, 2, 3, 4, 5, 6]
    await backend.retention.drop(audit.anchor(3))
    assert await _rows(backend, audit.partition) == [5, 6]


async def test_small_slices_are_whole_blocks_in_order(kept: Kept) -> None:
    found = [s for s in await kept.backend.retention.slices(2_000) if s.partition == kept.partition]
    assert len(found) > 2 and sum(s.blocks for s in found) == BLOCKS
    ends = {block.last_offset for block in kept.blocks}
    starts = {block.first_offset for block in kept.blocks}
    assert all(s.first_offset in starts and s.last_offset in ends and s.bytes > 0 for s in found)
    assert [s.first_offset for s in found[1:]] == [s.last_offset + 1 for s in found[:-1]]


async def test_what_is_dropped_is_gone_and_the_rest_is_read_as_before(kept: Kept) -> None:
    anchor = kept.anchor(9)
    await kept.backend.retention.drop(anchor)
    log = kept.backend.other_log
    assert (await log.anchors())[kept.partition] == anchor
    assert await kept.kept() == kept.blocks[10:]
    for after in (0, 5, anchor.offset - 1):
        with pytest.raises(Gone, match=f"kept from offset {anchor.offset + 1}"):
            await log.read(kept.partition, after)
    with pytest.raises(Gone):
        await log.read(kept.partition, 0, until=3)
    await kept.write(2)
    assert await kept.kept() == kept.blocks[10:]


async def test_a_time_below_the_retained_log_is_gone_and_one_at_its_edge_is_not(kept: Kept) -> None:
    anchor = kept.anchor(9)
    await kept.backend.retention.drop(anchor)
    log = kept.backend.log
    with pytest.raises(Gone):
        await log.offset_at(kept.partition, anchor.recorded_ns - 1)
    assert await log.offset_at(kept.partition, anchor.recorded_ns) == anchor.offset
    assert await log.offset_at(kept.partition, kept.blocks[10].recorded_ns) == kept.blocks[10].last_offset


async def test_snapshots_that_lead_nowhere_go_with_the_blocks(backend: Backend, partition: str) -> None:
    kept = await Kept(backend, partition).write(4)
    await kept.snapshot()
    at_the_edge = await (await kept.write(4)).snapshot()
    newest = await (await kept.write(4)).snapshot()
    await backend.retention.drop(kept.anchor(7))
    assert [rung.offset for rung in await backend.snapshots.ladder(partition)] == [
        at_the_edge.offset,
        newest.offset,
    ]


async def test_dropping_twice_or_at_no_block_s_end_or_the_head_is_a_conflict(kept: Kept) -> None:
    anchor = kept.anchor(9)
    wrong = [
        replace(anchor, offset=anchor.offset - 1),
        replace(anchor, hash=bytes(32)),
        kept.anchor(BLOCKS - 1),
    ]
    for each in wrong:
        with pytest.raises(Conflict):
            await kept.backend.retention.drop(each)
    assert await kept.kept() == kept.blocks
    await kept.backend.retention.drop(anchor)
    with pytest.raises(Conflict):
        await kept.backend.retention.drop(anchor)


async def test_an_anchor_never_goes_back_where_two_drop_at_once(stored: Backend, partition: str) -> None:
    kept = await Kept(stored, partition).write(6)
    first, second = kept.anchor(3), kept.anchor(1)
    pool = stored.retention._pool
    async with pool.acquire() as connection, connection.transaction():
        await postgres_retention._delete(connection, first)
        await postgres_retention._keep(connection, first)
        slower = asyncio.create_task(stored.retention.drop(second))
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not slower.done()
    with pytest.raises(Conflict):
        await slower
    assert (await stored.log.anchors())[partition] == first
    assert await kept.kept() == kept.blocks[4:]


async def test_an_old_log_is_cut_to_its_age_and_stays_provable(backend: Backend, partition: str) -> None:
    kept = await Kept(backend, partition).write(8)
    await kept.snapshot()
    await (await kept.write(8)).snapshot()
    await kept.write(2)
    kept.clock.advance(400 * 86_400 * 10**9)
    await kept.write(1)
    # A slice of the usual size holds a day, and with it what is still needed.
    archivist = kept.archivist(max_bytes=0, max_age_days=30, slice_bytes=1_500)
    assert await archivist.sweep() > 0
    anchor = (await backend.log.anchors())[partition]
    assert KEY.has_signed(anchor)
    assert 0 < anchor.offset <= kept.blocks[7].last_offset  # two snapshots are left to begin with
    assert await archivist.sweep() == 0
    (verdict,) = [
        v for v in await verify(backend.log, backend.snapshots, key=KEY) if v.partition == partition
    ]
    assert verdict.ok and verdict.anchor_ok and verdict.state_equal
    assert verdict.kept_from == anchor.offset + 1
    assert verdict.events == kept.blocks[-1].last_offset - anchor.offset


async def test_the_first_anchor_s_key_is_the_log_s(backend: Backend, kept: Kept) -> None:
    """Of two instances on one database, each with a data directory of its own."""
    await kept.backend.retention.drop(kept.anchor(3))
    theirs = AnchorKey(bytes(32))
    other = await Kept(backend, f"{kept.partition}x").write(4)
    for anchor in (kept.anchor(9), other.anchor(1)):
        with pytest.raises(Conflict, match=f"{KEY.key_id}.*{theirs.key_id}"):
            await kept.backend.retention.drop(theirs.signed(anchor))
    assert await kept.kept() == kept.blocks[4:]
    stranger = Archivist(
        backend.log,
        backend.snapshots,
        backend.checkpoints,
        backend.retention,
        theirs,
        kept.clock,
        RetentionSettings(max_bytes=0, max_age_days=0.001),
        projections=(),
        families=(),
    )
    kept.clock.advance(400 * 86_400 * 10**9)
    assert await stranger.sweep() == 0
    assert KEY.key_id in stranger.refused
    with pytest.raises(FinanceHubError, match="copy"):
        await verify(backend.log, backend.snapshots, key=theirs)
    await kept.backend.retention.drop(kept.anchor(9))


async def test_tail_begins_where_the_log_does(kept: Kept) -> None:
    anchor = kept.anchor(9)
    await kept.backend.retention.drop(anchor)
    start = await beginning(kept.backend.log)
    first = await anext(
        each
        async for each in tail(kept.backend.log, start, Wanted(), follow=False)
        if each.partition == kept.partition
    )
    assert first.offset == anchor.offset + 1
    with pytest.raises(Gone):
        await cursor_at(kept.backend.log, anchor.recorded_ns - 1)


async def test_the_service_can_neither_drop_nor_make_anchors(stored: Backend, partition: str) -> None:
    kept = await Kept(stored, partition).write(2)
    assert stored.pool is not None
    for statement in (
        "DELETE FROM log_blocks WHERE partition = $1",
        "DELETE FROM log_anchors WHERE partition = $1",
        'UPDATE log_anchors SET "offset" = 1 WHERE partition = $1',
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stored.pool.execute(statement, partition)
    assert await kept.kept() == kept.blocks


async def test_a_time_waits_for_an_append_that_has_reached_the_log_and_stalls(
    stored: Backend, partition: str
) -> None:
    kept = await Kept(stored, partition).write(1)
    assert stored.pool is not None
    async with stored.pool.acquire() as stalled:
        transaction = stalled.transaction()
        await transaction.start()
        await stalled.execute(
            "UPDATE log_heads SET head_offset = head_offset + 1, recorded_ns = recorded_ns + 1"
            " WHERE partition = $1",
            partition,
        )
        asked = asyncio.create_task(stored.other_log.settled(partition))
        for _ in range(5):
            await stored.other_log.heads()  # others are not kept waiting
        assert not asked.done()
        await transaction.commit()
    head = await asked
    assert head is not None and head.offset == kept.blocks[-1].last_offset + 1


def test_a_signature_holds_for_what_was_signed_alone() -> None:
    signed = KEY.signed(Anchor("market/00", 7, bytes(32), 1, 2))
    assert KEY.has_signed(signed)
    for spoilt in (
        replace(signed, offset=8),
        replace(signed, partition="market/01"),
        replace(signed, hash=bytes(31) + b"x"),
        replace(signed, signature=b""),
    ):
        assert not KEY.has_signed(spoilt)
    assert not AnchorKey(bytes(32)).has_signed(signed)


async def test_a_partition_that_was_never_claimed_is_settled(backend: Backend, partition: str) -> None:
    assert await backend.log.settled(partition) is None
