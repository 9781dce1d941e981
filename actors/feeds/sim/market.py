"""Prices and activity of the simulated market, and what a provider says about them.

Per asset class one common factor; per instrument log-price = beta * common + own noise, both scaled by
a volatility regime (calm, normal, wild: a Markov chain) and with trade intensity that excites itself
(each trade raises it, it decays in about two seconds, 0.4 children per trade), so that trades burst.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from actors.feeds.base import KEEPER
from actors.feeds.sim.catalog import SimInstrument, describe
from actors.feeds.sim.incidents import Incident
from actors.feeds.sim.line import Line
from actors.feeds.sim.speaker import Speaker
from actors.feeds.sim.views import Eye, View
from domain.clock import NS_PER_MS, NS_PER_S
from domain.market.observations import InstrumentInfo, Level, Observation, SplitAnnounced

PROVIDER = "sim"
STEP_NS = 50 * NS_PER_MS
SECONDS_PER_YEAR = 365.25 * 86_400
REGIMES = (0.5, 1.0, 3.0)
REGIME_CHANGE_PER_S = 0.01
EXCITATION_PER_TRADE = 0.2
EXCITATION_DECAY_PER_S = 0.5
FLASH_CRASH_DEPTH = 0.08
SPLIT = 4.0


class Market:
    """All instruments, advanced in steps of 50 ms. One owner; `step` is the only door."""

    def __init__(
        self,
        instruments: Sequence[str],
        *,
        seed: int,
        start_ns: int,
        rate: float = 1.0,
        incidents: Sequence[Incident] = (),
        provider: str = PROVIDER,
        prices: Mapping[str, float] | None = None,
        orders: bool = False,
        views: Sequence[View] = (),
    ) -> None:
        """`rate` scales the number of trades. `prices` continues from earlier last prices.

        `orders`: books are spoken by order (L3), not by level. `views`: other providers' tickers.
        Trade ids count up from the start time, so that a later run never repeats one.
        """
        self._provider = provider
        self._rate = rate
        self._now = start_ns
        self._factor_rng = random.Random(f"{seed}/factors")
        begin = prices or {}
        self._lines: list[Line] = []
        for name in instruments:
            about = describe(name)
            rng = random.Random(f"{seed}/{name}")
            line = Line(about, rng, begin.get(name, about.price), start_ns // NS_PER_MS)
            line.eyes = [Eye(view, about.price_precision, start_ns) for view in views]
            if orders:
                line.keep_orders(random.Random(f"{seed}/{name}/orders"), start_ns // NS_PER_MS)
            self._lines.append(line)
        self._incidents = list(incidents)

    @property
    def now(self) -> int:
        return self._now

    def describe(self) -> list[Observation]:
        """What the venue says about its instruments, before anything moves: what they are, their splits."""
        infos = [_info(line.about, self._provider, self._now) for line in self._lines]
        here = {line.about.instrument for line in self._lines}
        coming = [
            each for each in self._incidents if each.kind == "announced_split" and each.instrument in here
        ]
        return [*infos, *(_split(each, self._provider, self._now) for each in coming)]

    def step(self, until_ns: int) -> list[Observation]:
        """Everything that happens up to a time, in order; at most whole steps."""
        out: list[Observation] = []
        while self._now + STEP_NS <= until_ns:
            self._now += STEP_NS
            common = {name: self._factor_rng.gauss(0.0, 1.0) for name in ("crypto", "equity", "fx")}
            for line in self._lines:
                self._step_line(line, common[line.about.asset_class], out)
        return out

    def skip(self, by_ns: int) -> None:
        """Let time pass in which nothing happens."""
        self._now += by_ns

    def resync(self, instrument: str) -> None:
        """A consumer lost its book: tell a gap and send the whole of it at the next step."""
        for line in self._lines:
            if line.about.instrument == instrument:
                line.doubted = line.doubted or line.synced

    def _step_line(self, line: Line, common: float, out: list[Observation]) -> None:
        active: dict[str, Incident] = {
            i.kind: i
            for i in self._incidents
            if i.instrument == line.about.instrument and i.covers(self._now)
        }
        if "halt" in active:
            self._halt(line, out)
            return
        line.halted = False
        if "frozen_feed" in active:
            self._frozen(line, common, out)
            return
        self._move(line, common, active.get("flash_crash"))
        if "announced_split" in active and line.scale == 1.0:
            line.scale, line.synced = 1.0 / SPLIT, False
        scale = line.scale / SPLIT if "split" in active else line.scale
        says = Speaker(line, self._provider, self._now, scale)
        bids, asks = line.ladder.move(line.mid, 4 if "flash_crash" in active else 1)
        self._book(line, says, bids, asks, lose="gap" in active, out=out)
        out.append(says.quote())
        self._trades(line, says, active, out)
        if self._now >= line.next_ticker:
            out.append(says.ticker())
            self._others(line, out)

    def _others(self, line: Line, out: list[Observation]) -> None:
        """What the other providers say once a second: they do not share the record's errors."""
        line.next_ticker = self._now + NS_PER_S
        if not line.eyes:
            return
        truth = Speaker(line, self._provider, self._now, line.scale).ticker()
        seen = [eye.look(truth) for eye in line.eyes]
        out.extend(told for told in seen if told is not None)

    def _move(self, line: Line, common: float, crash: Incident | None) -> None:
        dt_s = STEP_NS / NS_PER_S
        if line.rng.random() < REGIME_CHANGE_PER_S * dt_s:
            line.regime = line.rng.choice((0, 1, 1, 2))
        about = line.about
        sigma = about.volatility * REGIMES[line.regime] * math.sqrt(dt_s / SECONDS_PER_YEAR)
        own = line.rng.gauss(0.0, 1.0)
        drift = about.beta * common + math.sqrt(1 - about.beta**2) * own
        line.mid *= math.exp(sigma * drift)
        if crash is not None:
            line.mid *= _crash_factor(crash, self._now) / _crash_factor(crash, self._now - STEP_NS)
        line.excitement *= math.exp(-EXCITATION_DECAY_PER_S * dt_s)

    def _book(
        self, line: Line, says: Speaker, bids: list[Level], asks: list[Level], *, lose: bool,
        out: list[Observation],
    ) -> None:  # fmt: skip
        change = says.change(bids, asks)
        if lose:
            line.lost_from = line.lost_from or line.ladder.sequence
            line.synced = False
            return
        if line.lost_from is not None:
            out.append(says.gap("injected", line.lost_from, line.ladder.sequence - 1))
            line.lost_from = None
        elif line.doubted and line.synced:
            out.append(says.gap(KEEPER))
            line.synced = False
        line.doubted = False
        if line.synced:
            out.extend(change)
            return
        line.synced = True
        out.extend(says.book())
        if line.gap_open:
            out.append(says.gap("snapshot", opened=False))

    def _trades(
        self, line: Line, says: Speaker, active: Mapping[str, Incident], out: list[Observation]
    ) -> None:
        burst = 10.0 if "flash_crash" in active else 1.0
        normal = line.about.trades_per_s * self._rate
        intensity = normal * REGIMES[line.regime] * burst * (1 + line.excitement)
        for _ in range(_poisson(intensity * STEP_NS / NS_PER_S, line.rng)):
            line.excitement = min(6.0, line.excitement + EXCITATION_PER_TRADE / normal)
            trade, change = says.trade(sells="flash_crash" in active)
            slipped = says.slipped(trade, 10.0) if "decimal_slip" in active else trade
            out.append(slipped)
            if "duplicate" in active:
                out.append(slipped)
            if line.synced:
                out.extend(change)
        finger = active.get("fat_finger")
        if finger is not None and self._now - STEP_NS < finger.start + STEP_NS:
            trade, change = says.trade(sells=False)
            out.append(says.slipped(trade, 1.06, size_factor=60.0))
            if line.synced:
                out.extend(change)
            self._incidents.remove(finger)

    def _halt(self, line: Line, out: list[Observation]) -> None:
        if not line.halted:
            line.halted, line.synced = True, False
            out.append(Speaker(line, self._provider, self._now, line.scale).gap("halted"))

    def _frozen(self, line: Line, common: float, out: list[Observation]) -> None:
        """The market goes on, as the other providers see; this one's book and last price do not."""
        self._move(line, common, None)
        says = Speaker(line, self._provider, self._now, line.scale)
        out.append(says.quote())
        if line.rng.random() < 0.2:
            (bid, _), _ = line.ladder.best()
            out.append(says.print_at(bid, line.about.lot, "sell"))
        if self._now >= line.next_ticker:
            self._others(line, out)


def _split(incident: Incident, provider: str, now: int) -> SplitAnnounced:
    return SplitAnnounced(
        provider=provider,
        instrument=incident.instrument,
        ts_event=now,
        ts_recv=now,
        effective=incident.start,
        split_from=1.0,
        split_to=SPLIT,
    )


def _info(about: SimInstrument, provider: str, now: int) -> InstrumentInfo:
    return InstrumentInfo(
        provider=provider,
        instrument=about.instrument,
        ts_event=now,
        ts_recv=now,
        venue_symbol=about.instrument.rpartition(".")[0],
        base=about.base,
        quote=about.quote,
        asset_class=about.asset_class,
        price_precision=about.price_precision,
        size_precision=about.size_precision,
        tick_size=about.tick,
        lot_size=about.lot,
    )


def _crash_factor(crash: Incident, now: int) -> float:
    """1 before, down to 1 - depth at a third of the way, back to 1 - depth/4 at the end."""
    progress = min(1.0, max(0.0, (now - crash.start) / (crash.end - crash.start)))
    if progress < 1 / 3:
        return 1 - FLASH_CRASH_DEPTH * 3 * progress
    return 1 - FLASH_CRASH_DEPTH * (1 - 0.75 * (progress - 1 / 3) * 1.5)


def _poisson(mean: float, rng: random.Random) -> int:
    """Knuth for small means; a rounded normal beyond 30, where it is indistinguishable here."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
