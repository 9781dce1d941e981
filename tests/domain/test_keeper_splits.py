"""Announced splits in one instrument's fold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from msgspec import structs

from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import Market
from domain.anomalies.announced import explained
from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.keeper import SymbolKeeper
from domain.market.decisions import Decision
from domain.market.observations import Observation, SplitAnnounced, Trade
from domain.market.splits import Split
from domain.partition import PartitionSettings
from domain.patterns.found import PatternFound
from tests.builders import INSTRUMENT, T0, a_trade, at
from tests.patterns_set import NOISE, samples

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


def minutes(closes: list[float], begin: int = 0) -> list[Trade]:
    """A trade a minute."""
    return [
        a_trade(price, ts=at(60.0 * minute), trade_id=minute + 1)
        for minute, price in enumerate(closes, begin)
    ]


def figures_of(keeper: SymbolKeeper, events: Sequence[Observation]) -> list[PatternFound]:
    decisions: list[Decision] = []
    clock = T0
    for event in events:
        clock = max(clock, event.ts_event)
        decisions += [*keeper.run_timers(clock), *(keeper.observe(event, clock) or ())]
    return [each for each in decisions if isinstance(each, PatternFound)]


@pytest.fixture(scope="module")
def forming() -> list[float]:
    """A price a minute up to where a double top has become known and not been left."""
    drawn = next(samples("double_top", 1, NOISE["low"], 3)).bars[:, 3]
    closes = [round(each, 2) for each in (drawn / drawn[0] * 100.0).tolist()]
    told = figures_of(a_keeper(), minutes(closes))
    known = next(each.ts_event for each in told if each.pattern == "double_top")
    return closes[: (known - T0) // NS_PER_MIN + 3]


NEW_SHARES = [26.0 + minute % 2 for minute in range(40)]


@pytest.mark.parametrize("late", [False, True])
def test_a_split_confirms_no_figure_and_ends_those_of_before(forming: list[float], late: bool) -> None:
    keeper = a_keeper()
    effective = at(60.0 * len(forming))
    split = structs.replace(a_split(), effective=effective)
    before = figures_of(keeper, [*([] if late else [split]), *minutes(forming)])
    assert [each.state for each in before if each.pattern == "double_top"] == ["forming"]
    traded = minutes(NEW_SHARES, len(forming))
    after = figures_of(keeper, [traded[0], split, *traded[1:]] if late else traded)
    alive = {each.figure for each in before} - {each.figure for each in before if each.state == "invalidated"}
    ended = {each.figure: (each.state, each.reason) for each in after if each.figure in alive}
    assert ended == dict.fromkeys(alive, ("invalidated", "split"))


def test_figures_of_an_unannounced_jump_are_what_they_look_like(forming: list[float]) -> None:
    figures = figures_of(a_keeper(), minutes([*forming, *NEW_SHARES]))
    assert "confirmed" in [each.state for each in figures if each.pattern == "double_top"]


def test_another_jump_near_a_split_stays_what_it_is() -> None:
    def jumped(to: float) -> AnomalyFound:
        evidence = (("return", math.log(to)),)
        return AnomalyFound("sim", AAPL, T0, T0, "decimal_slip", "data_error", 1.0, evidence)

    assert explained(jumped(0.1), [Split(T0, 10.0)]).verdict == "market_event"
    assert explained(jumped(0.1), [Split(T0, 4.0)]) == jumped(0.1)
    assert explained(jumped(0.1), [Split(T0 - 30 * 86_400 * NS_PER_S, 10.0)]) == jumped(0.1)
