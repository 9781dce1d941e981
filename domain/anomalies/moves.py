"""A bar far from the one before: what became of it, and so what it was.

A jump waits up to three bars for its verdict. It comes back: a slip by a power of ten, a lone bad print,
or, with real volume, a spike of the market. It stays: a split that nobody adjusted for where no more money
changed hands than usual and the ratio is round, or the shares traded grew as the price fell; else a move.

Volume is real where both the shares and the money are above the usual: after a split of 10:1 ten times the
shares change hands for the same money, and a price ten times too high makes ten times the money of the
same shares.
"""

from __future__ import annotations

import math
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from domain.anomalies.found import AnomalyClass, AnomalyKind, Finding, severity
from domain.anomalies.ratios import CREDIBLE, LEAST_SPLIT, slip, split

WAIT_BARS = 3
OUTLIER_Z = 8.0
"""Sigmas of a jump. Far above the 3.5 of Iglewicz & Hoaglin, which is for single normal samples: market
returns have fat tails (Cont, Quantitative Finance 1, 2001), 3.5 would name a day in fifty."""
ROUND_Z = 5.0
"""Enough for a jump by a round ratio."""
SPIKE_Z = 6.0
"""Enough for a jump that the very next bar takes back: two such moves in a row are rarer than one."""
LONE_Z = 12.0
"""Without volume to ask, a lone jump is called an error only beyond this."""
WICK_Z = 12.0
LONE_WICK_Z = 25.0
REAL_VOLUME = 2.5
REAL_VOLUME_Z = 2.0
CERTAIN_VOLUME = 5.0
"""Times the usual that are real whatever the spread of volumes: by day and night it can be wide."""
REAL_MONEY = 3.0
"""Times the usual turnover: a company that halves in value is traded like never before, a split is not."""
BEYOND_SPLIT = 10.0
"""Times the usual turnover on the day itself: however the days after are traded, that is no split's."""
GAP_SHARE = 0.8
"""Of the move made by the gap before the bar: a level that nobody traded through."""
FOLLOWS = 0.35
"""Share of the price's move by which the volume's may differ from it, or else two of its own sigmas."""
CLEAR = 0.5
"""Share of the price's move that volume must have made the other way, and its noise not."""
SPLIT_LEVEL = 0.1
WIDEST_SPLIT_LEVEL = 0.4
"""Log distance from the new level within which the closes after a split lie: 0.1, more in wild markets,
but less than two fifths of the split itself."""
CAME_BACK = 0.25
"""Share of the jump that may be left when it has come back."""


class Jump(Struct, frozen=True, array_like=True):
    """A jump under judgement; `move` is log(close / before), `sigma` the usual log move of one bar.

    `gap` is log(open / before), `through` the share of the move that the bar's own range covers. `flows`:
    volume of the bar and of the later ones, times the usual, in shares (NaN: unknown); `spread` the sigma
    of log volume. `after`: later closes.
    """

    row: int
    ts: int
    before: float
    close: float
    move: float
    z: float
    sigma: float
    gap: float
    through: float
    flows: tuple[float, ...]
    spread: float
    after: tuple[float, ...] = ()

    @property
    def has_volume(self) -> bool:
        return not math.isnan(self.flows[0])

    @property
    def money(self) -> float:
        """Turnover of the bar, or its volume in shares where that is less; times the usual."""
        return self.flows[0] * min(1.0, math.exp(self.move))

    @property
    def real_volume(self) -> bool:
        return is_real(self.money, _log(self.money) / self.spread)

    @property
    def gapped(self) -> bool:
        """Whether it may be a split of any ratio: far, and nobody traded in between."""
        return abs(self.move) >= LEAST_SPLIT and self.gap / self.move >= GAP_SHARE

    @property
    def overwhelming(self) -> bool:
        """Whether the bar's own turnover rules a split out."""
        return self.money >= BEYOND_SPLIT and abs(self.move) < CREDIBLE

    @property
    def lasting_money(self) -> float:
        """As `money`; after a gap the median of the bars, for a split's own day may be a busy one."""
        if not self.has_volume:
            return 0.0
        if not self.gapped or self.overwhelming:
            return self.money
        closes = (self.close, *self.after)
        told = [flow * min(1.0, close / self.before) for flow, close in zip(self.flows, closes, strict=True)]
        return median(each for each in told if not math.isnan(each))

    @property
    def volume_follows(self) -> bool:
        """Whether shares traded went up by what the price came down, or the reverse, and stayed so."""
        known = [_log(flow) for flow in self.flows if not math.isnan(flow)]
        if not known or not self.gapped:
            return False
        moved = -median(known) / self.move
        noise = 2.0 * self.spread / math.sqrt(len(known)) / abs(self.move)
        return noise <= CLEAR <= moved and abs(moved - 1.0) <= max(FOLLOWS, noise)

    @property
    def slip_ratio(self) -> float | None:
        return slip(self.move, self.sigma) or slip(self.gap, self.sigma)

    @property
    def split_ratio(self) -> float | None:
        """Where every later close lies near it: a split is a new level, not a fall with an echo."""
        ratio = split(self.move, self.sigma) or split(self.gap, self.sigma)
        if ratio is None:
            return None
        level = math.log(self.before * ratio)
        near = max(SPLIT_LEVEL, min(4.0 * self.sigma, WIDEST_SPLIT_LEVEL * abs(math.log(ratio))))
        return ratio if all(abs(math.log(close) - level) <= near for close in self.after) else None


def is_real(ratio: float, z: float) -> bool:
    """Whether a volume (times the usual, sigmas of log volume) says that a market stood behind it."""
    return ratio >= CERTAIN_VOLUME or (ratio >= REAL_VOLUME and z >= REAL_VOLUME_Z)


def is_jump(move: float, z: float, sigma: float) -> bool:
    """Whether a log move has to be explained."""
    if z >= SPIKE_Z:
        return True
    return z >= ROUND_Z and (slip(move, sigma) or split(move, sigma)) is not None


def at_once(jump: Jump) -> Finding | None:
    """The verdict that need not wait: a move that is not round, with real volume behind it."""
    if jump.z < OUTLIER_Z and not jump.money >= CERTAIN_VOLUME:
        return None
    if not jump.real_volume or jump.slip_ratio is not None or jump.split_ratio is not None:
        return None
    if jump.gapped and not jump.overwhelming:
        return None
    return _finding(jump, "price_spike", "market_event")


def has_returned(jump: Jump, close: float) -> bool:
    """Whether a later close is back where the jump began."""
    left = abs(math.log(close / jump.before))
    return left <= max(CAME_BACK * abs(jump.move), min(3.0 * jump.sigma, 0.5 * abs(jump.move)))


def followed(jump: Jump, close: float, flow: float) -> tuple[Jump | None, Finding | None]:
    """The jump with one more bar while it is not clear what became of it; then (None, what it was).

    `flow`: the bar's volume, as in `Jump.flows`. (None, None): a large move, but within what fat tails bring.
    """
    jump = replace(jump, after=(*jump.after, close), flows=(*jump.flows, flow))
    if has_returned(jump, close):
        return None, _came_back(jump)
    if jump.z < OUTLIER_Z and jump.slip_ratio is None and jump.split_ratio is None:
        return None, None
    if len(jump.after) < WAIT_BARS:
        return jump, None
    finding = _stayed(jump)
    return None, finding if jump.z >= OUTLIER_Z or finding.kind != "outlier" else None


def _came_back(jump: Jump) -> Finding:
    if jump.slip_ratio is not None:
        return _finding(jump, "decimal_slip", "data_error")
    if jump.real_volume:
        return _finding(jump, "price_spike", "market_event")
    if len(jump.after) > 1:
        return _finding(jump, "price_spike", "unclear")
    lone = jump.has_volume or jump.z >= LONE_Z
    return _finding(jump, "price_spike", "data_error" if lone else "unclear")


def _stayed(jump: Jump) -> Finding:
    if jump.lasting_money < REAL_MONEY:
        ratio, busy = jump.split_ratio, jump.money >= REAL_MONEY
        if jump.volume_follows:
            return _finding(jump, "split", "data_error", ratio or math.exp(jump.move))
        if ratio is not None and not busy:
            return _finding(jump, "split", "data_error", ratio)
        if jump.slip_ratio is not None and not busy:
            return _finding(jump, "decimal_slip", "data_error")
        if jump.gapped:
            return _finding(jump, "outlier", "unclear")
    if jump.real_volume:
        return _finding(jump, "outlier", "market_event")
    traded_there = not jump.has_volume and jump.through >= 0.5
    return _finding(jump, "outlier", "market_event" if traded_there else "unclear")


def _finding(jump: Jump, kind: AnomalyKind, verdict: AnomalyClass, ratio: float | None = None) -> Finding:
    evidence = {
        "before": jump.before,
        "price": jump.close,
        "return": jump.move,
        "z": jump.z,
        "threshold": SPIKE_Z if jump.z < OUTLIER_Z else OUTLIER_Z,
        "usual_return": jump.sigma,
        "bars_after": float(len(jump.after)),
    }
    if jump.after:
        evidence["after"] = jump.after[-1]
    if jump.has_volume:
        evidence["volume_ratio"] = jump.flows[0]
        evidence["turnover_ratio"] = jump.flows[0] * math.exp(min(jump.move, 700.0))
    if kind == "decimal_slip":
        ratio = jump.slip_ratio
    if ratio is not None:
        evidence["ratio"] = ratio
    return Finding(kind, verdict, severity(jump.z, OUTLIER_Z), jump.row, jump.ts, evidence)


def _log(value: float) -> float:
    """-inf of 0."""
    return math.log(value) if value > 0.0 else -math.inf


class Wick(Struct, frozen=True):
    """A bar whose range sticks far out of the prices before and after: `reach` is that log distance."""

    row: int
    ts: int
    before: float
    close: float
    extreme: float
    reach: float
    z: float
    volume: float
    volume_z: float


def judge_wick(wick: Wick) -> Finding:
    """It came back within its own bar: only volume, or a power of ten, can tell what it was."""
    kind: AnomalyKind = "price_spike"
    verdict: AnomalyClass = "unclear"
    ratio = slip(wick.reach)
    if ratio is not None:
        kind, verdict = "decimal_slip", "data_error"
    elif is_real(wick.volume, wick.volume_z):
        verdict = "market_event"
    elif not math.isnan(wick.volume) or wick.z >= LONE_WICK_Z:
        verdict = "data_error"
    evidence = {
        "before": wick.before,
        "price": wick.extreme,
        "after": wick.close,
        "return": wick.reach,
        "z": wick.z,
        "threshold": WICK_Z,
    }
    if not math.isnan(wick.volume):
        evidence["volume_ratio"] = wick.volume
    if ratio is not None:
        evidence["ratio"] = ratio
    return Finding(kind, verdict, severity(wick.z, WICK_Z), wick.row, wick.ts, evidence)
