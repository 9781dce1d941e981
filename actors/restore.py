"""A partition's state out of the log: the newest snapshot that fits, and the tail after it.

A snapshot fits where its fold version is this build's and its block hash is found in the log itself.
Where it does not, an older one is tried, and at last the whole log: never a guess. Where nothing leads to the
head, the first damage that was met is what is raised; only an undamaged log asks for another build.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from actors.recent import RecentEvents
from actors.replay_progress import Replay
from domain.envelope import MarketEvent
from domain.errors import Conflict, Corrupt, FinanceHubError, Gone, Retryable
from domain.exposure import Exposure
from domain.keeper_state import PartitionSettings
from domain.partition import FOLD_VERSION, MarketPartition
from observability.log import get_log
from storage import block as blocks
from storage.codec import decode_events
from storage.event_log import GENESIS_HASH, Block, EventLog, Head, Snapshot, SnapshotStore

log_of_restore = get_log("restore")

READ_BLOCKS = 64
KEEPERS_A_SLICE = 16
"""Keepers put together again, or put down, before others on the event loop get a turn: some 3 ms."""


async def restore(
    log: EventLog,
    snapshots: SnapshotStore,
    head: Head,
    settings: PartitionSettings,
    recent: RecentEvents,
    progress: Replay | None = None,
) -> tuple[MarketPartition, int]:
    """(state at `head`, offset of the newest snapshot there is of it). Fills `recent` with the newest events.

    A long replay puts its state down on the way, so that the next attempt need not begin again.

    Raises Corrupt where the log contradicts itself or a snapshot is damaged, Gone where retention has dropped
    what no snapshot of this build holds, Unavailable.
    """
    replay = progress or Replay(head.partition, head.epoch, head.offset, time.monotonic)
    at_most = head.offset
    of_log: list[Corrupt] = []
    of_snapshots: list[Corrupt] = []
    while True:
        snapshot, market = await _starting_point(log, snapshots, head, settings, at_most, of_snapshots)
        recent.restart(snapshot.offset)
        replay.begins(snapshot.offset)
        try:
            put_down = await _replay_tail(log, snapshots, head, snapshot, market, recent, replay)
        except Corrupt as error:
            of_log.append(error)
            if snapshot.offset == 0:
                raise of_log[0] from None
            at_most = snapshot.offset - 1
        except Gone as gone:
            damage = [*of_log, *of_snapshots]
            raise await out_of_reach(log, snapshots, head.partition, gone, damage) from None
        else:
            return market, put_down


async def out_of_reach(
    log: EventLog, snapshots: SnapshotStore, partition: str, gone: Gone, damage: Sequence[Corrupt]
) -> FinanceHubError:
    """Why nothing leads to a place in what is left of a log: damage that was met, a hole, or another version.

    `gone` is what reading the log from further back has said.
    """
    if damage:
        return damage[0]
    anchor = (await log.anchors()).get(partition)
    kept_from = 1 if anchor is None else anchor.offset + 1
    if gone.kept_from > kept_from:
        return Corrupt(
            f"the log of {partition!r} lacks the offsets before {gone.kept_from},"
            f" and retention has dropped none from {kept_from} on"
        )
    versions = sorted({rung.fold_version for rung in await snapshots.ladder(partition)})
    kept = f"they have fold version {', '.join(map(str, versions))}" if versions else "there is none"
    return Gone(
        f"{partition!r} cannot be restored: its log is kept from offset {gone.kept_from}, and of the"
        f" snapshots after that none fits this build's fold version {FOLD_VERSION} and its settings; {kept}:"
        " start the FinanceHub and the settings that wrote them, or begin with a new database",
        gone.kept_from,
    )


async def _replay_tail(
    log: EventLog,
    snapshots: SnapshotStore,
    head: Head,
    snapshot: Snapshot,
    market: MarketPartition,
    recent: RecentEvents,
    progress: Replay,
) -> int:
    """Fold everything up to the head; returns the offset of the newest snapshot that there is on the way."""
    offset, block_hash = snapshot.offset, snapshot.block_hash
    put_down = offset
    while offset < head.offset:
        for block in await _page(log, head.partition, offset, head.offset):
            offset, block_hash = blocks.verify_chain([block], offset, block_hash)
            events = decode_market_events(block)
            replay(market, block, events)
            recent.append(block.recorded_ns, events)
            await asyncio.sleep(0)
            if progress.reached(offset) and await _put_down(snapshots, market, block, progress):
                put_down = offset
    if (offset, block_hash) != (head.offset, head.hash):
        raise Corrupt(f"the log of {head.partition!r} ends at {offset}, its head says {head.offset}")
    return put_down


async def _put_down(
    snapshots: SnapshotStore, market: MarketPartition, block: Block, progress: Replay
) -> bool:
    """Save the state at the end of a block. Where it cannot be saved, the next attempt takes longer."""
    exposure = market.expose()
    try:
        state = await in_slices(exposure)
    finally:
        market.conceal(exposure)
    place = (block.partition, block.last_offset, block.hash, FOLD_VERSION, block.recorded_ns)
    try:
        await snapshots.save(Snapshot(*place, state))
    except Retryable as error:
        log_of_restore.warning("no snapshot", partition=block.partition, error=str(error))
        progress.put_down(saved=False)
        return False
    progress.put_down(saved=True)
    return True


async def in_slices(exposure: Exposure) -> bytes:
    """The state of the moment in which it was exposed; others on the event loop get a turn in between."""
    while not exposure.done:
        exposure.read(KEEPERS_A_SLICE)
        await asyncio.sleep(0)
    return exposure.whole()


def decode_market_events(block: Block) -> list[MarketEvent]:
    """A market partition holds nothing else."""
    return cast(list[MarketEvent], decode_events(block.codec, block.payload, block.event_count))


def replay(market: MarketPartition, block: Block, events: list[MarketEvent]) -> None:
    """Apply a block batch by batch, as it was admitted. Decisions are applied, not taken again."""
    start = 0
    for admitted in block.header.batches:
        end = start + admitted.count
        market.apply(admitted, events[start:end])
        start = end
    if start != len(events):
        raise Corrupt(f"block {block.first_offset} of {block.partition!r} has events of no batch")


async def _page(log: EventLog, partition: str, after: int, until: int) -> list[Block]:
    """The next blocks that hold (after, until]."""
    page = await log.read(partition, after, until=until, max_blocks=READ_BLOCKS)
    if not page:
        raise Corrupt(f"the log of {partition!r} has nothing after {after}, though {until} is its head")
    return page


async def _starting_point(
    log: EventLog,
    snapshots: SnapshotStore,
    head: Head,
    settings: PartitionSettings,
    at_most: int,
    damage: list[Corrupt],
) -> tuple[Snapshot, MarketPartition]:
    while at_most > 0:
        snapshot = await snapshots.latest(head.partition, at_most=at_most)
        if snapshot is None:
            break
        market = await fitting(log, head, snapshot, settings, damage)
        if market is not None:
            return snapshot, market
        at_most = snapshot.offset - 1
    empty = Snapshot(head.partition, 0, GENESIS_HASH, FOLD_VERSION, 0, b"")
    return empty, MarketPartition(head.partition, settings)


async def fitting(
    log: EventLog,
    head: Head,
    snapshot: Snapshot,
    settings: PartitionSettings,
    damage: list[Corrupt] | None = None,
) -> MarketPartition | None:
    """The state that a snapshot holds; None where it is not of this build and this very log."""
    if snapshot.fold_version != FOLD_VERSION or not await _of_this_log(log, head, snapshot):
        return None
    return await state_of(snapshot, settings, damage)


async def state_of(
    snapshot: Snapshot, settings: PartitionSettings, damage: list[Corrupt] | None = None
) -> MarketPartition | None:
    """The state that a snapshot holds; None where it is of other settings or cannot be read.

    What kept it from being read is added to `damage`.
    """
    market = MarketPartition(snapshot.partition, settings)
    try:
        for count, _ in enumerate(market.restoring(snapshot.state), start=1):
            if count % KEEPERS_A_SLICE == 0:
                await asyncio.sleep(0)
    except Conflict:
        return None
    except Corrupt as error:
        if damage is not None:
            place = f"the snapshot of {snapshot.partition!r} at {snapshot.offset}"
            damage.append(Corrupt(f"{place} cannot be read: {error}"))
        return None
    return market


async def _of_this_log(log: EventLog, head: Head, snapshot: Snapshot) -> bool:
    """Whether the block that ends at the snapshot's offset has the snapshot's hash."""
    if snapshot.offset == head.offset:
        return snapshot.block_hash == head.hash
    try:
        following = await log.read(head.partition, snapshot.offset, until=snapshot.offset + 1, max_blocks=1)
    except Gone:  # saved after retention had passed it
        return False
    return bool(following) and (
        following[0].first_offset == snapshot.offset + 1 and following[0].prev_hash == snapshot.block_hash
    )
