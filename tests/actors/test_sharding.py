"""Partitions to owners: even, agreed by everybody, and with few moves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.sharding import Move, assign, plan_moves
from domain.errors import Rejected
from domain.ids import market_partitions

owner_sets = st.sets(st.integers(0, 40).map(lambda n: f"keeper-{n}"), min_size=1, max_size=12)
counts = st.integers(1, 64)


@settings(max_examples=40)
@given(counts, owner_sets)
def test_every_partition_has_one_owner_and_no_owner_more_than_its_share(count: int, owners: set[str]) -> None:
    placed = assign(market_partitions(count), owners)
    assert sorted(placed) == market_partitions(count)
    assert max(Counter(placed.values()).values()) <= -(-count // len(owners))
    assert set(placed.values()) <= owners


@settings(max_examples=20)
@given(counts, st.lists(st.sampled_from("abcdef"), min_size=1), st.randoms(use_true_random=False))
def test_the_order_in_which_names_are_listed_does_not_matter(count, owners, random) -> None:
    partitions = list(market_partitions(count))
    expected = assign(partitions, owners)
    random.shuffle(partitions)
    random.shuffle(owners)
    assert assign(partitions, owners) == expected


def test_a_lost_owner_moves_its_own_partitions_and_few_others() -> None:
    owners = [f"keeper-{n}" for n in range(8)]
    before = assign(market_partitions(64), owners)
    moves = plan_moves(before, market_partitions(64), owners[:-1])
    orphans = [partition for partition, owner in before.items() if owner == owners[-1]]
    assert set(orphans) <= {move.partition for move in moves}
    assert len(moves) <= 3 * len(orphans)


def test_moves_lead_to_the_assignment_and_then_there_are_none() -> None:
    partitions = market_partitions(4)
    current = {partitions[0]: "a", partitions[1]: "a", partitions[2]: "gone"}
    moves = plan_moves(current, partitions, ["a", "b"])
    for move in moves:
        current[move.partition] = move.target
    assert current == assign(partitions, ["a", "b"])
    assert plan_moves(current, partitions, ["b", "a"]) == []


def test_partitions_without_an_owner_are_served_first() -> None:
    moves = plan_moves({"market/00": "old", "market/01": "old"}, market_partitions(3), ["new"])
    assert moves[0] == Move("market/02", None, "new")


def test_nobody_alive_is_refused() -> None:
    with pytest.raises(Rejected, match="no owner"):
        assign(market_partitions(2), [])
