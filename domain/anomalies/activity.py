"""How busy, how one-sided and how large trades are, against the stream's own habit."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.anomalies.found import Finding, severity
from domain.anomalies.robust import Usual, UsualState

WINDOW = 128
REFRESH = 16
"""Buckets (seconds with trades) that are remembered, and after how many the usual is computed anew."""
READY = 64
BURST = 12.0
"""Times the usual rate, as an average of some five seconds."""
BURST_TRADES = 30.0
BURST_OVER_BUSIEST = 2.0
"""Times the busiest moment in memory, which fades by half in an hour: trades come in bursts anyway."""
FADING = 0.9998
BURST_FAST = 0.3
FLOW_KEEP = 0.98
"""Of a bucket: the flow is that of the last 50."""
FLOW_TRADES = 150.0
FLOW_ONE_SIDED = 0.95
"""Share of one aggressor. Signs of trades are correlated (Bouchaud, Gefen, Potters & Wyart, Quantitative
Finance 4, 2004): with some 5 to a run, 150 trades are 30 independent ones, which chance below 1e-6."""
SIZES_READY = 32
LARGE_SIGMAS = 7.0
LARGE_MULTIPLE = 50.0
"""Times the usual size. It must also be the largest in memory: big trades as such are no anomaly."""


class ActivityState(Struct, frozen=True, array_like=True):
    fast_rate: float
    busiest: float
    flow: float
    flow_bought: float
    biggest: float
    large_from: float
    rates: UsualState
    sizes: UsualState


class Activity:
    """Fed once per bucket of trades; `large_from` is the size from which a trade may be large."""

    __slots__ = (
        "_biggest",
        "_busiest",
        "_fast_rate",
        "_flow",
        "_flow_bought",
        "_rates",
        "_sizes",
        "large_from",
    )

    def __init__(self) -> None:
        self._fast_rate = self._busiest = self._flow = self._flow_bought = self._biggest = 0.0
        self.large_from = math.inf
        self._rates = Usual(WINDOW, REFRESH)
        self._sizes = Usual(WINDOW, REFRESH)

    @property
    def usual_size(self) -> float:
        """Median size of a trade in base units; NaN before it is known."""
        return math.exp(self._sizes.median) if self._sizes.ready else math.nan

    @property
    def usual_rate(self) -> float:
        """Median trades per second of a bucket."""
        return self._rates.median

    def learn(self, seconds: float, count: int, sided: int, bought: int, size: float) -> None:
        """A bucket of `seconds` with so many trades, with a known side, buys; `size`: of one of them."""
        rate = count / seconds
        self._fast_rate += BURST_FAST * (rate - self._fast_rate)
        self._rates.add(rate)
        self._flow = FLOW_KEEP * self._flow + sided
        self._flow_bought = FLOW_KEEP * self._flow_bought + bought
        self._biggest *= FADING
        sizes = self._sizes
        if size > 0.0:
            sizes.add(math.log(size))
        if len(sizes) >= SIZES_READY:
            above = max(LARGE_SIGMAS * sizes.sigma, math.log(LARGE_MULTIPLE))
            self.large_from = math.exp(min(sizes.median + above, 700.0))

    def in_new_shares(self, log_ratio: float) -> None:
        """After a split: sizes are so much larger from now on, and no trade is large for that."""
        self._sizes.shift(log_ratio)
        self._biggest *= math.exp(log_ratio)
        self.large_from *= math.exp(log_ratio)

    def burst(self, row: int, ts: int) -> Finding | None:
        """Asked once after each `learn`."""
        usual, rate = self._rates.median, self._fast_rate
        limit = max(BURST * usual, BURST_FAST * BURST_TRADES, BURST_OVER_BUSIEST * self._busiest)
        self._busiest = max(FADING * self._busiest, rate)
        if rate < limit or len(self._rates) < READY:
            return None
        evidence = {"trades_per_s": rate, "usual": usual, "threshold": limit}
        return Finding("trade_burst", "market_event", severity(rate, limit), row, ts, evidence)

    def one_sided(self, row: int, ts: int) -> Finding | None:
        if self._flow < FLOW_TRADES or len(self._rates) < READY:
            return None
        share = self._flow_bought / self._flow
        away = max(share, 1.0 - share)
        if away < FLOW_ONE_SIDED:
            return None
        evidence = {"buy_share": share, "trades": self._flow, "threshold": FLOW_ONE_SIDED}
        score = severity(1.0 - FLOW_ONE_SIDED, max(1.0 - away, 1e-3))
        return Finding("one_sided_flow", "market_event", score, row, ts, evidence)

    def large(self, row: int, ts: int, size: float) -> Finding | None:
        if size < self.large_from:
            return None
        record, self._biggest = size >= self._biggest, max(size, self._biggest)
        if not record:
            return None
        evidence = {"size": size, "usual_size": self.usual_size, "threshold": self.large_from}
        score = severity(size, self.large_from)
        return Finding("large_trade", "market_event", score, row, ts, evidence)

    def snapshot(self) -> ActivityState:
        return ActivityState(
            self._fast_rate,
            self._busiest,
            self._flow,
            self._flow_bought,
            self._biggest,
            self.large_from,
            self._rates.snapshot(),
            self._sizes.snapshot(),
        )

    def restore(self, state: ActivityState) -> None:
        self._fast_rate, self._busiest = state.fast_rate, state.busiest
        self._flow, self._flow_bought = state.flow, state.flow_bought
        self._biggest, self.large_from = state.biggest, state.large_from
        self._rates.restore(state.rates)
        self._sizes.restore(state.sizes)
