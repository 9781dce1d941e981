"""Anomalies of a series of bars, one bar at a time."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.anomalies.found import AnomalyClass, Finding, severity
from domain.anomalies.moves import (
    CAME_BACK,
    WICK_Z,
    Jump,
    Wick,
    at_once,
    followed,
    has_returned,
    is_jump,
    judge_wick,
)
from domain.anomalies.repeats import Repeats, RepeatsState
from domain.anomalies.robust import MEAN_AD_TO_SIGMA, Usual, UsualState, median_of
from domain.anomalies.values import FAULT_CODES, bar_fault

WINDOW = 100
"""Bars from which it is learnt what is usual."""
FAST = 0.1
"""Weight of the newest return in the fast volatility: after a shock the next moves are no surprise."""
CLIP = 6.0
"""Sigmas to which a return is cut before it counts for the fast volatility."""
UNKNOWN_SIGMA = 0.08
"""Of one bar, before 8 returns are known: a slip or a split still stands out."""
LEAST_SIGMA = 1e-6
SURGE = 5.0
SURGE_Z = 3.0
SURGE_OVER_LARGEST = 2.0
"""Times the largest volume of the window, so that the rush of every opening is no surge every day."""
SURGE_SEEN = 20
EXTREME_SURGE = 50.0
"""Times the usual volume; without any move of the price it is as likely a wrong number."""
COOL_DOWN = 10
"""Bars after a finding in which a further one of the same sort belongs to the same event."""
LEAST_SPREAD = 0.1
"""Sigma of log volume where it hardly ever differs."""
UNDOES = 0.1
"""Share of a wrong move by which the one that ends it may differ, and three usual moves."""
FARTHEST_LEVEL = 0.45
"""Share of a wrong move by which the market may have moved on meanwhile for a jump to lead back."""


class BarDetectorState(Struct, frozen=True, array_like=True):
    timed: bool
    rows: int
    close: float
    ts: int
    tick: float
    fast: float
    price_quiet_until: int
    volume_quiet_until: int
    faulty: bool
    wrong_move: float
    wrong_level: float
    wrong_row: int
    jump: Jump | None
    returns: UsualState
    wicks: UsualState
    volumes: UsualState
    spacing: UsualState
    repeats: RepeatsState


class BarDetector:
    """`observe` each bar in the order of time; at most one finding per bar and event.

    `timed` False: times are row numbers, so gaps and hours mean nothing.
    """

    def __init__(self, *, timed: bool = True) -> None:
        self._timed = timed
        self._rows = 0
        self._close = 0.0
        self._ts = 0
        self._tick = 0.0
        self._fast = 0.0
        self._price_quiet_until = 0
        self._volume_quiet_until = 0
        self._faulty = False
        self._wrong_move = 0.0
        self._wrong_level = 0.0
        self._wrong_row = 0
        self._jump: Jump | None = None
        self._returns = Usual(WINDOW)
        self._wicks = Usual(WINDOW, every=4)
        self._volumes = Usual(WINDOW)
        self._spacing = Usual(32, every=8)
        self._repeats = Repeats(timed=timed)

    def observe(
        self, ts: int, opened: float, high: float, low: float, close: float, volume: float
    ) -> list[Finding]:
        """`ts`: start, ns UTC. Prices in quote currency; volume in base units, NaN where unknown."""
        row = self._rows
        self._rows += 1
        fault = bar_fault(opened, high, low, close, volume)
        if fault is not None:
            return self._bad(row, ts, fault)
        self._faulty = False
        prices = (opened, high, low, close)
        found = []
        still = self._repeats.run
        frozen = self._repeats.observe(row, ts, prices, volume)
        if frozen is not None:
            found.append(frozen)
        if self._close == 0.0:
            self._accept(ts, close, None)
        elif self._jump is not None:
            found += self._follow(self._jump, row, ts, close, self._flow(volume))
        else:
            found += self._compare(row, ts, prices, volume, still)
        if volume > 0.0 and self._jump is None:
            self._volumes.add(math.log(volume))
        return found

    def _bad(self, row: int, ts: int, fault: str) -> list[Finding]:
        """One finding per run of impossible bars; they are not learnt from."""
        if self._faulty:
            return []
        self._faulty = True
        return [Finding("bad_value", "data_error", 1.0, row, ts, {"fault": FAULT_CODES[fault]})]

    def _flow(self, volume: float) -> float:
        """Times the usual, in shares; NaN where nothing is known."""
        if math.isnan(volume) or len(self._volumes) < SURGE_SEEN:
            return math.nan
        return _exp(math.log(volume) - self._volumes.median) if volume > 0.0 else 0.0

    def _spread(self) -> float:
        return max(self._volumes.sigma, LEAST_SPREAD)

    def _sigma(self, ts: int) -> float:
        """Usual log move from the last bar to one at `ts`; time without bars counts by its root."""
        usual = self._returns.sigma if self._returns.ready else UNKNOWN_SIGMA
        sigma = max(usual, MEAN_AD_TO_SIGMA * self._fast, self._tick / self._close, LEAST_SIGMA)
        spacing = self._spacing.median
        if self._timed and spacing > 0.0:
            sigma *= math.sqrt(max(1.0, (ts - self._ts) / spacing))
        return sigma

    def _compare(
        self,
        row: int,
        ts: int,
        prices: tuple[float, float, float, float],
        volume: float,
        still: int,
    ) -> list[Finding]:
        """`still`: bars that repeated the last price before this one; they let moves accumulate."""
        opened, high, low, close = prices
        before = self._close
        sigma = self._sigma(ts) * math.sqrt(1.0 + still)
        move = math.log(close / before)
        z = abs(move - self._returns.median) / sigma
        if move != 0.0 and is_jump(move, z, sigma):
            through = math.log(high / low) / abs(move)
            gap = math.log(opened / before)
            flows = (self._flow(volume),)
            through = min(through, 1.0)
            jump = Jump(row, ts, before, close, move, z, sigma, gap, through, flows, self._spread())
            return self._begin(jump, ts)
        ratio = self._flow(volume)
        volume_z = math.log(ratio) / self._spread() if ratio > 0.0 else -math.inf
        wick = self._wick(row, ts, prices, sigma, ratio, volume_z)
        self._accept(ts, close, move, still)
        if wick is not None:
            return self._tell_price(row, [judge_wick(wick)])
        return self._surge(row, ts, abs(move) / sigma, ratio, volume_z)

    def _begin(self, jump: Jump, ts: int) -> list[Finding]:
        known = at_once(jump)
        if known is None:
            self._jump = jump
            return []
        ends = self._ends_error(jump)
        self._accept(ts, jump.close, jump.move)
        return [] if ends else self._tell_price(jump.row, [known])

    def _follow(self, jump: Jump, row: int, ts: int, close: float, flow: float) -> list[Finding]:
        self._jump, finding = followed(jump, close, flow)
        if self._jump is not None:
            return []
        returned = has_returned(jump, close)
        told = finding is not None and finding.verdict != "market_event"
        self._learn_volumes(jump, split=told and not returned)
        if finding is None:
            self._fast += FAST * (min(abs(jump.move), CLIP * jump.sigma) - self._fast)
            self._returns.add(jump.move)
            self._accept(ts, close, math.log(close / jump.close))
            return []
        ends = not returned and self._ends_error(jump)
        self._accept(ts, close, None)
        if ends:
            return []
        if finding.verdict == "data_error" and not returned:
            self._wrong_move, self._wrong_level, self._wrong_row = jump.move, jump.before, jump.row
        return self._tell_price(row, [finding])

    def _ends_error(self, jump: Jump) -> bool:
        """Whether it takes a wrong move back that had stayed: the end of that error, no second event."""
        if self._wrong_level == 0.0:
            return False
        wrong, sigmas = abs(self._wrong_move), 3.0 * jump.sigma
        near = max(
            CAME_BACK * wrong, min(FARTHEST_LEVEL * wrong, sigmas * math.sqrt(jump.row - self._wrong_row))
        )
        undone = abs(jump.move + self._wrong_move) <= UNDOES * wrong + sigmas
        if not undone or abs(math.log(jump.close / self._wrong_level)) > near:
            return False
        self._wrong_level = 0.0
        return True

    def _learn_volumes(self, jump: Jump, *, split: bool) -> None:
        """Of the bars that waited for the verdict. `split`: it may have been one.

        Where the shares traded followed the price the other way, what is usual is counted in new shares.
        """
        told = [math.log(flow) for flow in jump.flows if flow > 0.0]
        usual = self._volumes.median
        if split and told:
            middle = median_of(sorted(told))
            if abs(middle + jump.move) < abs(middle):
                self._volumes.shift(-jump.move)
        for each in told:
            self._volumes.add(usual + each)

    def _tell_price(self, row: int, found: list[Finding]) -> list[Finding]:
        """Errors of a certain shape always; moves of the market once per event."""
        quiet = row < self._price_quiet_until
        self._price_quiet_until = self._volume_quiet_until = row + 1 + COOL_DOWN
        return [each for each in found if not quiet or each.verdict == "data_error"]

    def _wick(
        self,
        row: int,
        ts: int,
        prices: tuple[float, float, float, float],
        sigma: float,
        ratio: float,
        volume_z: float,
    ) -> Wick | None:
        _, high, low, close = prices
        before = self._close
        up = math.log(high / max(before, close))
        down = math.log(low / min(before, close))
        reach = up if up >= -down else down
        scale = max(sigma, self._wicks.median + self._wicks.sigma)
        if self._wicks.ready or abs(reach) < 1.0:
            self._wicks.add(abs(reach))
        if abs(reach) < WICK_Z * scale:
            return None
        extreme = high if reach > 0 else low
        return Wick(row, ts, before, close, extreme, reach, abs(reach) / scale, ratio, volume_z)

    def _surge(self, row: int, ts: int, move_z: float, ratio: float, volume_z: float) -> list[Finding]:
        if not (ratio >= SURGE and volume_z >= SURGE_Z):
            return []
        over_largest = ratio / _exp(self._volumes.largest() - self._volumes.median)
        if over_largest < SURGE_OVER_LARGEST:
            return []
        quiet = row < self._volume_quiet_until
        self._volume_quiet_until = row + 1 + COOL_DOWN
        if quiet:
            return []
        wrong = ratio >= EXTREME_SURGE and move_z < 1.0
        verdict: AnomalyClass = "unclear" if wrong else "market_event"
        evidence = {
            "volume_ratio": ratio,
            "threshold": SURGE,
            "z": volume_z,
            "over_largest": over_largest,
            "return_z": move_z,
        }
        return [Finding("volume_surge", verdict, severity(ratio, SURGE), row, ts, evidence)]

    def _accept(self, ts: int, close: float, move: float | None, still: int = 0) -> None:
        """The bar is part of what is usual; without `move` (after a jump) only its price is.

        A price that rests says nothing of how far it goes when it goes: such bars are left out, and the
        next move is spread over them (`still`).
        """
        if move is not None:
            elapsed = float(ts - self._ts)
            spacing = self._spacing.median
            root = math.sqrt(max(1.0, elapsed / spacing)) if self._timed and spacing > 0.0 else 1.0
            scaled = move / (root * math.sqrt(1.0 + still))
            limit = CLIP * self._sigma(self._ts)
            if move != 0.0:
                self._fast += FAST * (min(abs(scaled), limit) - self._fast)
                self._returns.add(scaled)
            self._spacing.add(elapsed)
            step = abs(close - self._close)
            if step > 0.0 and (self._tick == 0.0 or step < self._tick):
                self._tick = step
        self._close, self._ts = close, ts
        level = self._wrong_level
        if level and abs(math.log(close / level)) <= CAME_BACK * abs(self._wrong_move):
            self._wrong_level = 0.0

    def snapshot(self) -> BarDetectorState:
        return BarDetectorState(
            self._timed,
            self._rows,
            self._close,
            self._ts,
            self._tick,
            self._fast,
            self._price_quiet_until,
            self._volume_quiet_until,
            self._faulty,
            self._wrong_move,
            self._wrong_level,
            self._wrong_row,
            self._jump,
            self._returns.snapshot(),
            self._wicks.snapshot(),
            self._volumes.snapshot(),
            self._spacing.snapshot(),
            self._repeats.snapshot(),
        )

    @classmethod
    def restored(cls, state: BarDetectorState) -> BarDetector:
        detector = cls(timed=state.timed)
        detector._rows, detector._close, detector._ts = state.rows, state.close, state.ts
        detector._tick, detector._fast = state.tick, state.fast
        detector._price_quiet_until = state.price_quiet_until
        detector._volume_quiet_until = state.volume_quiet_until
        detector._faulty, detector._jump = state.faulty, state.jump
        detector._wrong_move, detector._wrong_level = state.wrong_move, state.wrong_level
        detector._wrong_row = state.wrong_row
        detector._returns.restore(state.returns)
        detector._wicks.restore(state.wicks)
        detector._volumes.restore(state.volumes)
        detector._spacing.restore(state.spacing)
        detector._repeats.restore(state.repeats)
        return detector


def _exp(log_ratio: float) -> float:
    """Of a ratio of volumes; beyond floats the largest there is."""
    return math.exp(min(log_ratio, 700.0))
