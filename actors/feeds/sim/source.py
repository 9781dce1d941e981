"""The simulator as a feed: wall time (or `speed` times it) drives the market in steps of 50 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from actors.feeds.base import FeedSettings
from actors.feeds.sim.incidents import parse_incident
from actors.feeds.sim.market import PROVIDER, STEP_NS, Market
from actors.feeds.sim.views import parse_views
from actors.feeds.source import Sink, Step
from actors.steady_clock import SteadyClock
from domain.clock import NS_PER_S, Clock
from domain.errors import OverLimit

MAX_CATCH_UP_NS = 5 * NS_PER_S
"""After a stall the market continues from now: nobody wants an hour of trades at once."""


class SimSource:
    """`[feeds.sim]`: instruments, seed, rate (0 means 1), speed, incidents (see `incidents.py`), views
    (see `views.py`), and the channel `orders` for books by order."""

    def __init__(
        self, settings: FeedSettings, clock: Clock, *, prices: Mapping[str, float] | None = None
    ) -> None:
        """Raises Malformed where the spec of an incident or a view is.

        `prices` continues from earlier last prices.
        """
        self._clock = SteadyClock(clock)
        self._began = self._now = self._clock.now_ns()
        self._speed = settings.speed
        self._running = False
        self._market = Market(
            settings.instruments,
            seed=settings.seed,
            start_ns=self._began,
            rate=settings.rate or 1.0,
            incidents=[parse_incident(spec, self._began) for spec in settings.incidents],
            prices=prices,
            orders="orders" in settings.channels,
            views=parse_views(settings.views, PROVIDER),
        )

    async def run(self, sink: Sink) -> None:
        """Until cancelled. Raises ClockSet."""
        self._running = True
        await self._hand_over(sink, Step(clock=self._now, observations=self._market.describe()))
        while True:
            await asyncio.sleep(STEP_NS / NS_PER_S / self._speed)
            self._clock.require()
            self._now = max(self._now, self._simulated_now())
            observations = self._market.step(self._now)
            await self._hand_over(sink, Step(clock=self._now, frames=1, observations=observations))

    def resync(self, instruments: Sequence[str]) -> None:
        for instrument in instruments:
            self._market.resync(instrument)

    def connections(self) -> tuple[int, int]:
        return int(self._running), 1

    def now_ns(self) -> int:
        return self._now

    def _simulated_now(self) -> int:
        elapsed = int((self._clock.now_ns() - self._began) * self._speed)
        behind = self._began + elapsed - self._market.now - MAX_CATCH_UP_NS
        if behind > 0:
            self._market.skip(behind)
        return self._began + elapsed

    async def _hand_over(self, sink: Sink, step: Step) -> None:
        while True:
            try:
                sink.take(step)
            except OverLimit:
                await sink.room()
            else:
                return
