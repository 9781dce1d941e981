"""A live source on a machine whose clock is set, and a feed that begins again by it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pytest

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import Effects, Endpoint, FeedSettings, HttpRequest, Received
from actors.feeds.capture import CaptureLine
from actors.feeds.live import LiveSource
from actors.feeds.sim.source import SimSource
from actors.feeds.source import Sink, Step
from actors.steady_clock import ClockSet
from domain.clock import NS_PER_S, ManualClock
from domain.market.observations import Trade
from tests.actors.receiving_end import EPOCH_NS, KeepingSender, KeepingSink, KeepingWriter, LoopClock
from tests.actors.test_feed_live import QUICK
from tests.toy_venue import ToyAdapter, ToySession, ToyVenue
from tests.venue_server import VenueServer, until

STEPPING = msgspec.structs.replace(QUICK, tick_s=0.0005)
DAYS_NS = 2 * 86_400 * NS_PER_S


class SetClock(LoopClock):
    """Wall time that somebody sets."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.mark.parametrize("step_ns", [DAYS_NS, -DAYS_NS])
def test_a_live_source_ends_where_the_clock_is_set_and_tells_nothing_by_the_new_time(step_ns: int) -> None:
    async def scenario() -> None:
        venue, sink, clock = ToyVenue(), KeepingSink(), SetClock()
        taped: list[CaptureLine] = []
        async with VenueServer(venue) as server:
            feed = FeedSettings(ws_url=server.ws_url, rest_url=server.rest_url)
            source = LiveSource(ToyAdapter(), feed, clock, QUICK, tap=taped.append)
            task = asyncio.create_task(source.run(sink))
            await until(lambda: server.sockets and sink.connects)
            await server.broadcast(*[venue.next_trade() for _ in range(3)])
            await until(lambda: sink.trade_ids == [1, 2, 3])
            clock.ahead_ns = step_ns
            held = source.now_ns()
            await server.broadcast(*[venue.next_trade() for _ in range(3)])
            with pytest.raises(ClockSet):
                await asyncio.wait_for(task, 5)
            assert sink.trade_ids == [1, 2, 3]
            assert source.now_ns() == held
            assert all(abs(step.clock - LoopClock().now_ns()) < 60 * NS_PER_S for step in sink.steps)
            assert taped[-1].source == "close"
            assert "clock was set" in taped[-1].frame

    asyncio.run(scenario())


def test_a_simulated_market_ends_with_its_clock_too() -> None:
    async def scenario() -> None:
        clock, sink = SetClock(), KeepingSink()
        source = SimSource(FeedSettings(instruments=("BTC-USD.SIM",), speed=50.0), clock)
        running = asyncio.create_task(source.run(sink))
        await until(lambda: len(sink.steps) > 3)
        clock.ahead_ns = -DAYS_NS
        with pytest.raises(ClockSet), contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running, 5)
        assert sink.steps[0].clock >= EPOCH_NS

    asyncio.run(scenario())


class ListeningSession(ToySession):
    """Notes every time that it is told, and what the clock said then."""

    def __init__(self, settings: FeedSettings, clock: LoopClock | ManualClock) -> None:
        super().__init__(settings, 30.0, None)
        self.clock = clock
        self.told: list[tuple[int, int]] = []
        self.runs: list[list[int]] = []

    def hear(self, now: int) -> None:
        self.told.append((now, self.clock.now_ns()))

    def on_open(self, connection: int, now: int) -> Effects:
        self.hear(now)
        return super().on_open(connection, now)

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        self.hear(now)
        return super().on_frame(connection, frame, now, endpoint)

    def take_frames(self, connection: int, run: Sequence[Received], endpoint: str = "") -> Effects:
        self.runs.append([now for _, now in run])
        return super().take_frames(connection, run, endpoint)

    def on_timer(self, now: int) -> Effects:
        self.hear(now)
        return super().on_timer(now)

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        self.hear(now)
        return super().on_response(request, status, headers, body, now)


class ListeningAdapter(ToyAdapter):
    def __init__(self, clock: LoopClock | ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def session(self, settings: FeedSettings) -> ListeningSession:
        self.listening = ListeningSession(settings, self.clock)
        return self.listening


def test_what_a_session_is_told_never_goes_back_and_is_never_of_the_future() -> None:
    """Frames are stamped when they are taken from the socket, and handed over with timers in between."""

    async def scenario() -> None:
        venue, sink, clock = ToyVenue(), KeepingSink(), LoopClock()
        adapter = ListeningAdapter(clock)
        async with VenueServer(venue) as server:
            feed = FeedSettings(ws_url=server.ws_url, rest_url=server.rest_url)
            task = asyncio.create_task(LiveSource(adapter, feed, clock, STEPPING).run(sink))
            await until(lambda: server.sockets and sink.connects)
            for _ in range(20):
                await server.broadcast(*[venue.next_trade() for _ in range(100)])
            await until(lambda: sink.trade_ids[-1:] == [2_000])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        session = adapter.listening
        nows = [now for now, _ in session.told]
        assert nows == sorted(nows)
        assert all(now <= clock_then for now, clock_then in session.told)
        assert max(map(len, session.runs)) > 1
        assert session.timer_calls > 1
        received = [each.ts_recv for each in sink.observations]
        assert received == sorted(received)

    asyncio.run(scenario())


@dataclass
class Socket:
    """What a source looks at of a link."""

    connection: int
    endpoint: Endpoint


@pytest.mark.parametrize(
    ("stamped", "told"),
    [
        ([4, 6, 8], [10, 10, 10]),
        ([4, 10, 12], [10, 10, 12]),
        ([9, 11, 12, 12], [10, 11, 12, 12]),
        ([10, 11], [10, 11]),
        ([13], [13]),
    ],
)
def test_frames_that_were_taken_before_the_session_was_told_of_a_later_moment_are_of_that_moment(
    stamped: list[int], told: list[int]
) -> None:
    """A timer or another socket's frames had their turn between taking and handing over."""

    async def scenario() -> None:
        clock = ManualClock(EPOCH_NS)
        adapter = ListeningAdapter(clock)
        source = LiveSource(adapter, FeedSettings(ws_url="", rest_url=""), clock, QUICK)
        clock.set(EPOCH_NS + 10)
        source.resync(["TOY-USD.TOY"])
        clock.set(EPOCH_NS + 20)
        run = [(f'{{"id": {number}}}', EPOCH_NS + at) for number, at in enumerate(stamped, start=1)]
        source.received(Socket(0, adapter.listening.endpoints()[0]), run)  # type: ignore[arg-type]
        assert adapter.listening.runs == [[EPOCH_NS + at for at in told]]
        assert all(now <= then for now, then in adapter.listening.told)

    asyncio.run(scenario())


class EndingSource:
    """Hands a step over and ends as a live source does whose clock was set."""

    def now_ns(self) -> int:
        return EPOCH_NS

    def connections(self) -> tuple[int, int]:
        return 1, 1

    def resync(self, instruments: Sequence[str]) -> None:
        """There is no book."""

    async def run(self, sink: Sink) -> None:
        trade = Trade("toy", "TOY-USD.TOY", EPOCH_NS, EPOCH_NS, 1.0, 1.0, None, "1")
        sink.take(Step(EPOCH_NS, observations=[trade]))
        raise ClockSet("the machine's clock was set 60.0 s back")


@pytest.mark.parametrize("is_taken", [True, False])
def test_what_was_told_before_the_clock_was_set_becomes_durable_before_the_feed_ends(is_taken: bool) -> None:
    async def scenario() -> None:
        sender, writer = KeepingSender(1), KeepingWriter()

        async def claim() -> tuple[int, KeepingWriter]:
            return 1, writer

        actor = FeedActor(
            "toy",
            EndingSource(),
            ["TOY-USD.TOY"],
            claim=claim,
            make_sender=lambda _: sender,
            settings=FeedActorSettings(stop_s=30.0 if is_taken else 0.05),
        )
        task = asyncio.create_task(actor.run())
        await until(lambda: sender.trade_ids == [1] and "feed_lost" in writer.kinds())
        if is_taken:
            assert not sender.closed
            sender.release()
        with pytest.raises(ClockSet):
            await asyncio.wait_for(task, 5)
        assert sender.closed

    asyncio.run(scenario())
