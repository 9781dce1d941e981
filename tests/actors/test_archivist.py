"""The archivist drops what is oldest and needed by nobody, and nothing that is not what was sealed."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from actors.archivist import DAY_NS, SETTLING_NS, Archivist, RetentionSettings
from actors.projector import Projector
from actors.restore import restore
from actors.verify import PartitionVerdict, verify
from domain.access_events import SessionOpened
from domain.clock import MAX_NS, NS_PER_S, ManualClock
from domain.errors import FinanceHubError, Gone
from domain.partition import FOLD_VERSION
from storage.anchor_key import AnchorKey
from storage.anchors import Anchor
from storage.forms import BY_TYPE
from storage.memory import MemoryCheckpoints, MemoryRetention
from storage.projections import ProjectionRunner
from storage.read_models.bars import MemoryBars
from storage.writer import LogWriter, Part
from tests.actors.written_log import FOLD, PARTITION, WrittenLog
from tests.builders import INSTRUMENT, T0, a_trade, at

pytestmark = pytest.mark.anyio

KEY = AnchorKey(bytes(range(32)))
OTHER_KEY = AnchorKey(bytes(32))
BLOCKS, SNAPSHOT_EVERY = 40, 5
NOTHING = 1
"""Bytes: everything that may go, goes."""


class Rows:
    """A projection that remembers the offsets it was given, of events of every kind."""

    name = "rows"
    kinds = frozenset(event_type.kind for event_type in BY_TYPE)

    def __init__(self) -> None:
        self.offsets: list[int] = []

    async def apply(self, _connection, _partition, recorded) -> None:
        self.offsets += [entry.offset for entry in recorded]


async def _written(blocks: int = BLOCKS, *, snapshot_every: int = SNAPSHOT_EVERY) -> WrittenLog:
    written = WrittenLog()
    for second in range(blocks):
        await written.write(a_trade(100.0 + second, ts=at(second), trade_id=second))
        if second % snapshot_every == snapshot_every - 1:
            await written.snapshot()
    return written


def _archivist(
    written: WrittenLog,
    checkpoints=None,
    *,
    key: AnchorKey = KEY,
    projections=(),
    monotonic_ns=time.monotonic_ns,
    **settings,
) -> Archivist:
    return Archivist(
        written.log,
        written.snapshots,
        checkpoints or MemoryCheckpoints(),
        MemoryRetention(written.log, written.snapshots),
        key,
        written.clock,
        RetentionSettings(**{"max_bytes": 0, "slice_bytes": 1} | settings),
        projections=projections,
        families=("market",),
        fold=FOLD,
        monotonic_ns=monotonic_ns,
    )


async def _first_kept(written: WrittenLog, partition: str = PARTITION) -> int:
    anchor = (await written.log.anchors()).get(partition)
    return anchor.offset + 1 if anchor else 1


async def _verdict(written: WrittenLog, key: AnchorKey = KEY) -> PartitionVerdict:
    return (await verify(written.log, written.snapshots, FOLD, key=key))[-1]


async def test_without_bounds_nothing_is_dropped():
    written = await _written()
    assert await _archivist(written).sweep() == 0
    assert await _first_kept(written) == 1


async def test_the_log_is_cut_to_its_bytes_oldest_first():
    written = await _written()
    whole = sum(s.bytes for s in await MemoryRetention(written.log, written.snapshots).slices(1))
    archivist = _archivist(written, max_bytes=whole * 2 // 3)
    assert await archivist.sweep() > 0
    assert whole / 2 < archivist.log_bytes <= whole * 2 // 3
    assert written.block(0).first_offset == await _first_kept(written) > 1


async def _audit(written: WrittenLog, events: int) -> None:
    """A block per event, each younger than all that was written before."""
    writer = LogWriter(written.log, "audit#1", written.clock)
    await writer.claim("access/00")
    for number in range(events):
        now = written.clock.advance(NS_PER_S)
        opened = SessionOpened(f"s{number}", "u", "viewer", now, "g", now)
        await writer.append([Part("access/00", (), [opened])])


async def _bytes(written: WrittenLog, family: str) -> int:
    slices = await MemoryRetention(written.log, written.snapshots).slices(1)
    return sum(one.bytes for one in slices if one.partition.startswith(family))


async def test_an_audit_that_grows_is_cut_and_the_older_market_stays():
    written = await _written()
    await _audit(written, 100)
    market, audit = await _bytes(written, "market/"), await _bytes(written, "access/")
    archivist = _archivist(written, max_bytes=20 * (market + audit), access_max_bytes=audit // 4)
    assert await archivist.sweep() > 0
    assert await _bytes(written, "access/") <= audit // 4
    assert await _bytes(written, "market/") == market
    assert await archivist.sweep() == 0


async def test_the_audit_takes_at_most_a_twentieth_of_a_small_bound():
    written = await _written()
    await _audit(written, 100)
    market, audit = await _bytes(written, "market/"), await _bytes(written, "access/")
    bound = market + audit
    archivist = _archivist(written, max_bytes=bound)
    assert await archivist.sweep() > 0
    assert await _bytes(written, "access/") <= bound // 20
    assert await _bytes(written, "market/") == market


async def test_a_market_that_grows_takes_nothing_from_the_older_audit():
    written = WrittenLog()
    await _audit(written, 5)
    for second in range(200):
        await written.write(a_trade(100.0 + second, ts=at(10 + second), trade_id=second))
        if second % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
            await written.snapshot()
    market, audit = await _bytes(written, "market/"), await _bytes(written, "access/")
    bound = market * 3 // 4
    assert audit <= bound // 20
    archivist = _archivist(written, max_bytes=bound)
    assert await archivist.sweep() > 0
    assert await _bytes(written, "access/") == audit
    assert await _bytes(written, "") <= bound


async def test_without_a_bound_of_its_own_the_audit_counts_with_all_others():
    written = await _written()
    await _audit(written, 100)
    market, audit = await _bytes(written, "market/"), await _bytes(written, "access/")
    archivist = _archivist(written, max_bytes=market // 2 + audit, access_max_bytes=0)
    assert await archivist.sweep() > 0
    assert await _bytes(written, "access/") == audit
    assert await _bytes(written, "") <= market // 2 + audit


async def test_what_is_younger_than_the_age_stays():
    written = await _written()
    day = 86_400
    written.clock.advance(day * NS_PER_S)
    await written.write(a_trade(ts=written.clock.now_ns(), trade_id="tomorrow"))
    half = BLOCKS // 2
    archivist = _archivist(written, max_age_days=(day + half) / day)
    assert await archivist.sweep() > 0
    assert written.block(0).recorded_ns >= T0 + (half - 1) * NS_PER_S
    assert await archivist.sweep() == 0


async def test_two_usable_snapshots_are_left_with_all_that_follows_them():
    written = await _written()
    rungs = await written.snapshots.ladder(PARTITION)
    await _archivist(written, max_bytes=NOTHING).sweep()
    assert await _first_kept(written) == rungs[-2].offset + 1
    assert await written.snapshots.ladder(PARTITION) == rungs[-2:]


@pytest.mark.parametrize(
    "spoilt", [{"fold_version": FOLD_VERSION + 1}, {"block_hash": bytes(32)}, {"state": b"nothing"}]
)
async def test_a_snapshot_that_nobody_can_use_does_not_count(spoilt):
    written = await _written()
    good = await written.snapshots.ladder(PARTITION)
    await written.write(a_trade(ts=at(99), trade_id="x"))
    await written.snapshot(**spoilt)
    await written.write(a_trade(ts=at(100), trade_id="y"))
    await _archivist(written, max_bytes=NOTHING).sweep()
    assert await _first_kept(written) == good[-2].offset + 1


async def test_without_two_snapshots_a_market_partition_is_kept_whole():
    written = await _written(20, snapshot_every=20)
    assert await _archivist(written, max_bytes=NOTHING).sweep() == 0


async def test_a_projection_that_is_behind_holds_the_log_back():
    written = await _written()
    checkpoints = MemoryCheckpoints()
    runner = ProjectionRunner(written.log, checkpoints, Rows())
    await runner.run_once(PARTITION, max_blocks=3)
    seen = (await checkpoints.load("rows", PARTITION)).offset
    archivist = _archivist(written, checkpoints, projections=["rows"], max_bytes=NOTHING)
    await archivist.sweep()
    assert await _first_kept(written) == seen + 1
    while await runner.run_once(PARTITION):
        pass
    await archivist.sweep()
    assert await _first_kept(written) > seen + 1


async def test_a_projection_that_is_made_again_holds_the_log_back_from_then_on():
    written = await _written()
    checkpoints = MemoryCheckpoints()
    runner = ProjectionRunner(written.log, checkpoints, Rows())
    while await runner.run_once(PARTITION):
        pass
    whole = sum(s.bytes for s in await MemoryRetention(written.log, written.snapshots).slices(1))
    archivist = _archivist(written, checkpoints, projections=["rows"], max_bytes=whole * 9 // 10)
    assert await archivist.sweep() > 0

    async def nothing(_) -> None: ...

    await checkpoints.advance(await checkpoints.load("rows", PARTITION), 0, nothing)
    await runner.run_once(PARTITION, max_blocks=1)
    seen = (await checkpoints.load("rows", PARTITION)).offset
    for second in range(BLOCKS, BLOCKS + 10):
        await written.write(a_trade(ts=at(second), trade_id=second))
    await archivist.sweep()
    assert await _first_kept(written) <= seen + 1
    assert await runner.run_once(PARTITION) > 0


async def test_who_is_overtaken_by_another_archivist_goes_on_at_the_next_turn():
    written = await _written()
    mine, other = (_archivist(written, max_bytes=NOTHING) for _ in range(2))
    anchors = written.log.anchors

    async def overtaken():
        written.log.anchors = anchors
        before = await anchors()
        await other.sweep()
        return before

    written.log.anchors = overtaken
    assert await mine.sweep() == 0 and not mine.stuck
    for second in range(BLOCKS, BLOCKS + 10):
        await written.write(a_trade(ts=at(second), trade_id=second))
        if second % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
            await written.snapshot()
    assert await mine.sweep() > 0


async def test_slices_of_what_is_gone_are_passed_over():
    written = await _written()
    mine, other = (_archivist(written, max_bytes=NOTHING) for _ in range(2))
    slices = mine._retention.slices

    async def overtaken(slice_bytes):
        found = await slices(slice_bytes)
        await other.sweep()
        return found

    mine._retention.slices = overtaken
    assert await mine.sweep() == 0 and not mine.stuck


async def test_a_snapshot_that_was_saved_after_its_blocks_went_does_not_count():
    written = await _written()
    (oldest, *_) = await written.snapshots.ladder(PARTITION)
    late = await written.snapshots.latest(PARTITION, at_most=oldest.offset)
    archivist = _archivist(written, max_bytes=NOTHING)
    await archivist.sweep()
    newest = await written.snapshots.latest(PARTITION)
    await written.snapshots.save(replace(newest, state=b"nothing"))
    await written.snapshots.save(late)
    assert await _archivist(written, max_bytes=NOTHING).sweep() == 0


async def test_a_projection_that_begins_after_a_cut_begins_where_the_log_does():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    checkpoints, rows = MemoryCheckpoints(), Rows()
    runner = ProjectionRunner(written.log, checkpoints, rows)
    while await runner.run_once(PARTITION, max_blocks=2):
        pass
    (head,) = await written.log.heads()
    assert rows.offsets == list(range(await _first_kept(written), head.offset + 1))


async def test_a_projection_that_was_overtaken_says_so():
    written = await _written()
    runner = ProjectionRunner(written.log, MemoryCheckpoints(), Rows())
    await runner.run_once(PARTITION, max_blocks=1)
    await _archivist(written, max_bytes=NOTHING).sweep()
    with pytest.raises(Gone):
        await runner.run_once(PARTITION)


async def test_the_state_is_restored_as_before_the_cut():
    from actors.recent import RecentEvents

    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    (head,) = await written.log.heads()
    recent = RecentEvents(PARTITION, head.offset, max_events=10, max_bytes=1 << 20)
    market, _ = await restore(written.log, written.snapshots, head, FOLD, recent)
    assert market.snapshot() == written.market.snapshot()


async def test_the_block_at_the_head_of_another_family_is_left():
    written = await _written(2)
    writer = LogWriter(written.log, "w#1", written.clock)
    await writer.claim("access/00")
    for number in range(3):
        opened = SessionOpened(f"s{number}", "u", "viewer", T0, "g", T0)
        await writer.append([Part("access/00", (), [opened])])
    await _archivist(written, max_bytes=NOTHING).sweep()
    assert await _first_kept(written, "access/00") == 3
    assert all(verdict.ok for verdict in await verify(written.log, written.snapshots, FOLD, key=KEY))


async def test_a_damaged_block_stays_and_nothing_after_it_is_dropped():
    written = await _written()
    block = written.block(4)
    written.tamper(4, replace(block, header=replace(block.header, max_ts_event=0)))
    archivist = _archivist(written, max_bytes=NOTHING)
    await archivist.sweep()
    assert await _first_kept(written) == block.first_offset
    assert list(archivist.stuck) == [PARTITION]
    assert await archivist.sweep() == 0
    verdict = await _verdict(written)
    assert not verdict.hash_ok and verdict.first_divergence == block.first_offset


async def test_a_cut_log_is_dense_chained_and_equal_from_its_anchor_on():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    kept_from = await _first_kept(written)
    (head,) = await written.log.heads()
    assert await _verdict(written) == PartitionVerdict(
        partition=PARTITION,
        head=head.offset,
        blocks=len(written.log.blocks(PARTITION)),
        events=head.offset - kept_from + 1,
        dense=True,
        hash_ok=True,
        state_equal=True,
        first_divergence=None,
        kept_from=kept_from,
        anchor_ok=True,
    )


@pytest.mark.parametrize(
    "changes",
    [{"hash": bytes(32)}, {"dropped_ns": 1}, {"signature": bytes(64)}, {"recorded_ns": 1}],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_anchor_that_was_changed_is_a_fault(changes):
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    anchor = (await written.log.anchors())[PARTITION]
    written.log._anchors[PARTITION] = replace(anchor, **changes)
    verdict = await _verdict(written)
    assert verdict.anchor_ok is False and not verdict.hash_ok and not verdict.ok
    assert verdict.first_divergence == anchor.offset + 1


async def test_an_anchor_of_somebody_else_s_key_among_ours_is_a_fault():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    written.log._anchors["access/0"] = KEY.signed(Anchor("access/0", 1, bytes(32), T0, T0))
    written.log._anchors[PARTITION] = OTHER_KEY.signed((await written.log.anchors())[PARTITION])
    assert (await _verdict(written)).anchor_ok is False


async def test_a_log_that_is_another_key_s_is_not_judged_and_the_key_is_named():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    with pytest.raises(FinanceHubError, match=f"{KEY.key_id}.*{OTHER_KEY.key_id}.*copy .*anchor-ed25519.pem"):
        await _verdict(written, OTHER_KEY)


async def test_two_instances_do_not_sign_one_log_with_two_keys():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    before = await written.log.anchors()
    for second in range(BLOCKS, 2 * BLOCKS):
        await written.write(a_trade(ts=at(second), trade_id=second))
        if second % SNAPSHOT_EVERY == 0:
            await written.snapshot()
    stranger = _archivist(written, key=OTHER_KEY, max_bytes=NOTHING)
    assert await stranger.sweep() == 0
    assert KEY.key_id in stranger.refused and "copy" in stranger.refused
    assert await written.log.anchors() == before
    assert await _archivist(written, max_bytes=NOTHING).sweep() > 0
    assert (await _verdict(written)).ok


async def test_an_anchor_that_was_forged_is_not_signed_over():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    anchor = (await written.log.anchors())[PARTITION]
    written.log._anchors[PARTITION] = replace(anchor, dropped_ns=1)
    for second in range(BLOCKS, 2 * BLOCKS):
        await written.write(a_trade(ts=at(second), trade_id=second))
        await written.snapshot()
    archivist = _archivist(written, max_bytes=NOTHING)
    assert await archivist.sweep() == 0
    assert "anchor" in archivist.stuck[PARTITION]
    assert (await written.log.anchors())[PARTITION].dropped_ns == 1


async def test_blocks_that_are_missing_without_an_anchor_are_a_hole():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    del written.log._anchors[PARTITION]
    verdict = await _verdict(written)
    assert not verdict.dense and verdict.first_divergence == 1


async def test_blocks_below_an_anchor_are_a_fault():
    written = await _written()
    old = list(written.log.blocks(PARTITION))
    await _archivist(written, max_bytes=NOTHING).sweep()
    written.log._blocks[PARTITION] = old
    assert (await _verdict(written)).anchor_ok is False


async def test_anchors_cannot_be_judged_without_a_key():
    written = await _written()
    await _archivist(written, max_bytes=NOTHING).sweep()
    with pytest.raises(FinanceHubError, match=KEY.key_id):
        await verify(written.log, written.snapshots, FOLD)


async def test_a_cut_while_verify_reads_is_no_fault():
    written = await _written()
    archivist = _archivist(written, max_bytes=NOTHING)
    read, cuts = written.log.read, []

    async def read_and_cut(partition, after, **bounds):
        written.log.read = read
        cuts.append(await archivist.sweep())
        return await read(partition, after, **bounds)

    written.log.read = read_and_cut
    verdict = await _verdict(written)
    assert cuts[0] > 0 and verdict.ok and verdict.kept_from == await _first_kept(written)


async def test_a_cut_beyond_where_the_log_ended_when_verify_began_is_no_fault():
    written = await _written()
    heads = written.log.heads

    async def told_early(family=None):
        written.log.heads = heads
        before = await heads(family)
        for second in range(BLOCKS, 2 * BLOCKS):
            await written.write(a_trade(ts=at(second), trade_id=second))
            if second % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
                await written.snapshot()
        await _archivist(written, max_bytes=NOTHING).sweep()
        assert await _first_kept(written) > before[0].offset
        return before

    written.log.heads = told_early
    verdict = await _verdict(written)
    assert verdict.ok and verdict.kept_from == await _first_kept(written)


async def test_a_rebuild_after_a_cut_keeps_the_rows_that_the_log_cannot_make_again():
    written = await _written()
    bars, checkpoints = MemoryBars(), MemoryCheckpoints()
    projector = Projector(written.log, checkpoints, [bars])
    await projector.catch_up()
    before = await bars.bars(INSTRUMENT, "1s", 0, MAX_NS, 1000)
    await _archivist(written, checkpoints, projections=["bars"], max_bytes=NOTHING).sweep()
    assert await _first_kept(written) > 1
    await projector.rebuild("bars")
    assert await bars.bars(INSTRUMENT, "1s", 0, MAX_NS, 1000) == before and before


async def test_a_clock_that_was_set_ahead_makes_nothing_old_until_it_has_stood_for_an_hour():
    written = await _written()
    up = ManualClock(0)
    archivist = _archivist(written, monotonic_ns=up.now_ns, max_age_days=1.0)
    for step_ns in (2 * DAY_NS, -2 * DAY_NS, 2 * DAY_NS):
        written.clock.advance(step_ns)
        assert await archivist.sweep() == 0
    for clock in (up, written.clock):
        clock.advance(SETTLING_NS - 1)
    assert await archivist.sweep() == 0
    for clock in (up, written.clock):
        clock.advance(1)
    assert await archivist.sweep() > 0, "then it is what people call the time"
