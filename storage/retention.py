"""The only way out of the log: whole old blocks of one partition, an anchor left in their place.

Backends: `memory.py`, `postgres_retention.py`. What may go is decided in `actors/archivist.py`.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from domain.clock import NS_PER_S
from storage.anchors import Anchor

SLICE_BLOCKS = 2_000
"""Blocks of a slice at most: deleting so many rows takes some 10 ms."""

SLICE_NS = 86_400 * NS_PER_S
"""A slice ends with its UTC day, so that a quiet partition is kept no longer than a busy one."""


class Slice(Struct, frozen=True):
    """A run of whole blocks of one partition: `recorded_ns` of the last one, about what they take on disk."""

    partition: str
    first_offset: int
    last_offset: int
    recorded_ns: int
    blocks: int
    bytes: int


class Retention(Protocol):
    """Methods raise Unavailable."""

    async def slices(self, slice_bytes: int) -> list[Slice]:
        """All that is kept, in slices of one day and about `slice_bytes` or fewer bytes, oldest first.

        Dense and in order within a partition. Only the last slice of a partition still grows.
        """

    async def other_bytes(self) -> int:
        """What the database takes beside the blocks of the log."""

    async def drop(self, anchor: Anchor) -> None:
        """Drop the partition's blocks up to the anchor and its unusable snapshots; keep the anchor.

        With blocks of the audit go their rows of `events`: it is bounded in whatever form.

        All in one transaction. Raises Conflict where no block with the anchor's hash ends at its offset, and
        where the log has an anchor that was signed with another key.
        """
