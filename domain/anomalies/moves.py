"""A bar far from the one before: what became of it, and so what it was.

A jump waits up to three bars for its verdict. It comes back: a slip by a power of ten, a lone bad print,
or, with real volume, a spike of the market. It stays: a split that nobody adjusted for where the ratio is
round and no more money changed hands than usual, else a move.
"""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from domain.anomalies.found import AnomalyClass, AnomalyKind, Finding, severity
from domain.anomalies.ratios import slip, split

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
SPLIT_LEVEL = 0.1
WIDEST_SPLIT_LEVEL = 0.4
"""Log distance from the new level within which the closes after a split lie: 0.1, more in wild markets,
but less than two fifths of the split itself."""
CAME_BACK = 0.25
"""Share of the jump that may be left when it has come back."""


class Jump(Struct, frozen=True, array_like=True):
    """A jump under judgement; `move` is log(close / before), `sigma` the usual log move of one bar.

    `gap` is log(open / before), `through` the share of the move that the bar's own range covers,
    `volume` times the usual (NaN: unknown), `volume_z` in sigmas of log volume. `after`: later closes.
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
    volume: float
    volume_z: float
    after: tuple[float, ...] = ()

    @property
    def has_volume(self) -> bool:
        return not math.isnan(self.volume)

    @property
    def real_volume(self) -> bool:
        return is_real(self.volume, self.volume_z)

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
    if jump.z < OUTLIER_Z and not jump.volume >= CERTAIN_VOLUME:
        return None
    if not jump.real_volume or jump.slip_ratio is not None or jump.split_ratio is not None:
        return None
    return _finding(jump, "price_spike", "market_event")


def followed(jump: Jump, close: float) -> tuple[Jump | None, Finding | None]:
    """The jump with one more bar while it is not clear what became of it; then (None, what it was).

    (None, None): a large move, but within what fat tails bring.
    """
    jump = replace(jump, after=(*jump.after, close))
    left = abs(math.log(close / jump.before))
    if left <= max(CAME_BACK * abs(jump.move), min(3.0 * jump.sigma, 0.5 * abs(jump.move))):
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
    money = jump.volume * min(1.0, math.exp(jump.move)) if jump.has_volume else 0.0
    if money < REAL_MONEY:
        ratio = jump.split_ratio
        if ratio is not None:
            return _finding(jump, "split", "data_error", ratio)
        if jump.slip_ratio is not None:
            return _finding(jump, "decimal_slip", "data_error")
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
        evidence["volume_ratio"] = jump.volume
    if kind == "decimal_slip":
        ratio = jump.slip_ratio
    if ratio is not None:
        evidence["ratio"] = ratio
    return Finding(kind, verdict, severity(jump.z, OUTLIER_Z), jump.row, jump.ts, evidence)


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
