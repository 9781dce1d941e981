"""Which owner holds which partition: rendezvous hashing with an even share, and the moves to get there.

id -> partition is fixed for the life of a database (`domain.ids.market_partition`); partition -> owner
is computed here from nothing but the names, so that every process comes to the same answer.

Rendezvous: Thaler & Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1),
1998. Each partition prefers owners by hash score; it takes its first choice that still has room, where
room is ceil(partitions / owners). Plain rendezvous would give 4 partitions to 1 of 2 owners once in 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from domain.errors import Rejected


class Move(Struct, frozen=True):
    """One partition's change of owner. `source` None: nobody holds it."""

    partition: str
    source: str | None
    target: str


def score(partition: str, owner: str) -> int:
    """How much a partition prefers an owner; higher is better, 64 bits."""
    digest = hashlib.blake2b(f"{partition}\0{owner}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def preference(partition: str, owners: Iterable[str]) -> list[str]:
    """Owners from most to least preferred by this partition."""
    return sorted(owners, key=lambda owner: (score(partition, owner), owner), reverse=True)


def assign(partitions: Iterable[str], owners: Iterable[str]) -> dict[str, str]:
    """partition -> owner; no owner gets more than ceil(partitions / owners). Raises Rejected without owners.

    The answer depends on the two sets alone, never on their order.
    """
    wanted, candidates = sorted(set(partitions)), sorted(set(owners))
    if not candidates:
        raise Rejected("no owner is alive to take the partitions")
    room = dict.fromkeys(candidates, -(-len(wanted) // len(candidates)))
    placed: dict[str, str] = {}
    for partition in wanted:
        owner = next(owner for owner in preference(partition, candidates) if room[owner])
        room[owner] -= 1
        placed[partition] = owner
    return placed


def plan_moves(current: Mapping[str, str], partitions: Sequence[str], owners: Iterable[str]) -> list[Move]:
    """The moves from `current` to `assign(partitions, owners)`, unowned partitions first, then by name."""
    target = assign(partitions, owners)
    moves = [
        Move(partition, current.get(partition), owner)
        for partition, owner in target.items()
        if current.get(partition) != owner
    ]
    return sorted(moves, key=lambda move: (move.source is not None, move.partition))
