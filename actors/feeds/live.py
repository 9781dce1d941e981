"""A provider live: carries out what its session wants, over real sockets and requests.

    frames, answers, time ──> session ──Effects──> observations to the sink; sends, requests, reconnects

Everything runs in one event loop, so calls to the session never overlap. When the sink is full the
sockets are dropped and the session opens its gaps; when there is room again everything is dialled and
subscribed anew. Nothing is lost silently. Where the machine's clock was set the source ends (`steady_clock`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from actors.feeds.base import Adapter, Effects, Endpoint, FeedSettings, HttpRequest, Received
from actors.feeds.capture_line import CaptureLine, CaptureSource
from actors.feeds.link import Link, LinkSettings
from actors.feeds.requests import RequestQueue, RequestSettings
from actors.feeds.source import Sink, Step
from actors.steady_clock import ClockSet, SteadyClock
from actors.transport import Response, Transport, TransportSettings
from domain.clock import Clock
from domain.errors import OverLimit
from observability.log import get_log

log = get_log("feed")

BACKLOG = "backlog: the log does not keep up"


class LiveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`tick_s`: how often the session's timer runs and silence is looked for."""

    tick_s: float = 0.1
    transport: TransportSettings = TransportSettings()
    link: LinkSettings = LinkSettings()
    requests: RequestSettings = RequestSettings()


Tap = Callable[[CaptureLine], None]
"""Sees every frame and answer before the session does: `financehub record`."""


class LiveSource:
    """One session over its sockets. `run` it once."""

    def __init__(
        self,
        adapter: Adapter,
        feed: FeedSettings,
        clock: Clock,
        settings: LiveSettings | None = None,
        *,
        tap: Tap | None = None,
    ) -> None:
        self._name = adapter.name
        self._session = adapter.session(feed)
        self._clock = SteadyClock(clock)
        self._settings = settings or LiveSettings()
        self._tap = tap
        self._told = 0
        self._transport = Transport(self._settings.transport)
        self._gate = asyncio.Event()
        self._gate.set()
        self._links: dict[int, Link] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._requests = RequestQueue(
            self._transport, self._answered, self.now_ns, self._gate, self._settings.requests
        )
        self._held: deque[Step] = deque()
        self._blocked = asyncio.Event()
        self._sink: Sink | None = None

    def now_ns(self) -> int:
        """Wall time that never goes back, whatever is done to the machine's clock."""
        return self._clock.now_ns()

    def _moment(self) -> int:
        """Now, as the session is about to be told. Raises ClockSet."""
        self._told = self.now_ns()
        self._require_steady()
        return self._told

    def _require_steady(self) -> None:
        """Raises ClockSet. The session hears no more; who plays the tape hears that the sockets are gone."""
        try:
            self._clock.require()
        except ClockSet as error:
            tap, self._tap = self._tap, None
            for link in self._links.values():
                if tap is not None and link.is_open:
                    tap(CaptureLine(self._told, "close", link.endpoint.url, str(error), link.connection))
            raise

    def connections(self) -> tuple[int, int]:
        return sum(link.is_open for link in self._links.values()), len(self._links)

    def resync(self, instruments: Sequence[str]) -> None:
        for instrument in instruments:
            now = self._moment()
            self._apply(self._session.resync(instrument, now), Step(now))

    async def run(self, sink: Sink) -> None:
        """Until cancelled. Raises what the sink raises (but OverLimit), ClockSet."""
        self._sink = sink
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests.run())
                group.create_task(self._relieve(sink))
                await self._tick(group)
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from group_error
        finally:
            await self._transport.close()

    async def _tick(self, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        now = self._moment()
        self._apply(self._session.on_start(now), Step(now))
        self._follow_endpoints(group)
        while True:
            await asyncio.sleep(self._settings.tick_s)
            now = self._moment()
            self._apply(self._session.on_timer(now), Step(now))
            self._follow_endpoints(group)
            for link in self._links.values():
                link.check(loop.time())

    def _follow_endpoints(self, group: asyncio.TaskGroup) -> None:
        """Dial what the session newly wants, leave what it no longer wants, move where it changed."""
        wanted = {endpoint.connection: endpoint for endpoint in self._session.endpoints()}
        for connection, endpoint in wanted.items():
            link = self._links.get(connection)
            if link is None:
                self._start_link(endpoint, group)
            elif link.endpoint != endpoint:
                link.replace(endpoint)
        for connection in self._links.keys() - wanted.keys():
            del self._links[connection]
            self._tasks.pop(connection).cancel()

    def _start_link(self, endpoint: Endpoint, group: asyncio.TaskGroup) -> None:
        seed = f"{self._name}/{endpoint.connection}"
        link = Link(endpoint, self._transport, self, self._gate, seed, self._settings.link)
        self._links[endpoint.connection] = link
        self._tasks[endpoint.connection] = group.create_task(link.run())

    def opened(self, link: Link) -> None:
        now = self._moment()
        self._record(now, "open", link.endpoint.url, conn=link.connection)
        step = Step(now, connected=[(link.connection, link.endpoint.url)])
        self._apply(self._session.on_open(link.connection, now), step)

    def received(self, link: Link, run: Sequence[Received]) -> bool:
        """What waited in one socket; the step has the time of the last frame.

        Each frame keeps the time when it was taken from the socket, but for microseconds: none is before
        what the session was told of already (a timer, another socket), whose time never decreases.
        """
        self._require_steady()
        connection, url, told = link.connection, link.endpoint.url, self._told
        if run[0][1] < told:
            run = [(frame, max(now, told)) for frame, now in run]
        self._told = run[-1][1]
        if self._tap is not None:
            for frame, now in run:
                self._record(now, "ws", url, _text(frame), conn=connection)
        began_s = time.perf_counter()
        effects = self._session.take_frames(connection, run, url)
        took_s = time.perf_counter() - began_s
        return self._apply(effects, Step(run[-1][1], frames=len(run), parse_s=took_s))

    def lost(self, link: Link, reason: str) -> None:
        now = self._moment()
        self._record(now, "close", link.endpoint.url, reason, conn=link.connection)
        step = Step(now, lost=[(link.connection, reason)])
        self._apply(self._session.on_close(link.connection, reason, now), step)

    def failed(self, link: Link, reason: str) -> None:
        self._apply(Effects(), Step(self.now_ns(), lost=[(link.connection, reason)]))

    def _answered(self, request: HttpRequest, response: Response) -> None:
        now = self._moment()
        if self._tap is not None and response.status:
            self._record(now, "http", request.url, _text(response.body), status=response.status)
        effects = self._session.on_response(request, response.status, response.headers, response.body, now)
        self._apply(effects, Step(now, frames=int(response.status != 0)))

    def _apply(self, effects: Effects, step: Step) -> bool:
        """Carry out effects; returns whether there were observations."""
        step.observations = effects.observations
        step.rejects = effects.rejects
        step.resynced = effects.resynced
        step.silences = effects.silences
        self._hand_over(step)
        for connection, frame in effects.sends:
            if link := self._links.get(connection):
                link.send(frame)
        for request in effects.requests:
            self._requests.add(request)
        for connection, reason in effects.reconnects:
            if link := self._links.get(connection):
                log.info("planned reconnect", provider=self._name, connection=connection, reason=reason)
                link.replace()
        return bool(effects.observations)

    def _hand_over(self, step: Step) -> None:
        told = step.connected or step.lost or step.resynced or step.silences or step.rejects
        if not (step.frames or step.observations or told):
            return
        if self._held or self._sink is None:
            self._held.append(step)
            return
        try:
            self._sink.take(step)
        except OverLimit:
            self._held.append(step)
            self._block()

    def _block(self) -> None:
        """Stop reading: what is held from now on is what the closing connections still say."""
        self._gate.clear()
        self._blocked.set()
        for link in self._links.values():
            link.drop(BACKLOG)

    async def _relieve(self, sink: Sink) -> None:
        """After a block: wait for room, hand over what was held, go on."""
        while True:
            await self._blocked.wait()
            while self._held:
                await sink.room()
                sink.take(self._held[0])
                self._held.popleft()
            self._blocked.clear()
            self._gate.set()

    def _record(
        self,
        now: int,
        source: CaptureSource,
        url: str,
        frame: str = "",
        *,
        conn: int | None = None,
        status: int | None = None,
    ) -> None:
        if self._tap is not None:
            self._tap(CaptureLine(now, source, url, frame, conn, status))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first: the rest are tasks that fell with it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="replace")
