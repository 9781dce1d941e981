"""Everything that the sockets of one gateway process share."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable

from actors.answers import FeedStatus
from actors.directory import Directory
from deployments.auth.principal import Principal
from deployments.auth.tickets import TicketBooth
from deployments.auth.tokens import Authority
from deployments.instrument_index import InstrumentIndex
from deployments.ws.channels import Key
from deployments.ws.codec import Codec
from deployments.ws.feed_watch import FeedWatch
from deployments.ws.forming import FormingBars
from deployments.ws.hub import Hub
from deployments.ws.indicators import IndicatorFeeds
from deployments.ws.lobby import Lobby
from deployments.ws.outbox import Outbox
from deployments.ws.protocol import CLOSE_DRAINING
from deployments.ws.session import Session
from deployments.ws.settings import StreamSettings
from deployments.ws.slots import Slots
from domain.errors import OverLimit, Unavailable
from observability.log import get_log
from observability.metrics import Telemetry

log = get_log("stream")


class StreamService:
    """Hub, timers and sessions. Nothing runs before the first session."""

    def __init__(
        self,
        directory: Directory,
        authority: Authority,
        booth: TicketBooth,
        index: InstrumentIndex,
        settings: StreamSettings,
        telemetry: Telemetry | None,
        gateway: str,
    ) -> None:
        self.directory = directory
        self.authority = authority
        self.booth = booth
        self.index = index
        self.settings = settings
        self.telemetry = telemetry
        self.lobby = Lobby(settings.max_waiting, settings.waiting_per_address)
        self.slots = Slots(directory, gateway, authority.clock)
        self.hub = Hub(directory, settings)
        self.hub.on_failure = self.interrupt
        self.indicators = IndicatorFeeds(self.hub)
        self.feeds = FeedWatch(directory)
        self.resumes = asyncio.Semaphore(settings.resumes_at_once)
        self.sessions: set[Session] = set()
        self.draining = False
        self._nobody_left = asyncio.Event()
        self._nobody_left.set()
        self._forming = FormingBars(self.hub)
        self._ticker: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._idle_since = time.monotonic()

    async def open(self, principal: Principal, codec: Codec) -> Session:
        """Raises OverLimit, Unavailable."""
        if self.draining:
            raise Unavailable("this gateway is draining: connect again")
        if len(self.sessions) >= self.settings.max_sockets:
            raise OverLimit(f"this gateway has {len(self.sessions)} sockets, the limit")
        name = secrets.token_urlsafe(12)
        await self.slots.take(name, principal)
        if self.draining:  # begun meanwhile: the drain does not know of this session
            await self.slots.give_back(name, CLOSE_DRAINING, "draining")
            raise Unavailable("this gateway is draining: connect again")
        session = Session(self, Outbox(codec, self.settings), name, principal)
        self.sessions.add(session)
        self._nobody_left.clear()
        self._start_ticker()
        return session

    def check_figures(self, user: str, more: Iterable[Key]) -> None:
        """Raises OverLimit where a user would follow too many different indicators here."""
        limit = self.settings.indicators_per_user
        mine = [session.subscriptions.lanes for session in self.sessions if session.principal.user == user]
        followed = {key for lanes in mine for key in lanes if key.channel == "indicators"}
        wanted = followed | set(more)
        if len(wanted) > max(limit, len(followed)):
            raise OverLimit(
                f"a user may follow {limit} different indicators; with these it were {len(wanted)}"
            )

    async def close(self, session: Session, code: int, reason: str) -> None:
        """Forget a session and give its slot back."""
        session.end()
        self.sessions.discard(session)
        if not self.sessions:
            self._nobody_left.set()
        await self.slots.give_back(session.name, code, reason)

    async def drain(self) -> None:
        """Close every socket with 4503, wait until they are gone, and stop."""
        self.draining = True
        for session in list(self.sessions):
            session.close(CLOSE_DRAINING, "this gateway is draining: connect again")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.close_s):
                await self._nobody_left.wait()
        await self.hub.stop()
        await self.slots.stop()
        tasks = [task for task in (self._ticker, self._asking) if task is not None]
        self._ticker = self._asking = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def interrupt(self) -> None:
        """Something that all sockets need has failed."""
        for session in list(self.sessions):
            session.close(CLOSE_DRAINING, "the stream was interrupted: connect again")

    def _start_ticker(self) -> None:
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick_forever(), name="stream-ticker")
            self._ticker.add_done_callback(self._ticker_ended)

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_s)
            now_ns, now_s = self.authority.clock.now_ns(), time.monotonic()
            for session in list(self.sessions):
                session.tick(now_ns, now_s)
            # Questions to the actors may take seconds; expiry and slowness do not wait for them.
            if self._asking is None or self._asking.done():
                self._check(self._asking)
                self._asking = asyncio.get_running_loop().create_task(self._ask(now_s))
            await self._rest_when_idle(now_s)
            self._measure()

    async def _ask(self, now_s: float) -> None:
        await self._forming.tell()
        self.indicators.sweep()
        await self.indicators.tell_forming(now_s, self._forming.traded)
        if any(session.subscriptions.feeds for session in self.sessions):
            await self.feeds.look(now_s, self._tell_feed)

    def _check(self, done: asyncio.Task[None] | None) -> None:
        if done is not None and not done.cancelled() and done.exception() is not None:
            log.error("forming_or_feeds_failed", error=repr(done.exception()))

    def _ticker_ended(self, task: asyncio.Task[None]) -> None:
        """Without timers no token would expire: everybody connects again."""
        if task.cancelled():
            return
        log.error("ticker_failed", error=repr(task.exception()))
        self._ticker = None
        self.interrupt()

    def _tell_feed(self, status: FeedStatus) -> None:
        for session in self.sessions:
            if session.subscriptions.feeds:
                session.tell_feed(status)

    async def _rest_when_idle(self, now_s: float) -> None:
        if any(session.subscriptions.lanes or session.subscriptions.patterns for session in self.sessions):
            self._idle_since = now_s
        elif self.hub.running and now_s - self._idle_since > self.settings.idle_stop_s:
            await self.hub.stop()

    def _measure(self) -> None:
        if self.telemetry is None:
            return
        self.telemetry.gauge("financehub.gateway.sockets", len(self.sessions))
        subscriptions = sum(len(session.subscriptions) for session in self.sessions)
        self.telemetry.gauge("financehub.gateway.subscriptions", subscriptions)
