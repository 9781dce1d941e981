"""Anomalies of a stream of best bids and asks: crossed quotes and spreads that stay wide."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.anomalies.found import AnomalyClass, Finding, severity
from domain.anomalies.robust import Usual, UsualState
from domain.anomalies.values import FAULT_CODES, SMALLEST, price_fault
from domain.clock import NS_PER_S
from domain.indicators.bars import LARGEST

BUCKET_NS = NS_PER_S
FRESH_NS = 5 * NS_PER_S
"""An older quote says nothing about a trade."""
WINDOW = 128
REFRESH = 16
READY = 32
WIDE = 5.0
WIDE_SIGMAS = 6.0
WIDE_BUCKETS = 3
LEAST_LOG_SIGMA = 0.15
CROSSED_NS = NS_PER_S
"""How long a quote gathered from several venues may be crossed: they are not simultaneous."""
COOL_DOWN_NS = 60 * NS_PER_S

Found = list[Finding]


class QuoteDetectorState(Struct, frozen=True, array_like=True):
    base: int
    count: int
    start: int
    ts: int
    bid: float
    ask: float
    bid_size: float | None
    ask_size: float | None
    settled: float
    moved: bool
    wide: int
    crossed_at: int
    quiet: tuple[tuple[str, int], ...]
    spreads: UsualState


class QuoteDetector:
    """`gathered`: quotes are of several venues. `moved` says that one changed since it was set to False."""

    __slots__ = (
        "_base",
        "_count",
        "_crossed_at",
        "_gathered",
        "_quiet",
        "_settled",
        "_spreads",
        "_wake",
        "_wide",
        "ask",
        "ask_size",
        "bid",
        "bid_size",
        "bucket_start",
        "moved",
        "ts",
    )

    _base: int
    _count: int
    _crossed_at: int
    _quiet: dict[str, int]
    _settled: float
    _wake: int
    _wide: int
    ask: float
    ask_size: float | None
    bid: float
    bid_size: float | None
    bucket_start: int
    moved: bool
    ts: int

    def __init__(self, *, gathered: bool = False) -> None:
        self._gathered = gathered
        self._spreads = Usual(WINDOW, REFRESH)
        nothing = Usual(1).snapshot()
        self.restore(QuoteDetectorState(0, 0, 0, 0, 0.0, 0.0, None, None, math.nan, False, 0, 0, (), nothing))

    @property
    def updates(self) -> int:
        """Quotes seen."""
        return self._base + self._count

    def observe(
        self, ts: int, bid: float, ask: float, bid_size: float | None, ask_size: float | None
    ) -> Found | None:
        """None for the common quote within a bucket; a list, perhaps empty, where a bucket ended."""
        if SMALLEST < bid < ask < LARGEST and ts < self._wake:
            self._count += 1
            self.ts = ts
            if bid != self.bid or ask != self.ask or bid_size != self.bid_size or ask_size != self.ask_size:
                self.bid, self.ask, self.bid_size, self.ask_size = bid, ask, bid_size, ask_size
                self.moved = True
            return None
        return self._unusual(ts, bid, ask, bid_size, ask_size)

    def mid(self, ts: int) -> float:
        """NaN where the last good quote is not fresh."""
        if self.bid <= 0.0 or ts - self.ts > FRESH_NS:
            return math.nan
        return (self.bid + self.ask) / 2.0

    def settled_mid(self) -> float:
        """The mid before the bucket in hand began; NaN at first."""
        return self._settled

    def _unusual(
        self, ts: int, bid: float, ask: float, bid_size: float | None, ask_size: float | None
    ) -> Found:
        found: Found = []
        row = self._base + self._count
        self._count += 1
        fault = price_fault(bid) or price_fault(ask)
        if fault is not None:
            self._tell(
                found, ts, Finding("bad_value", "data_error", 1.0, row, ts, {"fault": FAULT_CODES[fault]})
            )
            return found
        if bid > ask:
            self._crossed(row, ts, bid, ask, found)
            return found
        self._crossed_at = 0
        if ts >= self._wake:
            self._end_bucket(row, ts, found)
        self.moved = self.moved or (bid, ask, bid_size, ask_size) != (
            *(self.bid, self.ask),
            *(self.bid_size, self.ask_size),
        )
        self.ts, self.bid, self.ask, self.bid_size, self.ask_size = ts, bid, ask, bid_size, ask_size
        return found

    def _crossed(self, row: int, ts: int, bid: float, ask: float, found: Found) -> None:
        if self._crossed_at == 0:
            self._crossed_at = ts
        lasted = ts - self._crossed_at
        if self._gathered and lasted < CROSSED_NS:
            return
        verdict: AnomalyClass = "unclear" if self._gathered else "data_error"
        spread = math.exp(self._spreads.median) if self._spreads.ready else 0.0
        beyond = (bid - ask) / ask
        evidence = {"bid": bid, "ask": ask, "usual_spread": spread, "seconds": lasted / NS_PER_S}
        score = severity(spread + beyond, spread) if spread > 0.0 else 0.5
        self._tell(found, ts, Finding("crossed_quotes", verdict, score, row, ts, evidence))

    def _end_bucket(self, row: int, ts: int, found: Found) -> None:
        if self.bid > 0.0:
            self._settled = (self.bid + self.ask) / 2.0
            if self.ask > self.bid:
                self._spread(row, ts, math.log((self.ask - self.bid) / self._settled), found)
        self._base += self._count
        self._count = 0
        self.bucket_start = ts
        self._wake = ts + BUCKET_NS

    def _spread(self, row: int, ts: int, spread: float, found: Found) -> None:
        """`spread`: log of (ask - bid) / mid at the end of a bucket."""
        spreads = self._spreads
        ratio, z = math.exp(spread - spreads.median), spreads.z(spread, LEAST_LOG_SIGMA)
        wide = len(spreads) >= READY and ratio >= WIDE and z >= WIDE_SIGMAS
        self._wide = self._wide + 1 if wide else 0
        spreads.add(spread)
        if self._wide < WIDE_BUCKETS:
            return
        evidence = {"spread": math.exp(spread), "usual_spread": math.exp(spreads.median), "ratio": ratio}
        score = severity(ratio, WIDE)
        self._tell(found, ts, Finding("spread_blowout", "market_event", score, row, ts, evidence))

    def _tell(self, found: Found, ts: int, finding: Finding) -> None:
        """Once per kind and event: while it lasts, and a minute beyond, it is the same."""
        quiet = ts < self._quiet.get(finding.kind, 0)
        self._quiet[finding.kind] = ts + COOL_DOWN_NS
        if not quiet:
            found.append(finding)

    def snapshot(self) -> QuoteDetectorState:
        return QuoteDetectorState(
            self._base,
            self._count,
            self.bucket_start,
            self.ts,
            self.bid,
            self.ask,
            self.bid_size,
            self.ask_size,
            self._settled,
            self.moved,
            self._wide,
            self._crossed_at,
            tuple(sorted(self._quiet.items())),
            self._spreads.snapshot(),
        )

    def restore(self, state: QuoteDetectorState) -> None:
        self._base, self._count, self.ts = state.base, state.count, state.ts
        self.bucket_start = state.start
        self._wake = state.start + BUCKET_NS if state.bid else 0
        self.bid, self.ask = state.bid, state.ask
        self.bid_size, self.ask_size = state.bid_size, state.ask_size
        self._settled, self.moved, self._wide = state.settled, state.moved, state.wide
        self._crossed_at = state.crossed_at
        self._quiet = dict(state.quiet)
        self._spreads.restore(state.spreads)
