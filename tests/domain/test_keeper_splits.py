"""Announced splits in one instrument's fold."""

from __future__ import annotations

import math

import pytest

from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import Market
from domain.anomalies.announced import explained
from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.keeper import SymbolKeeper
from domain.market.decisions import Decision
from domain.market.observations import SplitAnnounced
from domain.market.splits import Split
from domain.partition import PartitionSettings
from tests.builders import INSTRUMENT, T0, a_trade, at

EFFECTIVE = at(120)
AAPL = "AAPL.SIM"


def a_split(to: float = 4.0) -> SplitAnnounced:
    return SplitAnnounced(
        provider="sim",
        instrument=INSTRUMENT,
        ts_event=T0,
        ts_recv=T0,
        effective=EFFECTIVE,
        split_from=1.0,
        split_to=to,
    )


def a_keeper() -> SymbolKeeper:
    return SymbolKeeper(INSTRUMENT, PartitionSettings())


def test_an_announced_split_is_known_and_not_yet_in_force():
    keeper = a_keeper()
    keeper.observe(a_split(), T0)
    assert keeper.splits.known() == (Split(EFFECTIVE, 4.0),)
    assert keeper.splits.in_force == ()


def test_a_restored_keeper_knows_the_same_splits_and_goes_on_alike():
    keeper = a_keeper()
    keeper.observe(a_split(), T0)
    restored = SymbolKeeper.restored(keeper.snapshot(), PartitionSettings())
    for each in (keeper, restored):
        each.observe(a_trade(100, ts=at(1)), at(1))
        each.observe(a_split(5.0), at(2))
    assert restored.splits.known() == (Split(EFFECTIVE, 5.0),)
    assert restored.snapshot() == keeper.snapshot()


@pytest.mark.parametrize(
    ("kind", "verdicts"), [("split", {"data_error"}), ("announced_split", {"market_event"})]
)
def test_a_split_is_an_error_of_the_data_unless_it_was_announced(kind: str, verdicts: set[str]) -> None:
    start = T0 // NS_PER_MIN * NS_PER_MIN
    market = Market(
        (AAPL,), seed=3, start_ns=start, rate=3.0, incidents=[parse_incident(f"{kind}:{AAPL}@120", start)]
    )
    keeper = SymbolKeeper(AAPL, PartitionSettings())
    found: list[Decision] = []
    for event in [*market.describe(), *market.step(start + 180 * NS_PER_S)]:
        found += keeper.observe(event, event.ts_recv) or ()
    jumps = [each for each in found if isinstance(each, AnomalyFound) and each.anomaly == "split"]
    assert {each.verdict for each in jumps} == verdicts
    assert all(each.taints == (kind == "split") for each in jumps)


def test_another_jump_near_a_split_stays_what_it_is() -> None:
    def jumped(to: float) -> AnomalyFound:
        evidence = (("return", math.log(to)),)
        return AnomalyFound("sim", AAPL, T0, T0, "decimal_slip", "data_error", 1.0, evidence)

    assert explained(jumped(0.1), [Split(T0, 10.0)]).verdict == "market_event"
    assert explained(jumped(0.1), [Split(T0, 4.0)]) == jumped(0.1)
    assert explained(jumped(0.1), [Split(T0 - 30 * 86_400 * NS_PER_S, 10.0)]) == jumped(0.1)
