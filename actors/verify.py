"""Is the log what was written, and do snapshots say what it says? `financehub verify`.

Each partition is read once from its first retained block to its head, block by block:

    dense         offsets without a hole, as far as the head says and no further
    hash_ok       every block is what was sealed and follows the one before it; the head ends the chain
    anchor_ok     where retention has dropped blocks, a signed anchor says so, and the chain begins there
    state_equal   market partitions: a replay equals every snapshot of this build that it passes, and the
                  newest one plus its tail equals it at the head

The replay begins far enough back to pass `REPLAYED_EVENTS` and one snapshot at least, with `full` at the
beginning of what is kept. Reading stops at the first fault of a partition; what lies behind it cannot be
judged.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from actors.verify_state import States
from domain.errors import Corrupt, Gone, Rejected
from domain.keeper_state import PartitionSettings
from storage.anchor_key import AnchorKey
from storage.anchors import Anchor, require_key
from storage.block import events_of
from storage.block import verify as verify_block
from storage.event_log import GENESIS_HASH, Block, EventLog, Head, SnapshotStore

FIRST_READ, LARGEST_READ = 16, 1_024
PAGE_BYTES = 2 << 20
"""Blocks are read more at a time while they are so small that this is not reached."""
OVERTAKEN = 5
"""How often retention may drop what is just being read, before that counts as a hole."""


class PartitionVerdict(Struct, frozen=True):
    """`blocks` and `events` were found good. `state_equal` None: no market partition, or not reached.

    `first_divergence`: the first offset that cannot be trusted; None without a fault. `kept_from`: the first
    offset that retention has left; `anchor_ok` None: nothing was ever dropped.
    """

    partition: str
    head: int
    blocks: int
    events: int
    dense: bool
    hash_ok: bool
    state_equal: bool | None
    first_divergence: int | None
    kept_from: int = 1
    anchor_ok: bool | None = None

    @property
    def ok(self) -> bool:
        return self.first_divergence is None


async def verify(
    log: EventLog,
    snapshots: SnapshotStore,
    settings: PartitionSettings | None = None,
    *,
    key: AnchorKey | None = None,
    full: bool = False,
) -> list[PartitionVerdict]:
    """A verdict for every partition that was ever claimed, by name.

    `settings` are those of the market partitions' fold, `key` is the instance's that signs anchors. While
    the system runs, events appended meanwhile are left out. Raises Unavailable; Conflict where the anchors
    are of another key, or there is none to check them with.
    """
    named = {anchor.key_id for anchor in (await log.anchors()).values()}
    if key is None or key.key_id not in named:
        require_key("" if key is None else key.key_id, named)
    fold = settings or PartitionSettings()
    return [await _verdict(log, snapshots, head, fold, key, full) for head in await log.heads()]


async def verify_with(
    anchor_seed: bytes | None, log: EventLog, snapshots: SnapshotStore, *, full: bool
) -> list[PartitionVerdict]:
    """`verify` with the secret of the key that signs anchors, as `deployments` knows it."""
    key = AnchorKey(anchor_seed) if anchor_seed is not None else None
    return await verify(log, snapshots, key=key, full=full)


async def _verdict(
    log: EventLog,
    snapshots: SnapshotStore,
    head: Head,
    settings: PartitionSettings,
    key: AnchorKey | None,
    full: bool,
) -> PartitionVerdict:
    for _ in range(OVERTAKEN):
        anchor = (await log.anchors()).get(head.partition)
        if anchor is not None and anchor.offset >= head.offset:  # retention has since passed that end
            (head,) = [now for now in await log.heads() if now.partition == head.partition]
        chain = _Chain(head, anchor, key)
        states = None
        if head.partition.startswith("market/") and chain.fault_at is None:
            states = await States.over(snapshots, head, settings, *chain.place, full=full)
        await _follow(log, chain, states)
        if not await chain.was_overtaken(log):
            break
    return _judged(chain, states)


async def _follow(log: EventLog, chain: _Chain, states: States | None) -> None:
    count = FIRST_READ
    await chain.begin(log)
    while chain.fault_at is None and chain.offset < chain.head.offset:
        page = await _page(log, chain, count)
        for block in page:
            folded = states is not None and states.folds(block)
            if not chain.follow(block, decode=not folded):
                break
            if states is not None:
                await states.follow(block)
            await asyncio.sleep(0)
        if sum(len(block.payload) for block in page) < PAGE_BYTES // 2:
            count = min(2 * count, LARGEST_READ)
        else:
            count = max(FIRST_READ, count // 2)
    if chain.fault_at is None:
        await chain.end(log)


def _judged(chain: _Chain, states: States | None) -> PartitionVerdict:
    diverged = None if states is None else states.diverged_at
    faults = [offset for offset in (chain.fault_at, diverged) if offset is not None]
    equal: bool | None = None
    if diverged is not None:
        equal = False
    elif states is not None and chain.fault_at is None and states.begun:
        equal = True
    return PartitionVerdict(
        partition=chain.head.partition,
        head=chain.head.offset,
        blocks=chain.blocks,
        events=chain.offset - chain.begun_at,
        dense=chain.dense,
        hash_ok=chain.hash_ok,
        state_equal=equal,
        first_divergence=min(faults, default=None),
        kept_from=chain.begun_at + 1,
        anchor_ok=chain.anchor_ok,
    )


async def _page(log: EventLog, chain: _Chain, count: int) -> list[Block]:
    """The next blocks; a hole ends the chain."""
    try:
        page = await log.read(chain.head.partition, chain.offset, until=chain.head.offset, max_blocks=count)
    except (Rejected, Corrupt):
        page = []
    if not page:
        chain.hole()
    return page


class _Chain:
    """Offsets and hashes of one partition, followed from its anchor or its very first block."""

    def __init__(self, head: Head, anchor: Anchor | None, key: AnchorKey | None) -> None:
        self.head = head
        self.begun_at = self.offset = 0 if anchor is None else anchor.offset
        self.blocks = 0
        self.dense = True
        self.hash_ok = True
        self.anchor_ok: bool | None = None
        self.fault_at: int | None = None
        self._anchor = anchor
        self._hash = GENESIS_HASH
        if anchor is not None:
            self._hash = anchor.hash
            self.anchor_ok = key is not None and key.has_signed(anchor) and anchor.offset < head.offset
            if not self.anchor_ok:
                self._broken()

    @property
    def place(self) -> tuple[int, bytes]:
        """The last offset that was found good, and the hash of its block."""
        return self.offset, self._hash

    async def begin(self, log: EventLog) -> None:
        """Where something was dropped, nothing is left below the anchor."""
        if self._anchor is None or self.fault_at is not None:
            return
        try:
            below = await log.read(self.head.partition, 0, until=self.begun_at, max_blocks=1)
        except Gone:
            return
        if below:
            self.anchor_ok = False
            self._broken()

    def follow(self, block: Block, *, decode: bool) -> bool:
        """Take the next block; False where it does not fit."""
        if block.first_offset != self.offset + 1 or not self.offset < block.last_offset <= self.head.offset:
            self.hole()
            return False
        try:
            verify_block(block, self._hash)
            if decode:
                events_of(block)
        except Corrupt:
            self._broken()
            return False
        self.offset, self._hash = block.last_offset, block.hash
        self.blocks += 1
        return True

    def hole(self) -> None:
        """The next offset is missing, or in the wrong place."""
        self.dense = False
        self.fault_at = self.offset + 1

    async def was_overtaken(self, log: EventLog) -> bool:
        """The hole is where retention has just dropped what was to be read."""
        if self.dense:
            return False
        anchor = (await log.anchors()).get(self.head.partition)
        return anchor is not None and anchor.offset > self.begun_at

    async def end(self, log: EventLog) -> None:
        """The head is where the chain ends, and nothing was slipped in behind it."""
        if self._hash != self.head.hash:
            self._broken()
            return
        behind = await log.read(self.head.partition, self.head.offset, max_blocks=1)
        family = self.head.partition.partition("/")[0]
        heads = {head.partition: head.offset for head in await log.heads(family)}
        if behind and heads[self.head.partition] == self.head.offset:
            self.hole()

    def _broken(self) -> None:
        self.hash_ok = False
        self.fault_at = min(self.offset + 1, max(1, self.head.offset))
