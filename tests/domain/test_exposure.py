"""A snapshot read in slices is the state of the moment it was begun, whatever is folded meanwhile."""

from __future__ import annotations

import random

import pytest

from domain.partition import MarketPartition
from tests.builders import a_batch, a_gap, a_quote, a_snapshot, a_trade, at

NAMES = [f"I{number}.SIM" for number in range(12)]


def news(chance: random.Random, sequence: int, count: int) -> list:
    makers = (
        lambda name, ts: a_trade(
            100.0 + chance.random(), ts=ts, instrument=name, trade_id=chance.randrange(99)
        ),
        lambda name, ts: a_quote(ts=ts, instrument=name),
        lambda name, ts: a_snapshot(ts=ts, instrument=name),
        lambda name, ts: a_gap("trades", ts=ts, instrument=name),
    )
    return [chance.choice(makers)(chance.choice(NAMES), at(sequence / 3)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(30))
def test_a_snapshot_in_slices_is_of_one_moment(seed: int) -> None:
    chance = random.Random(seed)
    market = MarketPartition("market/00")
    for sequence in range(1, 12):
        incarnation = 1 if sequence < 6 else 2
        number = sequence if incarnation == 1 else sequence - 5
        if sequence == 4 or sequence == chance.randrange(1, 12):
            before, exposure = market.snapshot(), market.expose()
        market.observe(
            a_batch(
                *news(chance, sequence, chance.randrange(1, 9)),
                sequence=number,
                incarnation=incarnation,
                clock=at(sequence),
            )
        )
        if sequence >= 4:
            exposure.read(chance.randrange(4))
    assert exposure.whole() == before
    assert MarketPartition.restore(before).snapshot() == before
    assert market.snapshot() != before


def test_a_second_exposure_does_not_spoil_the_first() -> None:
    market = MarketPartition("market/00")
    market.observe(a_batch(a_trade(1), a_trade(2, instrument="B.SIM")))
    then, first = market.snapshot(), market.expose()
    market.observe(a_batch(a_trade(3), sequence=2))
    later, second = market.snapshot(), market.expose()
    market.conceal(first)
    market.observe(a_batch(a_trade(4), a_trade(5, instrument="B.SIM"), sequence=3))
    assert (first.whole(), second.whole()) == (then, later)


def test_a_market_without_instruments_has_a_snapshot_too() -> None:
    empty = MarketPartition("market/07")
    assert MarketPartition.restore(empty.snapshot()).snapshot() == empty.snapshot()
    assert MarketPartition.restore(empty.snapshot()).name == "market/07"
