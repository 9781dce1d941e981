"""Everything that the sockets of one gateway process share."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable

from actors.answers import FeedStatus
from actors.directory import Directory
from actors.kept_task import KeptTask, TaskHealth
from deployments.auth.principal import Principal
from deployments.auth.tickets import TicketBooth
from deployments.auth.tokens import Authority
from deployments.fair_turns import FairTurns
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
from deployments.ws.rate import Rate
from deployments.ws.session import Session
from deployments.ws.settings import StreamSettings
from deployments.ws.slots import Slots
from domain.errors import OverLimit, Unavailable
from observability.metrics import Telemetry


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
        self.slots = Slots(directory, gateway, authority.clock, self._give_up)
        self.hub = Hub(directory, settings)
        self.hub.on_failure = self.interrupt
        self.indicators = IndicatorFeeds(self.hub)
        self.feeds = FeedWatch(directory)
        self.resumes = FairTurns("the log", settings.resumes)
        self.rate = Rate(settings.messages_per_s, settings.message_burst)
        self.sessions: set[Session] = set()
        self.draining = False
        self._nobody_left = asyncio.Event()
        self._nobody_left.set()
        self._forming = FormingBars(self.hub)
        self._ticker = KeptTask(
            "stream timers", self._tick, pause_s=settings.tick_s, failed=lambda _error: self.interrupt()
        )
        self._asked = TaskHealth("forming bars and feeds")
        self._asking: asyncio.Task[None] | None = None
        self._idle_since = time.monotonic()

    async def open(self, principal: Principal, codec: Codec) -> Session:
        """Raises OverLimit, Unauthenticated for a used ticket, Unavailable."""
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
        self._ticker.start()
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

    def check_patterns(self, user: str, more: int) -> None:
        """Raises OverLimit where a user would follow too many patterns here."""
        if not more:
            return
        limit = self.settings.patterns_per_user
        followed = sum(
            len(session.subscriptions.patterns) for session in self.sessions if session.principal.user == user
        )
        if followed + more > limit:
            raise OverLimit(f"a user may follow {limit} patterns; with these it were {followed + more}")

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
        self._close_all("this gateway is draining: connect again")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.close_s):
                await self._nobody_left.wait()
        await self.hub.stop()
        await self.slots.stop()
        await self._ticker.stop()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def interrupt(self) -> None:
        """Something that all sockets need has failed."""
        self._close_all("the stream was interrupted: connect again")

    def _give_up(self) -> None:
        """Nobody heard of this gateway for longer than its lease: others may have its slots."""
        self._close_all("this gateway was out of reach: connect again")

    def _close_all(self, reason: str) -> None:
        for session in list(self.sessions):
            session.close(CLOSE_DRAINING, reason)

    def healths(self) -> list[TaskHealth]:
        """Of what goes on in this gateway by itself, once there has been a session."""
        kept = [task.health for task in (self._ticker, self.slots.keeping) if task.running]
        return [self.hub.health, self._asked, *kept]

    async def _tick(self) -> None:
        """A failure interrupts everybody: without timers no token would expire."""
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
        if done is None or done.cancelled():
            return
        if (error := done.exception()) is not None:
            self._asked.failed(error)
        else:
            self._asked.succeeded()

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
        for health in self.healths():
            health.measure(self.telemetry)
        self.telemetry.gauge("financehub.gateway.sockets", len(self.sessions))
        subscriptions = sum(len(session.subscriptions) for session in self.sessions)
        self.telemetry.gauge("financehub.gateway.subscriptions", subscriptions)
