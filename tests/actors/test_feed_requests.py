"""The queue of a feed's requests: what one host holds back, and how it goes on afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from actors.feeds.base import HttpRequest
from actors.feeds.requests import RequestQueue, RequestSettings, host_of
from actors.transport import Response, Transport
from domain.clock import NS_PER_S, ManualClock
from tests.toy_venue import ToyVenue
from tests.venue_server import HttpFault, VenueServer, until

SETTINGS = RequestSettings(release_interval_s=1.0)
HELD_S = 600


@dataclass
class Scene:
    """A queue under a clock that is moved by hand, and two hosts; one has just said Retry-After."""

    queue: RequestQueue
    clock: ManualClock
    held: VenueServer
    other: VenueServer
    answers: list[tuple[str, int]]
    asked: int = 0

    def ask(self, server: VenueServer, name: str, not_before: int = 0) -> None:
        self.asked += 1
        self.queue.add(HttpRequest(f"{server.rest_url}/{name}", name, not_before=not_before))

    async def due(self) -> list[str]:
        """What goes now: the other host is asked last, so whatever was due has been sent before."""
        before, probe = len(self.answers), f"probe {self.asked}"
        self.clock.advance(1)
        self.ask(self.other, probe)
        await until(
            lambda: (probe, 200) in self.answers and len(self.answers) == self.asked - len(self.queue)
        )
        return sorted(name for name, _ in self.answers[before:] if name != probe)


@contextlib.asynccontextmanager
async def scene(settings: RequestSettings = SETTINGS) -> AsyncIterator[Scene]:
    clock, transport, gate = ManualClock(NS_PER_S), Transport(), asyncio.Event()
    gate.set()
    answers: list[tuple[str, int]] = []

    def answered(request: HttpRequest, response: Response) -> None:
        answers.append((request.purpose, response.status))

    async with VenueServer(ToyVenue()) as held, VenueServer(ToyVenue()) as other:
        queue = RequestQueue(transport, answered, clock.now_ns, gate, settings)
        task = asyncio.create_task(queue.run())
        on = Scene(queue, clock, held, other, answers)
        held.faults.append(HttpFault("/state", 429, {"Retry-After": str(HELD_S)}))
        on.ask(held, "state")
        try:
            await until(lambda: answers == [("state", 429)])
            yield on
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await transport.close()


def test_a_host_that_says_retry_after_holds_back_no_other_host() -> None:
    async def scenario() -> None:
        async with scene() as on:
            on.ask(on.held, "state")
            on.ask(on.other, "elsewhere")
            await until(lambda: ("elsewhere", 200) in on.answers)
            assert len(on.held.requests) == len(on.queue) == 1
            on.clock.advance(HELD_S * NS_PER_S)
            await until(lambda: ("state", 200) in on.answers)

    asyncio.run(scenario())


def test_what_a_hold_has_made_late_goes_one_by_one_and_then_as_before() -> None:
    async def scenario() -> None:
        async with scene() as on:
            for number in range(3):
                on.ask(on.held, f"late{number}", on.clock.now_ns() + number * NS_PER_S)
            on.ask(on.held, "meanwhile", on.clock.now_ns() + (HELD_S + 1) * NS_PER_S)
            assert await on.due() == []
            on.clock.advance(HELD_S * NS_PER_S)
            assert await on.due() == ["late0"]
            assert await on.due() == []
            for name in ("late1", "late2", "meanwhile"):
                on.clock.advance(NS_PER_S)
                assert await on.due() == [name]
            on.clock.advance(NS_PER_S)
            on.ask(on.held, "free0")
            on.ask(on.held, "free1")
            assert await on.due() == ["free0", "free1"]

    asyncio.run(scenario())


def test_the_bound_counts_the_requests_of_all_hosts() -> None:
    async def scenario() -> None:
        async with scene(RequestSettings(max_waiting=2)) as on:
            on.ask(on.held, "state")
            on.ask(on.other, "later", on.clock.now_ns() + NS_PER_S)
            on.ask(on.other, "too many")
            await until(lambda: ("too many", 0) in on.answers)
            assert len(on.queue) == 2

    asyncio.run(scenario())


def test_what_is_no_address_has_no_host() -> None:
    assert host_of("http://127.0.0.1:80/x?y") == "127.0.0.1:80"
    assert host_of("state") == host_of("http://[bad") == ""
