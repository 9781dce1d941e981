"""The shell around a session, over real loopback sockets and a venue that fails on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from actors.feeds.base import FeedSettings
from actors.feeds.capture import CaptureLine
from actors.feeds.link import LinkSettings
from actors.feeds.live import BACKLOG, LiveSettings, LiveSource
from actors.feeds.requests import RequestSettings
from actors.feeds.source import Step
from actors.transport import TransportSettings
from domain.errors import NotOwner
from tests.actors.receiving_end import KeepingSink, LoopClock
from tests.toy_venue import ToyAdapter, ToyVenue
from tests.venue_server import HttpFault, VenueServer, until

QUICK = LiveSettings(
    tick_s=0.01,
    transport=TransportSettings(connect_s=1.0, total_s=0.5, heartbeat_s=5.0, close_s=0.05),
    link=LinkSettings(backoff_base_s=0.01, backoff_cap_s=0.05, overlap_s=0.3),
    requests=RequestSettings(default_hold_s=0.05, release_interval_s=0.01),
)


@dataclass
class Scene:
    server: VenueServer
    venue: ToyVenue
    adapter: ToyAdapter
    source: LiveSource
    sink: KeepingSink
    task: asyncio.Task[None]
    taped: list[CaptureLine]

    async def trades(self, count: int) -> None:
        """Send trades and wait until the last has come through."""
        for _ in range(count):
            await self.server.broadcast(self.venue.next_trade())
        await until(lambda: self.sink.trade_ids[-1:] == [self.venue.last])


@contextlib.asynccontextmanager
async def scene(
    adapter: ToyAdapter | None = None, settings: LiveSettings = QUICK, sink: KeepingSink | None = None
) -> AsyncIterator[Scene]:
    venue = ToyVenue()
    adapter = adapter or ToyAdapter()
    sink = sink or KeepingSink()
    taped: list[CaptureLine] = []
    async with VenueServer(venue) as server:
        feed = FeedSettings(ws_url=server.ws_url, rest_url=server.rest_url)
        source = LiveSource(adapter, feed, LoopClock(), settings, tap=taped.append)
        task = asyncio.create_task(source.run(sink))
        try:
            await until(lambda: server.sockets and sink.connects)
            yield Scene(server, venue, adapter, source, sink, task, taped)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


def run(scenario: object) -> None:
    asyncio.run(scenario)  # type: ignore[arg-type]


def test_frames_become_observations_in_order() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.trades(50)
            assert on.sink.trade_ids == list(range(1, 51))
            assert on.source.connections() == (1, 1)
            clocks = [step.clock for step in on.sink.steps]
            assert clocks == sorted(clocks)

    run(scenario())


def test_frames_that_wait_together_are_handed_over_together_within_bounds() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.server.broadcast(*[on.venue.next_trade() for _ in range(300)])
            await until(lambda: on.sink.trade_ids[-1:] == [300])
            assert on.sink.trade_ids == list(range(1, 301))
            assert 1 < max(step.frames for step in on.sink.steps) <= QUICK.link.max_run
            assert sum(step.frames for step in on.sink.steps) == 301  # and the hello
            told = [line.ts_recv for line in on.taped]
            assert told == sorted(told)
            received = [each.ts_recv for each in on.sink.observations]
            assert received == sorted(received)
            assert len(set(received)) > 100  # each has its own time, not that of the run

    run(scenario())


def test_a_run_ends_with_the_frame_that_makes_it_too_long() -> None:
    short = msgspec.structs.replace(QUICK, link=msgspec.structs.replace(QUICK.link, max_run_chars=30))

    async def scenario() -> None:
        async with scene(settings=short) as on:
            await on.server.broadcast(*[on.venue.next_trade() for _ in range(9)])
            await until(lambda: on.sink.trade_ids[-1:] == [9])
            assert max(step.frames for step in on.sink.steps) <= 4  # 9 characters each

    run(scenario())


def test_what_breaks_the_sink_with_a_run_ends_the_source() -> None:
    class Fenced(KeepingSink):
        def take(self, step: Step) -> None:
            if step.observations:
                raise NotOwner("a newer incarnation")
            super().take(step)

    async def scenario() -> None:
        async with scene(sink=Fenced()) as on:
            await on.server.broadcast(*[on.venue.next_trade() for _ in range(3)])
            with pytest.raises(NotOwner):
                await asyncio.wait_for(on.task, 5)

    run(scenario())


def test_what_the_session_sends_on_open_reaches_the_venue() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await until(lambda: on.server.sockets[0].received)
            assert on.server.sockets[0].received == ['{"op":"subscribe"}']

    run(scenario())


def test_an_aborted_socket_is_a_gap_and_everything_is_subscribed_anew() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.trades(3)
            on.server.sockets[0].abort()
            await until(lambda: len(on.sink.gaps) == 2)
            await on.trades(2)
            assert [gap.opened for gap in on.sink.gaps] == [True, False]
            assert on.server.sockets[0].received == ['{"op":"subscribe"}']
            assert len(on.sink.losses) == 1
            assert on.sink.trade_ids == [1, 2, 3, 4, 5]

    run(scenario())


def test_a_close_by_the_venue_names_its_code() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.server.sockets[0].ws.close(code=1012, message=b"restart")
            await until(lambda: on.sink.losses)
            assert "1012" in on.sink.losses[0]

    run(scenario())


def test_refused_connects_are_tried_again_and_no_credential_is_told() -> None:
    async def scenario() -> None:
        async with scene() as on:
            on.server.refuse(3)
            on.server.sockets[0].abort()
            await until(lambda: on.server.accepted == 2)
            assert on.server.refusals == 3
            assert len(on.sink.losses) == 4
            assert not any("hush" in reason for reason in on.sink.losses)

    run(scenario())


def test_a_silent_socket_counts_as_dead() -> None:
    async def scenario() -> None:
        async with scene(ToyAdapter(silence_s=0.15)) as on:
            await on.trades(1)
            on.server.sockets[0].stall()
            await until(lambda: on.server.accepted == 2)
            assert on.sink.losses[0].startswith("silent for")

    run(scenario())


def test_a_half_open_socket_is_found_by_the_missing_pong() -> None:
    patient = LiveSettings(
        tick_s=0.01, transport=TransportSettings(heartbeat_s=0.2, close_s=0.05), link=QUICK.link
    )

    async def scenario() -> None:
        async with scene(ToyAdapter(silence_s=60.0), patient) as on:
            on.server.sockets[0].stall()
            await until(lambda: on.server.accepted == 2)
            assert len(on.sink.losses) == 1

    run(scenario())


def test_a_planned_reconnect_loses_nothing_and_is_no_gap() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.trades(3)
            await on.server.broadcast('{"please": 1}')
            await until(lambda: len(on.server.sockets) == 2)
            await on.trades(1)
            await until(lambda: len(on.server.sockets) == 1)
            await on.trades(3)
            assert on.sink.trade_ids == [1, 2, 3, 4, 5, 6, 7]
            assert on.sink.gaps == []
            assert on.sink.losses == []

    run(scenario())


def test_what_breaks_on_the_old_socket_of_a_planned_reconnect_ends_the_source_too() -> None:
    class OnceBroken(KeepingSink):
        broken = False

        def take(self, step: Step) -> None:
            if step.observations and not self.broken:
                self.broken = True
                raise RuntimeError("a defect")
            super().take(step)

    async def scenario() -> None:
        async with scene(sink=OnceBroken()) as on:
            await on.server.broadcast('{"please": 1}')
            await until(lambda: len(on.server.sockets) == 2)
            await on.server.sockets[0].send(on.venue.next_trade())
            with pytest.raises(RuntimeError, match="a defect"):
                await asyncio.wait_for(on.task, 5)

    run(scenario())


def test_an_old_socket_is_replaced_before_the_venue_ends_it() -> None:
    async def scenario() -> None:
        async with scene(ToyAdapter(max_life_s=0.1)) as on:
            await on.trades(1)
            await until(lambda: on.server.accepted >= 2)
            await on.trades(1)
            assert on.sink.gaps == []

    run(scenario())


def test_a_malformed_frame_is_kept_and_the_feed_goes_on() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.server.broadcast("{nonsense", '{"id": "x"}')
            await on.trades(1)
            rejects = [reject for step in on.sink.steps for reject in step.rejects]
            assert [(reject.reject_class, frame) for reject, frame in rejects] == [
                ("malformed", b"{nonsense"),
                ("malformed", b'{"id": "x"}'),
            ]
            assert on.server.accepted == 1

    run(scenario())


def test_retry_after_holds_requests_back_and_a_ban_without_it_too() -> None:
    async def scenario() -> None:
        async with scene() as on:
            on.server.faults.append(HttpFault("/state", 429, {"Retry-After": "1"}))
            on.server.faults.append(HttpFault("/state", 418))
            on.server.sockets[0].abort()
            await until(lambda: on.adapter.sessions[0].statuses == [429, 418, 200])
            first, second, third = on.server.requests
            assert second.at_s - first.at_s >= 0.95
            assert third.at_s - second.at_s >= 0.05

    run(scenario())


def test_an_answer_that_does_not_come_has_status_0() -> None:
    async def scenario() -> None:
        async with scene() as on:
            on.server.faults.append(HttpFault("/state", 200, delay_s=2.0))
            on.server.faults.append(HttpFault("/state", 500))
            on.server.sockets[0].abort()
            await until(lambda: on.adapter.sessions[0].statuses[-1:] == [200])
            assert on.adapter.sessions[0].statuses == [0, 500, 200]

    run(scenario())


def test_a_full_sink_disconnects_records_the_gap_and_resumes_when_there_is_room() -> None:
    one_by_one = msgspec.structs.replace(QUICK, link=msgspec.structs.replace(QUICK.link, max_run=1))

    async def scenario() -> None:
        async with scene(settings=one_by_one, sink=KeepingSink(bound=5)) as on:
            await on.trades(5)
            await on.server.broadcast(*[on.venue.next_trade() for _ in range(3)])
            await until(lambda: not on.server.sockets)
            await asyncio.sleep(0.1)
            assert on.sink.trade_ids == [1, 2, 3, 4, 5]
            assert on.server.accepted == 1
            on.sink.bound = 1000
            on.sink.release()
            await until(lambda: on.server.accepted == 2)
            assert on.sink.trade_ids == [1, 2, 3, 4, 5, 6]
            assert BACKLOG in on.sink.losses
            await on.trades(2)
            assert on.sink.trade_ids == [1, 2, 3, 4, 5, 6, 9, 10]
            assert [gap.reason for gap in on.sink.gaps if gap.opened] == [BACKLOG, "trade ids jump"]

    run(scenario())


def test_what_breaks_the_sink_ends_the_source() -> None:
    class Fenced(KeepingSink):
        def take(self, step: object) -> None:
            raise NotOwner("a newer incarnation")

    async def scenario() -> None:
        async with VenueServer(ToyVenue()) as server:
            feed = FeedSettings(ws_url=server.ws_url, rest_url=server.rest_url)
            source = LiveSource(ToyAdapter(), feed, LoopClock(), QUICK)
            with pytest.raises(NotOwner):
                await asyncio.wait_for(source.run(Fenced()), 5)

    run(scenario())


def test_the_tape_holds_what_the_session_was_told() -> None:
    async def scenario() -> None:
        async with scene() as on:
            await on.trades(2)
            on.server.sockets[0].abort()
            await until(lambda: len(on.sink.gaps) == 2)
            await until(lambda: len(on.server.sockets) == 1)
            assert [line.source for line in on.taped[:5]] == ["open", "ws", "ws", "ws", "close"]
            http = [line for line in on.taped if line.source == "http"]
            assert [(line.status, line.frame) for line in http] == [(200, '{"last": 2}')]
            assert {line.conn for line in on.taped if line.source != "http"} == {0}

    run(scenario())
