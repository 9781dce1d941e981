"""Decoded blocks, kept while they fit: the newest used stay, bounded in bytes.

Blocks never change, so a cached one is always right. Both a miss of the database and of the decoder
are saved: a lookup goes by (partition, offset).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from actors.recent import approximate_bytes_of
from domain.envelope import Recorded
from storage.event_log import BlockHeader


class DecodedBlock(Struct, frozen=True):
    """Events first_offset..last_offset of a partition, in order."""

    partition: str
    first_offset: int
    last_offset: int
    header: BlockHeader
    events: Sequence[Recorded]


class BlockCache:
    """Least recently used goes first. A block larger than the bound is not kept at all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._blocks: OrderedDict[tuple[str, int], tuple[DecodedBlock, int]] = OrderedDict()
        self._starts: dict[str, list[int]] = {}
        self.size_bytes = 0
        self.hits = 0
        self.misses = 0

    def covering(self, partition: str, offset: int) -> DecodedBlock | None:
        """The kept block that holds an offset."""
        starts = self._starts.get(partition, [])
        index = bisect_right(starts, offset) - 1
        if index >= 0:
            key = (partition, starts[index])
            block, _ = self._blocks[key]
            if block.last_offset >= offset:
                self._blocks.move_to_end(key)
                self.hits += 1
                return block
        self.misses += 1
        return None

    def block(self, partition: str, first_offset: int) -> DecodedBlock | None:
        """The kept block that begins at an offset; neither hit nor miss."""
        found = self._blocks.get((partition, first_offset))
        return None if found is None else found[0]

    def put(self, block: DecodedBlock) -> None:
        size = approximate_bytes_of([recorded.event for recorded in block.events])
        key = (block.partition, block.first_offset)
        if size > self._max_bytes or key in self._blocks:
            return
        self._blocks[key] = (block, size)
        insort(self._starts.setdefault(block.partition, []), block.first_offset)
        self.size_bytes += size
        while self.size_bytes > self._max_bytes:
            self._drop_oldest()

    def __len__(self) -> int:
        return len(self._blocks)

    def _drop_oldest(self) -> None:
        (partition, first_offset), (_, size) = self._blocks.popitem(last=False)
        starts = self._starts[partition]
        del starts[bisect_right(starts, first_offset) - 1]
        self.size_bytes -= size
