"""What a feed tells the reference instruments: about once a second the price of each instrument it hears.

    observations ──> PriceSampler ──> the same, and behind them samples: Ticker(reference, last=price)

A sample is the first trade of a second of the feed's clock; where nothing has traded for 5 s, the middle of
the best prices. A bad print that is not the first of its second is left to the venue's own instrument.
Not sampled: what is late (backfilled), dated ahead of the clock, older than the sample before, or comes
while trades are missing.

Two pairs of one feed may belong to one reference (BTC-USD and BTC-USDT): the one nearer to its currency is
sampled, the other only once that has been silent for a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from domain.clock import NS_PER_S
from domain.market.gaps import TRADE_CHANNELS
from domain.market.observations import Gap, InstrumentInfo, Observation, Quote, Ticker, Trade
from domain.market.reference_ids import detour, reference_of

EVERY_NS = NS_PER_S
WITHOUT_TRADES_NS = 5 * NS_PER_S
"""So long the last trade speaks for the price; then the quotes do."""
LATE_NS = 5 * NS_PER_S
"""So far a price may be from the clock, either way: the keepers' tolerance of times ahead."""
MISSING_NS = 60 * NS_PER_S
"""Trades that have not come back within it are missing for good, and what comes now is live."""
SILENT_NS = 60 * NS_PER_S
WIDEST_SPREAD = 0.01
"""Of the bid. The middle of wider quotes is no price."""
MAX_INSTRUMENTS = 20_000
"""Further ones are not sampled."""
NEVER = 1 << 63


class _Source:
    """An instrument that is sampled. `ts`: event time of its last sample, `taken_at` the clock then.
    `cut_off`: its reference has been told that the connection is lost."""

    __slots__ = ("cut_off", "detour", "instrument", "reference", "taken_at", "ts")

    def __init__(self, instrument: str, reference: str, detour: int) -> None:
        self.instrument = instrument
        self.reference = reference
        self.detour = detour
        self.ts = -1
        self.taken_at = -SILENT_NS
        self.cut_off = False


class PriceSampler:
    """One feed's. `_due`: instrument -> the clock from which its next trade is a sample; `_quote_due` so of
    its quotes. NEVER: it has no reference. What is not due costs one look-up."""

    __slots__ = ("_due", "_leaders", "_quote_due", "_sources")

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._quote_due: dict[str, int] = {}
        self._sources: dict[str, _Source] = {}
        self._leaders: dict[str, _Source] = {}

    def with_samples(self, observations: Sequence[Observation], clock: int) -> Sequence[Observation]:
        """The observations of one moment, in the order received; the very same where nothing is due.

        `clock`: the feed's, ns UTC, never decreasing. What is given counts as handed over.
        """
        samples: list[Observation] | None = None
        trade_due, quote_due = self._due.get, self._quote_due.get
        for each in observations:
            kind = type(each)
            if kind is Trade:
                if clock < trade_due(each.instrument, 0):
                    continue
            elif kind is Quote:
                if clock < quote_due(each.instrument, 0):
                    continue
            elif kind is not Gap and kind is not InstrumentInfo:
                continue
            sample = self._look(each, clock)
            if sample is not None:
                samples = samples or []
                samples.append(sample)
        return observations if samples is None else [*observations, *samples]

    def _look(self, each: Observation, clock: int) -> Observation | None:
        if isinstance(each, InstrumentInfo):
            self._describe(each)
            return None
        source = self._source(each.instrument)
        if source is None:
            return None
        if isinstance(each, Gap):
            return self._gap(each, source, clock)
        price = _price(each)
        if price is None or abs(clock - each.ts_event) > LATE_NS or each.ts_event <= source.ts:
            return None
        return self._sample(each, source, price, clock)

    def _sample(self, each: Observation, source: _Source, price: float, clock: int) -> Ticker | None:
        soon = clock - clock % EVERY_NS + EVERY_NS
        self._due[source.instrument] = soon
        self._quote_due[source.instrument] = clock + WITHOUT_TRADES_NS if type(each) is Trade else soon
        if not self._leads(source, clock):
            return None
        self._leaders[source.reference] = source
        source.ts, source.taken_at = each.ts_event, clock
        return Ticker(
            provider=each.provider,
            instrument=source.reference,
            ts_event=each.ts_event,
            ts_recv=each.ts_recv,
            last=price,
        )

    def _leads(self, source: _Source, clock: int) -> bool:
        """Whether this is the pair of its reference to sample."""
        leader = self._leaders.get(source.reference, source)
        return leader is source or source.detour < leader.detour or clock - leader.taken_at >= SILENT_NS

    def _gap(self, gap: Gap, source: _Source, clock: int) -> Gap | None:
        """While trades are missing none is sampled. A lost connection is told to the reference too: the
        silence that follows is ours."""
        if gap.channel not in TRADE_CHANNELS:
            return None
        soon = source.taken_at - source.taken_at % EVERY_NS + EVERY_NS
        until = clock + MISSING_NS if gap.opened else soon
        self._due[source.instrument] = self._quote_due[source.instrument] = until
        leads = gap.opened and self._leaders.get(source.reference) is source
        if gap.channel != "feed" or source.cut_off == leads:
            return None
        source.cut_off = leads
        return replace(gap, instrument=source.reference)

    def _describe(self, info: InstrumentInfo) -> None:
        """A pair whose id does not tell it has a reference once the venue has described it."""
        name, reference = info.instrument, reference_of(info.instrument, info)
        known = self._sources.get(name)
        if reference == (None if known is None else known.reference):
            return
        if known is not None and self._leaders.get(known.reference) is known:
            del self._leaders[known.reference]
        self._sources.pop(name, None)
        self._open(name, info)

    def _source(self, instrument: str) -> _Source | None:
        return self._sources.get(instrument) or self._open(instrument, None)

    def _open(self, instrument: str, info: InstrumentInfo | None) -> _Source | None:
        if self._due.get(instrument) == NEVER and info is None:
            return None
        if instrument not in self._due and len(self._due) >= MAX_INSTRUMENTS:
            return None
        reference = reference_of(instrument, info)
        self._due[instrument] = self._quote_due[instrument] = NEVER if reference is None else 0
        if reference is None:
            return None
        source = self._sources[instrument] = _Source(instrument, reference, detour(instrument, info))
        return source


def _price(each: Observation) -> float | None:
    """Of a trade or quote; None where it says none."""
    if isinstance(each, Trade):
        return each.price if each.price > 0.0 else None
    if not isinstance(each, Quote) or each.bid is None or each.ask is None:
        return None
    fits = 0.0 < each.bid <= each.ask <= each.bid * (1.0 + WIDEST_SPREAD)
    return (each.bid + each.ask) / 2.0 if fits else None
