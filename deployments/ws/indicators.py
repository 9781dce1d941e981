"""The channel `indicators`: values derived here from the chain of bars, for any spec that is asked for.

    begin      a figure warms up over the Reader; bars that close meanwhile wait for it
    on_bar     each bar of the chain advances the figures over it and becomes a frame at the bar's offset
    resume     bars after a cursor come from the log, their values from the Reader, as known now

A figure is shared by all sockets that ask for it and goes with the last of them. Nothing here is in the
log: a value is a function of bars that are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from actors.adjusting import adjusted_cells
from actors.answers import BarRow
from actors.indicators_query import MAX_BACK, MAX_VALUES, IndicatorsAsked
from deployments.fair_turns import FairTurns, TurnSettings
from deployments.ws.channels import KINDS, Key
from deployments.ws.derived import IndicatorValue, provisional_indicator_frame
from deployments.ws.event_frame import Derived
from deployments.ws.forming import forming_bar
from deployments.ws.frames import SharedFrame
from deployments.ws.hub import Hub
from deployments.ws.lane import Lane
from deployments.ws.pace import Pace
from deployments.ws.previous import previous_offsets
from domain.clock import MAX_NS
from domain.envelope import Recorded
from domain.errors import OverLimit, Unavailable
from domain.indicators.spec import parse_spec
from domain.indicators.streaming import DEPTH, Streaming
from domain.market.bars import NEVER
from domain.market.decisions import BarClosed, BarCorrected
from domain.market.intervals import interval_ns
from domain.market.observations import Bar
from domain.market.splits import Split
from observability.log import get_log

log = get_log("indicators")

MAX_FIGURES = 1_000
"""In one gateway process: each costs 0.03 ms of it per closed bar, and the frame."""
PENDING = 2_000
"""Bars kept while a figure warms up; beyond it the subscription fails."""
WARM_UP_S = 60.0
"""How long a figure waits for its turn and its history."""
WARM_UPS = TurnSettings(at_once=2, per_user=2, waiting_per_user=MAX_FIGURES, wait_s=WARM_UP_S)
"""One may take some 17,000 bars."""
PROVISIONAL_EVERY_S = 1.0
EVENTS = 2_000
ANY_BAR = BarClosed | BarCorrected | Bar


def key_of(instrument: str, interval: str, spec: str) -> Key:
    """The chain of one figure; `spec` in canonical form."""
    return Key("indicators", instrument, variant_of(interval, spec))


def variant_of(interval: str, spec: str) -> str:
    return f"{interval} {spec}"


def parts_of(variant: str) -> tuple[str, str]:
    """(interval, spec)."""
    interval, _, spec = variant.partition(" ")
    return interval, spec


def bars_key(key: Key) -> Key:
    """The chain of bars that a chain of indicator values is derived from."""
    return Key("bars", key.instrument, parts_of(key.variant)[0])


class Figure:
    """One spec over the bars of one instrument and interval."""

    __slots__ = (
        "interval", "joining", "key", "next_split", "pending", "restated", "run", "spec", "splits",
        "streaming", "user", "warmed",
    )  # fmt: skip

    def __init__(self, key: Key, run: int, user: str) -> None:
        """`user`: whoever asked first."""
        self.key = key
        self.run = run
        self.user = user
        self.interval, self.spec = parts_of(key.variant)
        self.streaming = Streaming(parse_spec(self.spec))
        self.splits: Sequence[Split] = ()
        """By which the bars before are adjusted."""
        self.next_split = NEVER
        self.restated = False
        """Values that were told are to be told again, in the shares of today."""
        self.pending: list[Recorded] | None = []
        """Bars that came while it warmed up; None since."""
        self.warmed: asyncio.Task[None] | None = None
        self.joining = 0
        """Sockets that wait for it or read the log."""


class IndicatorFeeds:
    """All figures of one process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._figures: dict[Key, Figure] = {}
        self._over: dict[Key, list[Figure]] = {}
        self._traded: dict[str, int] = {}
        self._told_s = 0.0
        self._turns = FairTurns("the history of indicators", WARM_UPS)
        hub.on_bar = self.on_bar
        hub.on_split = self.on_split

    def __len__(self) -> int:
        return len(self._figures)

    def begin(self, key: Key, user: str) -> Figure:
        """The figure, from now on fed with every bar; warms up where it is new, in turn with other users.

        Raises OverLimit.
        """
        figure = self._figures.get(key)
        if figure is not None and figure.run == self._hub.runs and not _failed(figure):
            return figure
        if figure is not None:
            self._forget(figure)
        if len(self._figures) >= MAX_FIGURES:
            raise OverLimit(f"this gateway streams {MAX_FIGURES} different indicators, the limit")
        figure = self._figures[key] = Figure(key, self._hub.runs, user)
        self._over.setdefault(bars_key(key), []).append(figure)
        figure.warmed = asyncio.get_running_loop().create_task(self._warm(figure))
        return figure

    async def ready(self, figure: Figure) -> None:
        """Wait until it has warmed up. Raises what kept it from that."""
        figure.joining += 1
        try:
            if figure.warmed is not None:
                await asyncio.shield(figure.warmed)
        finally:
            figure.joining -= 1

    def on_bar(self, recorded: Recorded) -> None:
        """A durable closed bar, in the order of its chain. Never awaits."""
        event = recorded.event
        assert isinstance(event, ANY_BAR)  # noqa: S101 - the hub hands over nothing else
        for figure in self._over.get(Key("bars", event.instrument, event.interval), ()):
            if figure.next_split < event.ts_event + interval_ns(event.interval) or _failed(figure):
                self._begin_again(figure)
            if figure.pending is None:
                self._advance(figure, recorded)
            elif len(figure.pending) < PENDING:
                figure.pending.append(recorded)

    def on_split(self, instrument: str) -> None:
        """One was announced. Never awaits."""
        for key, figures in self._over.items():
            if key.instrument == instrument:
                for figure in figures:
                    self._begin_again(figure)

    def _begin_again(self, figure: Figure) -> None:
        """Its history is to be adjusted otherwise: it warms up anew, and bars wait for it."""
        if figure.warmed is not None and not figure.warmed.done():
            figure.warmed.cancel()
        figure.pending = figure.pending or []
        figure.next_split = NEVER
        figure.restated = True
        figure.warmed = asyncio.get_running_loop().create_task(self._warm(figure))

    async def resume(self, lane: Lane, after: int, pace: Pace, reached: Callable[[int], bool]) -> int:
        """Send the values of the bars recorded after an offset; up to where, which is where the hub is.

        The caller attaches the lane at once, so that the next bar comes through the hub. `reached` is told
        how far it has come, and says whether anybody still wants the rest. Raises FinanceHubError.
        """
        figure = self.begin(lane.key, pace.user)
        await self.ready(figure)
        figure.joining += 1
        try:
            bars = bars_key(lane.key)
            async with pace.page(), pace.turn():
                last = await previous_offsets(self._hub.directory, lane.partition, [bars], after)
            lane.chain.last = last.get(bars, lane.chain.last)
            while after < self._hub.position[lane.partition]:
                async with pace.page(), pace.turn():
                    after = await self._replay(lane, figure, after)
                if not reached(after):
                    break
            return after
        finally:
            figure.joining -= 1

    async def tell_forming(self, now_s: float, traded: dict[str, int]) -> None:
        """Provisional values of the bars that form, once a second, of what has traded since."""
        self._traded.update(traded)
        if now_s - self._told_s < PROVISIONAL_EVERY_S:
            return
        self._told_s = now_s
        traded, self._traded = self._traded, {}
        wanted = [key for key in self._over if key.instrument in traded]
        # What one round cannot do is told by the next trade of its instrument.
        some = wanted[: self._hub.settings.forming_at_once]
        for key in some:  # to the end, so that the others have their turn first
            self._over[key] = self._over.pop(key)
        await asyncio.gather(*(self._tell_forming(key, traded[key.instrument]) for key in some))

    def sweep(self) -> None:
        """Forget the figures that nobody listens to."""
        for figure in list(self._figures.values()):
            if not figure.joining and not self._hub.lanes(figure.key):
                self._forget(figure)

    def _forget(self, figure: Figure) -> None:
        self._figures.pop(figure.key, None)
        bars = bars_key(figure.key)
        left = [each for each in self._over.get(bars, ()) if each is not figure]
        if left:
            self._over[bars] = left
        else:
            self._over.pop(bars, None)
        if figure.warmed is not None and not figure.warmed.done():
            figure.warmed.cancel()

    async def _warm(self, figure: Figure) -> None:
        """Feed what was recorded before, then what came meanwhile: a bar that is in both counts once."""
        try:
            async with asyncio.timeout(WARM_UP_S), self._turns.of(figure.user):
                rows, splits, next_split = await self._history(figure)
        except TimeoutError:
            raise Unavailable(f"no history of {figure.key.instrument} within {WARM_UP_S} s") from None
        figure.streaming = Streaming(parse_spec(figure.spec))
        figure.splits, figure.next_split = splits, next_split
        for row in rows:
            if row.closed:
                figure.streaming.put(row.ts_event, adjusted_cells(row, splits))
        pending, figure.pending = figure.pending or [], None
        if len(pending) >= PENDING:
            raise Unavailable(f"{figure.spec} of {figure.key.instrument} did not warm up in time")
        for recorded in pending:
            self._advance(figure, recorded)

    async def _history(self, figure: Figure) -> tuple[Iterable[BarRow], Sequence[Split], int]:
        """From as far back as the spec reaches before the oldest bar that may still be corrected; the splits
        in force by now, and when the next one is."""
        name, directory = figure.key.instrument, self._hub.directory
        asked = IndicatorsAsked(name, figure.interval, (figure.spec,), DEPTH)
        answer, _ = await directory.indicators(asked)
        since = answer.specs[0].since
        next_split = NEVER if answer.next_split is None else answer.next_split
        if since is None:
            return (), answer.splits, next_split
        rows, _ = await directory.bars(name, figure.interval, since, MAX_NS, MAX_BACK + MAX_VALUES)
        return rows, answer.splits, next_split

    def _advance(self, figure: Figure, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, ANY_BAR)  # noqa: S101 - of a chain of bars
        # A provider's bar never replaces one that was built here from its trades.
        built = not isinstance(event, Bar)
        changes = figure.streaming.put(event.ts_event, adjusted_cells(event, figure.splits), replace=built)
        if not changes:
            return
        (_, value), *others = changes
        if figure.restated:
            figure.restated = False
            others = [each for each in figure.streaming.known if each[0] != event.ts_event]
        derived = _derived(event, figure, value, tuple(others))
        at = (recorded.partition, recorded.offset, recorded.recorded_at)
        self._hub.push(figure.key, Derived(*at, derived))

    async def _replay(self, lane: Lane, figure: Figure, after: int) -> int:
        """Send the values of one page of recorded bars; the offset that everything up to was sent."""
        directory, name = self._hub.directory, figure.key.instrument
        until = self._hub.position[lane.partition]
        events = await directory.events(name, KINDS["bars"], after, until, EVENTS)
        bars = [each for each in events if _is_of(each, figure.interval)]
        values = await self._values(figure, bars)
        for recorded in bars:
            event = recorded.event
            assert isinstance(event, ANY_BAR)  # noqa: S101 - of a chain of bars
            derived = _derived(event, figure, values.get(event.ts_event), ())
            at = (recorded.partition, recorded.offset, recorded.recorded_at)
            lane.replay(SharedFrame(Derived(*at, derived), None))
        return events[-1].offset if len(events) == EVENTS else until

    async def _values(self, figure: Figure, bars: list[Recorded]) -> dict[int, float | None]:
        """Values at the bars' starts, as they are now known."""
        found: dict[int, float | None] = {}
        if not bars:
            return found
        starts = [each.event.ts_event for each in bars if isinstance(each.event, ANY_BAR)]
        start: int | None = min(starts)
        end = max(starts) + interval_ns(figure.interval)
        while start is not None:
            asked = IndicatorsAsked(
                figure.key.instrument, figure.interval, (figure.spec,), MAX_VALUES, start, end
            )
            answer, _ = await self._hub.directory.indicators(asked)
            found.update(zip(answer.starts, answer.values[0], strict=True))
            start = answer.more
        return found

    async def _tell_forming(self, bars: Key, traded_at: int) -> None:
        row = await forming_bar(self._hub.directory, bars, traded_at)
        if row is None:
            return
        for figure in self._over.get(bars, ()):
            if figure.next_split <= traded_at:
                self._begin_again(figure)
            newest = figure.streaming.newest
            if figure.pending is not None or (newest is not None and row.ts_event <= newest):
                continue
            value = figure.streaming.peek(row.ts_event, adjusted_cells(row, figure.splits))
            for lane in self._hub.lanes(figure.key):
                frame = provisional_indicator_frame(row, figure.spec, value, lane.outbox.codec)
                lane.outbox.provisional(lane, frame)


def _failed(figure: Figure) -> bool:
    task = figure.warmed
    return task is not None and task.done() and (task.cancelled() or task.exception() is not None)


def _is_of(recorded: Recorded, interval: str) -> bool:
    event = recorded.event
    return isinstance(event, ANY_BAR) and event.interval == interval and getattr(event, "closed", True)


def _derived(
    event: BarClosed | BarCorrected | Bar,
    figure: Figure,
    value: float | None,
    also: tuple[tuple[int, float], ...],
) -> IndicatorValue:
    return IndicatorValue(
        provider=event.provider,
        instrument=event.instrument,
        ts_event=event.ts_event,
        ts_recv=event.ts_recv,
        spec=figure.spec,
        interval=figure.interval,
        value=value,
        revision=0 if isinstance(event, Bar) else event.revision,
        also=also,
    )
