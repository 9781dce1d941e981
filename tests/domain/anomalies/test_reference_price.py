"""Several providers' prices: agreement, deviation, witnesses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from domain.market.reference_price import KEEP, ReferencePrice, ReferencePriceState
from tests.builders import at


def told(**prices: float) -> ReferencePrice:
    """All at second 0."""
    reference = ReferencePrice()
    for name, price in prices.items():
        reference.observe(name, price, at(0))
    return reference


def test_the_median_of_the_fresh_ones_and_who_deviates() -> None:
    seen = told(one=100.0, two=100.1, three=100.2, four=103.0).at(at(5))
    assert seen is not None
    assert seen.price == pytest.approx(100.15)
    assert seen.spread == pytest.approx(3.0 / 100.15)
    assert (seen.deviating, seen.stale, seen.fresh, seen.confidence) == (("four",), (), 4, 0.75)


def test_who_has_not_spoken_is_stale_and_does_not_count() -> None:
    reference = told(one=100.0, two=150.0)
    reference.observe("one", 101.0, at(60))
    seen = reference.at(at(60))
    assert seen is not None and (seen.price, seen.stale, seen.confidence) == (101.0, ("two",), 0.5)
    assert reference.at(at(600)) is None
    assert ReferencePrice().at(at(0)) is None


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_price_is_refused(price: float) -> None:
    reference = told(one=100.0)
    assert not reference.observe("one", price, at(1))
    assert not reference.observe("one", 99.0, at(-1))
    seen = reference.at(at(1))
    assert seen is not None and seen.price == 100.0


def moved(**factors: float) -> ReferencePrice:
    """Ten samples about 100, each provider with a bias of its own, then the factor."""
    reference = ReferencePrice()
    for place, (name, factor) in enumerate(factors.items()):
        for second in range(12):
            price = (100.0 + place) * (factor if second >= 10 else 1.0) + 0.001 * second
            reference.observe(name, price, at(second))
    return reference


def test_witnesses_are_asked_for_their_own_move() -> None:
    reference = moved(ours=0.9, same=0.9, less=0.97, none=1.0, other=1.1)
    says = reference.witnesses(math.log(0.9), since=at(9.5), now=at(11), besides="ours")
    assert (says.confirm, says.deny) == (1, 2)


def test_a_stuck_provider_is_no_witness() -> None:
    reference = moved(ours=0.9)
    for second in range(12):
        reference.observe("stuck", 100.0, at(second))
    says = reference.witnesses(math.log(0.9), since=at(9.5), now=at(11), besides="ours")
    assert (says.confirm, says.deny) == (0, 0)


def test_who_has_said_nothing_since_is_no_witness() -> None:
    reference = moved(ours=0.9)
    reference.observe("late", 100.0, at(5))
    says = reference.witnesses(math.log(0.9), since=at(9.5), now=at(11), besides="ours")
    assert (says.confirm, says.deny) == (0, 0)


samples = st.lists(st.tuples(st.sampled_from("abc"), st.floats(1.0, 9.0), st.integers(0, 90)), max_size=80)


@given(samples)
def test_state_travels_as_bytes_and_stays_bounded(said: list[tuple[str, float, int]]) -> None:
    reference = ReferencePrice()
    for name, price, second in said:
        reference.observe(name, price, at(second))
    packed = msgpack.encode(reference.snapshot())
    again = ReferencePrice.restored(msgpack.decode(packed, type=ReferencePriceState))
    assert again.at(at(60)) == reference.at(at(60))
    assert msgpack.encode(again.snapshot()) == packed
    assert all(len(each) <= KEEP for _, each in reference.snapshot().samples)
