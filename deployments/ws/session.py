"""One authenticated socket: its operations, its timers, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from deployments.auth.principal import Principal
from deployments.ws import protocol
from deployments.ws.book_sync import sync_book
from deployments.ws.channels import KINDS, SHARED, Key
from deployments.ws.frames import feed_frame
from deployments.ws.lane import Lane
from deployments.ws.outbox import Outbox
from deployments.ws.pace import Pace
from deployments.ws.protocol import (
    Auth,
    ClientFrame,
    CursorAt,
    Expiring,
    Failure,
    Ping,
    Pong,
    Refresh,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
    code_of,
)
from deployments.ws.subscribing import Subscriber, Unsupported, variant_asked
from deployments.ws.subscriptions import Subscriptions
from domain.clock import NS_PER_S
from domain.envelope import Cursor
from domain.errors import (
    FinanceHubError,
    Forbidden,
)
from observability.log import get_log

if TYPE_CHECKING:
    from actors.answers import FeedStatus
    from deployments.ws.service import StreamService

log = get_log("session")


class SessionSubscriptions(Subscriptions):
    """Instruments that join a pattern of the book channel need their snapshot."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.service.hub, session.outbox)
        self._session = session

    def joined(self, lane: Lane) -> None:
        if lane.key.channel == "book" and lane.chain.last is None:
            self._session.await_book(lane)


class Session:
    """Lives from `welcome` to the close frame. `closed` resolves once to (code, reason)."""

    def __init__(self, service: StreamService, outbox: Outbox, name: str, principal: Principal) -> None:
        self.service = service
        self.outbox = outbox
        self.name = name
        self.principal = principal
        self.closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.subscriptions = SessionSubscriptions(self)
        self.subscriber = Subscriber(self)
        self.pace = Pace(outbox, service.resumes, principal.user)
        self._tasks: set[asyncio.Task[None]] = set()
        self._books = asyncio.Semaphore(service.settings.books_at_once)
        self.depths: dict[Key, int] = {}
        """Levels a side asked for, by chain of the book channel."""
        self._warned = False
        self._cursor_at = 0.0
        self._cursor_frames = 0
        outbox.on_resync = self.await_book
        outbox.on_orders = self.subscriber.read_on

    def welcome(self, frame_id: protocol.Id = None) -> None:
        settings = self.service.settings
        limits = {
            "message_bytes": settings.max_message_bytes,
            "messages_per_s": int(settings.messages_per_s),
            "message_burst": settings.message_burst,
            "subscriptions": settings.max_subscriptions,
            "patterns": settings.patterns_per_user,
            "outbox_frames": settings.outbox_frames,
            "outbox_bytes": settings.outbox_bytes,
        }
        expires = self.outbox.codec.time(self.principal.expires_at)
        self.answer(Welcome(self.name, expires, limits, frame_id))

    def close(self, code: int, reason: str) -> None:
        """The first reason counts."""
        if not self.closed.done():
            self.closed.set_result((code, reason))

    def end(self) -> None:
        """Nothing reaches the outbox after this."""
        self.subscriptions.clear()
        for task in self._tasks:
            task.cancel()

    async def perform(self, frame: ClientFrame) -> None:
        """Carry out one client frame; what is wrong with it is answered, never raised."""
        try:
            await self._perform(frame)
        except Unsupported as error:
            self.fail(frame.id, error.code, str(error))
        except FinanceHubError as error:
            self.fail(frame.id, code_of(error), str(error))

    def fail(self, frame_id: protocol.Id, code: str, message: str) -> None:
        self.answer(Failure(frame_id, code, message))

    async def _perform(self, frame: ClientFrame) -> None:
        match frame:
            case Subscribe():
                await self.subscriber.subscribe(frame)
            case Unsubscribe():
                self._unsubscribe(frame)
            case Ping():
                self.answer(Pong(frame.id))
            case Refresh() | Auth():
                self._refresh(frame)
            case _:
                assert_never(frame)

    def await_book(self, lane: Lane) -> None:
        """Keep the lane's deltas until its snapshot has come. Also the way back after a gap."""
        position = self.service.hub.position.get(lane.partition, 0)
        lane.await_snapshot(max(position, lane.min_snapshot if lane.waiting else 0))
        depth = self.depths.get(lane.key, self.service.settings.book_depth)
        self.spawn(self._sync_book(lane, depth))

    async def _sync_book(self, lane: Lane, depth: int) -> None:
        try:
            async with self._books:
                await self.outbox.room()
                await sync_book(self.service.hub, lane, depth)
        except FinanceHubError as error:
            self.fail(None, code_of(error), f"no book of {lane.key.instrument}: {error}")
            self.subscriptions.explicit.discard(lane.key)
            self.subscriptions.drop(lane.key)

    def _unsubscribe(self, op: Unsubscribe) -> None:
        if op.channel not in KINDS:
            raise Unsupported(f"channel {op.channel!r} is none of {', '.join(KINDS)}")
        if op.channel == "status" and not op.instruments:
            self.subscriptions.feeds = False
        known = self.service.index.known
        named = [known(name, shared=op.channel in SHARED) for name in op.instruments]
        variant = op.interval
        if op.channel == "indicators":
            variant = None if op.spec is None else variant_asked(op)
        removed = self.subscriptions.remove(op.channel, named, variant)
        self.answer(Unsubscribed(op.id, op.channel, tuple(removed)))

    def _refresh(self, op: Refresh | Auth) -> None:
        principal = self.service.authority.verify(op.token)
        if principal.user != self.principal.user:
            raise Forbidden("the new token is another user's")
        principal.require("read")
        self.principal = principal
        self._warned = False
        self.welcome(op.id)

    def follow_feeds(self, op: Subscribe) -> None:
        self.subscriptions.feeds = True
        self.answer(Subscribed(op.id, op.channel, (), (), self.service.hub.cursor()))
        for status in self.service.feeds.known.values():
            self.tell_feed(status)

    def tell_feed(self, status: FeedStatus) -> None:
        self.outbox.control(feed_frame(status, self.outbox.codec))

    def tick(self, now_ns: int, now_s: float) -> None:
        """Timers: expiry, slowness, gaps that nobody else would tell, the cursor after the last frame."""
        settings = self.service.settings
        left_s = (self.principal.expires_at - now_ns) / NS_PER_S
        if left_s <= 0:
            self.fail(None, "unauthenticated", "the token has expired")
            self.close(protocol.CLOSE_UNAUTHENTICATED, "the token has expired")
        elif left_s <= settings.expiring_before_s and not self._warned:
            self._warned = True
            self.answer(Expiring(self.outbox.codec.time(self.principal.expires_at)))
        if self.outbox.slow_for_s() > settings.slow_close_s:
            self.close(protocol.CLOSE_TOO_SLOW, "this client takes too little for too long")
        self.outbox.end_gaps()
        if self._cursor_due(now_s):
            self.outbox.wake.set()

    def cursor_frame(self, now_s: float) -> bytes | None:
        """The cursor, when it is due: called by the writer right after it has taken frames."""
        if not self._cursor_due(now_s):
            return None
        self._cursor_at = now_s
        self._cursor_frames = self.outbox.frames_sent
        return self.outbox.codec.encode(CursorAt(self._reached()))

    def _cursor_due(self, now_s: float) -> bool:
        if not len(self.subscriptions):
            return False  # a place that nothing was sent up to: who came to resume would lose its own
        flowing = self.outbox.frames_sent != self._cursor_frames
        return flowing and now_s - self._cursor_at >= self.service.settings.cursor_every_s

    def _reached(self) -> str:
        """Up to where everything was sent, as far back as any part of this socket still is."""
        hub = self.service.hub
        waiting: Mapping[str, int] = self.outbox.first_waiting()
        reading = self.subscriptions.reading.values()
        if not waiting and not reading:
            return hub.cursor()
        reached = dict(hub.position)
        for partition, first in waiting.items():
            reached[partition] = min(reached.get(partition, first - 1), first - 1)
        for partition, offset in reading:
            reached[partition] = min(reached.get(partition, offset), offset)
        return Cursor(reached).encode()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("session_task_failed", session=self.name, error=repr(task.exception()))
            self.close(protocol.CLOSE_DRAINING, "internal error: connect again")

    def answer(self, frame: object) -> None:
        self.outbox.control(self.outbox.codec.encode(frame))
