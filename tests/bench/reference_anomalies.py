"""Do the providers of a reference instrument find each other's errors, and only those?

The simulator's trades are sampled as a feed samples them, beside two other providers of the same market,
one of them late and biased. Every labelled incident that a price can show is played on several instruments:
what the market did must be told once, what the simulator alone did must be its error. A lone wrong print is
mostly between two samples, and a halt is nobody's error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from actors.feeds.sim.incidents import Incident
from actors.feeds.sim.market import PROVIDER, Market
from actors.feeds.sim.views import parse_views
from actors.price_sampler import PriceSampler
from domain.anomalies.found import AnomalyFound
from domain.anomalies.watch import Watch
from domain.clock import NS_PER_S
from domain.market.observations import Observation, Ticker

VIEWS = ("second", "third:bias=0.5:delay=1")
SEEN = ("flash_crash", "frozen_feed", "split")
BATCH_NS = NS_PER_S // 4


def watched(
    seed: int, instruments: Sequence[str], incidents: Iterable[Incident], start: int, until: int
) -> Iterator[AnomalyFound]:
    """What is found on the references, named by the simulated instruments."""
    views = parse_views(VIEWS, PROVIDER)
    market = Market(instruments, seed=seed, start_ns=start, incidents=list(incidents), views=views)
    venues = {name: f"COIN{place}-USD.COINBASE" for place, name in enumerate(instruments)}
    references = {f"COIN{place}-USD.CRYPTO": name for place, name in enumerate(instruments)}
    watches = {name: Watch(reference) for reference, name in references.items()}
    sampler = PriceSampler()
    for now in range(start + BATCH_NS, until, BATCH_NS):
        events = [each for each in market.step(now) if not _is_own_ticker(each)]
        told = [each for each in events if isinstance(each, Ticker)]
        heard = [replace(each, instrument=venues[each.instrument]) for each in events]
        for each in sampler.with_samples(heard, now)[len(heard) :]:
            if isinstance(each, Ticker):
                told.append(replace(each, instrument=references[each.instrument]))
        for ticker in told:
            for found in watches[ticker.instrument].on_ticker(ticker, ticker.ts_event, now):
                yield replace(found, instrument=ticker.instrument)


def _is_own_ticker(event: Observation) -> bool:
    """The simulator's own summary: a feed is known by its samples."""
    return isinstance(event, Ticker) and event.provider == PROVIDER
