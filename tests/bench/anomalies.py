"""Labelled incidents of the simulator against what is found, and what is found where nothing happens.

Each instrument suffers every kind of incident once per run, a minute and more apart, in an order of the
seed. Two other providers tell their prices, one of them beside it and late, a third is stuck. What a venue
says itself (that it halted, that something is missing) is withheld: the figures are of what the numbers
show. An incident counts as found when an anomaly of its kind and class speaks about a time within it;
every further anomaly is false, but for consequences of a market event (a wide spread, a rush).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from actors.feeds.sim.incidents import Incident, IncidentKind
from actors.feeds.sim.market import PROVIDER, Market
from actors.feeds.sim.views import parse_views
from domain.anomalies.found import AnomalyFound, AnomalyKind
from domain.anomalies.watch import Watch
from domain.clock import NS_PER_S
from domain.market.observations import Observation, Quote, Ticker, Trade
from tests.bench import reference_anomalies
from tests.bench.rows import Row, Scale

INSTRUMENTS = ("BTC-USD.SIM", "ETH-USD.SIM", "AAPL.SIM", "NVDA.SIM", "EUR-USD.SIM", "USD-JPY.SIM")
VIEWS = ("second", "third:bias=0.5:delay=1", "stuck:stale=30")
START = 1_700_000_000 * NS_PER_S
KINDS: dict[IncidentKind, tuple[AnomalyKind, int]] = {
    "flash_crash": ("price_spike", 20),
    "halt": ("halt", 30),
    "fat_finger": ("fat_finger", 1),
    "decimal_slip": ("decimal_slip", 2),
    "frozen_feed": ("frozen_feed", 30),
    "split": ("split", 10_000),
}
"""Label -> the anomaly that it must become, and how many seconds it lasts."""
WARM_S, APART_S = 150, 110
BEFORE_NS, AFTER_NS = 2 * NS_PER_S, 15 * NS_PER_S
CONSEQUENCES = frozenset({"trade_burst", "one_sided_flow", "spread_blowout", "large_trade", "price_spike"})
CONSEQUENCES_NS = 60 * NS_PER_S
BATCH_NS = NS_PER_S // 4
WEEK_S = 7 * 86_400
REFERENCE_ROUNDS = 2


class Score(Struct):
    """Counts of one kind, or of all."""

    hit: int = 0
    missed: int = 0
    false: int = 0

    @property
    def f1(self) -> float:
        wrong = self.missed + self.false
        return 2 * self.hit / (2 * self.hit + wrong) if self.hit or wrong else 1.0


def group(scale: Scale) -> list[Row]:
    scores: dict[str, Score] = {}
    for seed in range(scale.rounds):
        add(scores, score_run(seed, INSTRUMENTS[: scale.of(len(INSTRUMENTS), least=2)]))
    total = overall(scores)
    quiet_s = scale.of(3600, least=60)
    false = quiet_run(100, quiet_s)
    weeks = quiet_s * len(INSTRUMENTS) / WEEK_S
    rows = [Row("anomaly_f1", total.f1, "F1", total.hit + total.missed)]
    for kind in KINDS:
        score = scores[kind]
        rows.append(Row("anomaly_f1", score.f1, "F1", score.hit + score.missed, peer=kind))
    rows.append(
        Row("anomaly_false_per_symbol_week", len(false) / weeks, "anomalies", quiet_s * len(INSTRUMENTS))
    )
    return rows + reference_rows(scale)


def reference_rows(scale: Scale) -> list[Row]:
    """The same of reference instruments; a quarter of the quiet time."""
    scores: dict[str, Score] = {}
    for seed in range(min(scale.rounds, REFERENCE_ROUNDS)):
        add(scores, score_references(seed, INSTRUMENTS[: scale.of(len(INSTRUMENTS), least=2)]))
    total = overall(scores)
    quiet_s = scale.of(900, least=60)
    quiet = reference_anomalies.watched(100, INSTRUMENTS, (), START, START + quiet_s * NS_PER_S)
    heard_s = quiet_s * len(INSTRUMENTS)
    return [
        Row("reference_anomaly_f1", total.f1, "F1", total.hit + total.missed),
        Row("reference_false_per_symbol_week", len(list(quiet)) * WEEK_S / heard_s, "anomalies", heard_s),
    ]


def score_references(seed: int, instruments: Sequence[str]) -> dict[str, Score]:
    seen = [each for each in schedule(seed, instruments) if each.kind in reference_anomalies.SEEN]
    until = max(each.start for each in seen) + APART_S * NS_PER_S
    return scored(seen, list(reference_anomalies.watched(seed, instruments, seen, START, until)))


def score_run(seed: int, instruments: Sequence[str]) -> dict[str, Score]:
    incidents = schedule(seed, instruments)
    until = max(each.start for each in incidents) + APART_S * NS_PER_S
    return scored(incidents, list(watched(seed, instruments, incidents, until)))


def schedule(seed: int, instruments: Sequence[str]) -> list[Incident]:
    """Every kind once per instrument; the split comes last, because it stays."""
    incidents = []
    for instrument in instruments:
        rng = random.Random(f"{seed}/{instrument}")
        order = [kind for kind in KINDS if kind != "split"]
        rng.shuffle(order)
        for place, kind in enumerate((*order, "split")):
            begin = START + (WARM_S + APART_S * place + rng.randrange(30)) * NS_PER_S
            incidents.append(Incident(kind, instrument, begin, begin + KINDS[kind][1] * NS_PER_S))
    return incidents


def quiet_run(seed: int, seconds: int) -> list[AnomalyFound]:
    """What is found where nothing was done."""
    return list(watched(seed, INSTRUMENTS, (), START + seconds * NS_PER_S))


def watched(
    seed: int, instruments: Sequence[str], incidents: Iterable[Incident], until: int
) -> Iterator[AnomalyFound]:
    market = Market(
        instruments,
        seed=seed,
        start_ns=START,
        incidents=list(incidents),
        views=parse_views(VIEWS, PROVIDER),
    )
    watches = {instrument: Watch(instrument) for instrument in instruments}
    for now in range(START + BATCH_NS, until, BATCH_NS):
        for watch in watches.values():
            for found in watch.due(now, now):
                watch.evolve(found)
                yield found
        for event in market.step(now):
            yield from _observed(watches[event.instrument], event, now)


def _observed(watch: Watch, event: Observation, clock: int) -> Sequence[AnomalyFound]:
    if isinstance(event, Trade):
        return watch.on_trade(event, event.ts_event, clock)
    if isinstance(event, Quote):
        return watch.on_quote(event, event.ts_event, clock)
    if isinstance(event, Ticker):
        return watch.on_ticker(event, event.ts_event, clock)
    return ()


def scored(incidents: Sequence[Incident], found: Sequence[AnomalyFound]) -> dict[str, Score]:
    """Label -> score; anomalies of kinds that no label has are false under their own name."""
    scores: dict[str, Score] = {kind: Score() for kind in KINDS}
    labels = {anomaly: label for label, (anomaly, _) in KINDS.items()}
    hits: Counter[int] = Counter()
    for each in found:
        about = [number for number, incident in enumerate(incidents) if _matches(incident, each)]
        if about:
            hits[about[0]] += 1
        elif not any(_follows(incident, each) for incident in incidents):
            scores.setdefault(labels.get(each.anomaly, each.anomaly), Score()).false += 1
    for number, incident in enumerate(incidents):
        score = scores[incident.kind]
        score.hit += hits[number] > 0
        score.missed += hits[number] == 0
        score.false += max(0, hits[number] - 1)
    return scores


def _matches(incident: Incident, found: AnomalyFound) -> bool:
    kind, _ = KINDS[incident.kind]
    if (found.instrument, found.anomaly, found.verdict) != (incident.instrument, kind, incident.truth):
        return False
    return incident.start - BEFORE_NS <= found.ts_event <= incident.end + AFTER_NS


def _follows(incident: Incident, found: AnomalyFound) -> bool:
    """A consequence: the market's own excitement during and after a market event."""
    if found.instrument != incident.instrument or incident.truth != "market_event":
        return False
    if found.anomaly not in CONSEQUENCES or found.verdict != "market_event":
        return False
    return incident.start <= found.ts_event <= incident.end + CONSEQUENCES_NS


def add(total: dict[str, Score], more: dict[str, Score]) -> None:
    for kind, score in more.items():
        into = total.setdefault(kind, Score())
        into.hit += score.hit
        into.missed += score.missed
        into.false += score.false


def overall(scores: dict[str, Score]) -> Score:
    total = Score()
    for score in scores.values():
        add({"": total}, {"": score})
    return total
