"""The anomaly figures on a small scale: the detectors hold a bound, the scorer counts as it says."""

from __future__ import annotations

from itertools import pairwise

from msgspec.structs import replace

from actors.feeds.sim.incidents import Incident
from domain.anomalies.found import AnomalyFound
from domain.clock import NS_PER_S
from tests.bench import reference_anomalies
from tests.bench.anomalies import (
    KINDS,
    START,
    overall,
    quiet_run,
    schedule,
    score_references,
    score_run,
    scored,
)

BTC = "BTC-USD.SIM"
SLIP = AnomalyFound(
    provider="sim", instrument=BTC, ts_event=START, ts_recv=START, anomaly="decimal_slip",
    verdict="data_error", severity=0.9, evidence=(),
)  # fmt: skip


def test_the_simulators_incidents_are_found_and_named() -> None:
    scores = score_run(11, (BTC, "AAPL.SIM"))
    assert {kind: score.hit for kind, score in scores.items() if kind in KINDS} == dict.fromkeys(KINDS, 2)
    assert overall(scores).f1 >= 0.95


def test_providers_find_each_others_errors_and_only_those() -> None:
    scores = score_references(11, (BTC,))
    seen = reference_anomalies.SEEN
    assert {kind: scores[kind].hit for kind in seen} == dict.fromkeys(seen, 1)
    assert overall({kind: scores[kind] for kind in scores if scores[kind].false}).false == 0


def test_a_quiet_market_is_quiet() -> None:
    assert len(quiet_run(12, 120)) == 0


def test_every_instrument_suffers_every_kind_once_apart() -> None:
    incidents = schedule(3, (BTC, "AAPL.SIM"))
    for instrument in (BTC, "AAPL.SIM"):
        own = sorted(
            (each for each in incidents if each.instrument == instrument), key=lambda each: each.start
        )
        assert sorted(each.kind for each in own) == sorted(KINDS)
        assert own[-1].kind == "split"
        assert all(later.start - earlier.end > 45 * NS_PER_S for earlier, later in pairwise(own))


def test_a_second_anomaly_a_wrong_class_and_a_wrong_time_are_false() -> None:
    incident = Incident("decimal_slip", BTC, START, START + 2 * NS_PER_S)
    for found, expected in (
        ([], (0, 1, 0)),
        ([SLIP], (1, 0, 0)),
        ([SLIP, SLIP], (1, 0, 1)),
        ([replace(SLIP, verdict="unclear")], (0, 1, 1)),
        ([replace(SLIP, ts_event=START + 60 * NS_PER_S)], (0, 1, 1)),
        ([replace(SLIP, instrument="AAPL.SIM")], (0, 1, 1)),
    ):
        score = overall(scored([incident], found))
        assert (score.hit, score.missed, score.false) == expected


def test_only_a_market_event_has_consequences() -> None:
    rush = replace(SLIP, anomaly="trade_burst", verdict="market_event")
    crash = Incident("flash_crash", BTC, START, START + 20 * NS_PER_S)
    assert overall(scored([crash], [rush])).false == 0
    assert overall(scored([Incident("decimal_slip", BTC, START, START)], [rush])).false == 1
