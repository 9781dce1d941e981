"""One authenticated socket: its operations, its timers, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from deployments.auth.principal import Principal
from deployments.ws import protocol
from deployments.ws.book_sync import sync_book
from deployments.ws.channels import DEFAULT_INTERVAL, KINDS, STREAMED_INTERVALS, Key
from deployments.ws.frames import feed_frame
from deployments.ws.lane import Lane
from deployments.ws.outbox import Outbox
from deployments.ws.protocol import (
    Auth,
    ClientFrame,
    CursorAt,
    Expiring,
    Failure,
    Ping,
    Pong,
    Refresh,
    Refused,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
    code_of,
)
from deployments.ws.resume import Resume
from deployments.ws.subscriptions import PatternSubscription, Subscriptions, split
from domain.clock import NS_PER_S
from domain.envelope import Cursor, parse_cursor
from domain.errors import (
    Ambiguous,
    FinanceHubError,
    Forbidden,
    Malformed,
    NotFound,
    OverLimit,
    Rejected,
    Unauthenticated,
)
from observability.log import get_log

if TYPE_CHECKING:
    from actors.answers import FeedStatus
    from deployments.ws.service import StreamService

log = get_log("session")


class Unsupported(Rejected):
    """A channel or interval that this version does not stream; `code` is the error frame's."""

    def __init__(self, message: str, code: str = "unsupported_channel") -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


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
        self._tasks: set[asyncio.Task[None]] = set()
        self._depths: dict[Key, int] = {}
        self._warned = False
        self._cursor_at = 0.0
        self._cursor_frames = 0
        outbox.on_resync = self.await_book

    def welcome(self, frame_id: protocol.Id = None) -> None:
        settings = self.service.settings
        limits = {
            "message_bytes": settings.max_message_bytes,
            "messages_per_s": int(settings.messages_per_s),
            "subscriptions": settings.max_subscriptions,
            "outbox_frames": settings.outbox_frames,
            "outbox_bytes": settings.outbox_bytes,
        }
        expires = self.outbox.codec.time(self.principal.expires_at)
        self._answer(Welcome(self.name, expires, limits, frame_id))

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
        self._answer(Failure(frame_id, code, message))

    async def _perform(self, frame: ClientFrame) -> None:
        match frame:
            case Subscribe():
                await self.subscribe(frame)
            case Unsubscribe():
                self._unsubscribe(frame)
            case Ping():
                self._answer(Pong(frame.id))
            case Refresh() | Auth():
                self._refresh(frame)
            case _:
                assert_never(frame)

    async def subscribe(self, op: Subscribe) -> Subscribed | None:
        """The answer given; None for feed states. Raises FinanceHubError; then nothing has changed."""
        variant = _variant(op)
        cursor = None if op.cursor is None else parse_cursor(op.cursor)
        depth = _depth(op.depth, self.service.settings.book_depth)
        await self.service.hub.start()
        if op.channel == "status" and not op.instruments:
            self._follow_feeds(op)
            return None
        names, patterns = split(op.instruments)
        if not names and not patterns:
            raise Malformed("instruments is empty: name ids, aliases or patterns such as *.SIM")
        self._check_room(len(names) + len(patterns))
        ids, refused = await self._resolve(names)
        if cursor is not None:
            await self._check_reached(cursor)
        known = [info.instrument for info in await self.service.index.all()] if patterns else []
        await self._audit(op.channel, [*ids, *patterns])
        return self._begin(op, variant, ids, patterns, tuple(refused), cursor, depth, known)

    def _begin(
        self,
        op: Subscribe,
        variant: str,
        ids: Sequence[str],
        patterns: Sequence[str],
        refused: tuple[Refused, ...],
        cursor: Cursor | None,
        depth: int,
        known: Sequence[str],
    ) -> Subscribed:
        """Answer and attach. Never awaits: what the answer's cursor says is where the frames begin."""
        hub, subscriptions = self.service.hub, self.subscriptions
        at = hub.cursor() if cursor is None else op.cursor or ""
        answer = Subscribed(
            op.id,
            op.channel,
            (*ids, *patterns),
            refused,
            at,
            **({"interval": variant} if variant else {}),
        )
        taken = [subscriptions.add_pattern(op.channel, variant, text) for text in patterns]
        lanes = [self._new_lane(Key(op.channel, name, variant), depth) for name in ids]
        self._answer(answer)
        if cursor is not None:
            self._resume(cursor, lanes, taken, known)
            return answer
        for lane in lanes:
            self._go_live(lane)
        for found in taken:
            self._pattern_live(found, known, depth)
        return answer

    def _new_lane(self, key: Key, depth: int) -> Lane:
        lane = self.subscriptions.new_lane(key, self.service.directory.partition_of(key.instrument))
        self.subscriptions.explicit.add(key)
        self._depths[key] = depth
        return lane

    def _go_live(self, lane: Lane) -> None:
        if lane.key.channel == "book":
            self.await_book(lane)
        self.service.hub.attach(lane)

    def _pattern_live(self, found: PatternSubscription, known: Sequence[str], depth: int) -> None:
        hub = self.service.hub
        if found.channel == "book":
            for name in (name for name in known if found.fits(name)):
                key = Key(found.channel, name, found.variant)
                if key not in self.subscriptions.lanes:
                    self._depths[key] = depth
                    self._go_live(found.new_lane(key, self.service.directory.partition_of(name)))
        for partition, position in hub.position.items():
            found.live[partition] = position
            hub.pattern_live(found, partition)

    def _resume(
        self,
        cursor: Cursor,
        lanes: Sequence[Lane],
        patterns: Sequence[PatternSubscription],
        known: Sequence[str],
    ) -> None:
        """One reader per partition concerned; patterns concern all."""
        by_partition: dict[str, list[Lane]] = {}
        if patterns:
            by_partition = {partition: [] for partition in self.service.hub.position}
        for lane in lanes:
            lane.cut = True  # not known until a snapshot comes by: never merge until then
            by_partition.setdefault(lane.partition, []).append(lane)
        for partition, here in by_partition.items():
            resume = Resume(self.service.hub, self.subscriptions, self.outbox, partition, here, patterns)
            # Noted at once, so that no cursor runs ahead before the reader has its first turn.
            self.subscriptions.reading[resume] = (partition, cursor.at(partition))
            self._spawn(self._read_log(resume, partition, cursor.at(partition), known, here))

    async def _read_log(
        self, resume: Resume, partition: str, after: int, known: Sequence[str], lanes: Sequence[Lane]
    ) -> None:
        try:
            await resume.run(after, known, self.service.resumes)
        except FinanceHubError as error:
            self.fail(None, code_of(error), f"resume of {partition} after {after} ended: {error}")
            for lane in lanes:
                self.subscriptions.explicit.discard(lane.key)
                if self.subscriptions.lanes.get(lane.key) is lane:
                    self.subscriptions.drop(lane.key)

    def await_book(self, lane: Lane) -> None:
        """Keep the lane's deltas until its snapshot has come. Also the way back after a gap."""
        position = self.service.hub.position.get(lane.partition, 0)
        lane.await_snapshot(max(position, lane.min_snapshot if lane.waiting else 0))
        depth = self._depths.get(lane.key, self.service.settings.book_depth)
        self._spawn(self._sync_book(lane, depth))

    async def _sync_book(self, lane: Lane, depth: int) -> None:
        try:
            await sync_book(self.service.directory, lane, depth)
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
        named = [known(name) for name in op.instruments]
        removed = self.subscriptions.remove(op.channel, named, op.interval)
        self._answer(Unsubscribed(op.id, op.channel, tuple(removed)))

    def _refresh(self, op: Refresh | Auth) -> None:
        principal = self.service.authority.verify(op.token)
        if principal.user != self.principal.user:
            raise Forbidden("the new token is another user's")
        self.principal = principal
        self._warned = False
        self.welcome(op.id)

    def _follow_feeds(self, op: Subscribe) -> None:
        self.subscriptions.feeds = True
        self._answer(Subscribed(op.id, op.channel, (), (), self.service.hub.cursor()))
        for status in self.service.feeds.known.values():
            self.tell_feed(status)

    def tell_feed(self, status: FeedStatus) -> None:
        self.outbox.control(feed_frame(status, self.outbox.codec))

    async def _resolve(self, names: Sequence[str]) -> tuple[list[str], list[Refused]]:
        ids: dict[str, None] = {}
        refused = []
        for name in names:
            try:
                ids[await self.service.index.resolve(name)] = None
            except (NotFound, Malformed, Ambiguous) as error:
                candidates = error.candidates if isinstance(error, Ambiguous) else ()
                refused.append(Refused(name[:80], code_of(error), str(error), candidates))
        return list(ids), refused

    def _check_room(self, more: int) -> None:
        limit = self.service.settings.max_subscriptions
        if len(self.subscriptions) + more > limit:
            raise OverLimit(f"a socket may have {limit} subscriptions and has {len(self.subscriptions)}")

    async def _check_reached(self, cursor: Cursor) -> None:
        heads = await self.service.directory.heads()
        for partition, offset in cursor.offsets.items():
            if offset > heads.at(partition):
                raise Malformed("the cursor points beyond the end of the log: is it another instance's?")

    async def _audit(self, channel: str, instruments: Sequence[str]) -> None:
        directory = self.service.directory
        try:
            await directory.subscribed(self.name, channel, instruments)
        except NotFound:
            # The ConnectionManager has restarted and does not know us yet: take the slot again.
            who = self.principal
            await directory.open_session(self.name, who.user, who.role, who.expires_at, self.service.gateway)
            await directory.subscribed(self.name, channel, instruments)

    def tick(self, now_ns: int, now_s: float) -> None:
        """Timers: expiry, slowness, gaps that nobody else would tell, the cursor after the last frame."""
        settings = self.service.settings
        left_s = (self.principal.expires_at - now_ns) / NS_PER_S
        if left_s <= 0:
            self.fail(None, "unauthenticated", "the token has expired")
            self.close(protocol.CLOSE_UNAUTHENTICATED, "the token has expired")
        elif left_s <= settings.expiring_before_s and not self._warned:
            self._warned = True
            self._answer(Expiring(self.outbox.codec.time(self.principal.expires_at)))
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

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("session_task_failed", session=self.name, error=repr(task.exception()))
            self.close(protocol.CLOSE_DRAINING, "internal error: connect again")

    def _answer(self, frame: object) -> None:
        self.outbox.control(self.outbox.codec.encode(frame))


def _variant(op: Subscribe) -> str:
    """Raises Unsupported."""
    if op.channel not in KINDS:
        raise Unsupported(f"channel {op.channel[:40]!r} is none of {', '.join(KINDS)}")
    if op.channel != "bars":
        return ""
    interval = op.interval or DEFAULT_INTERVAL
    if interval not in STREAMED_INTERVALS:
        raise Unsupported(
            f"bars of {interval[:20]!r} are not streamed; use {', '.join(STREAMED_INTERVALS)}, or HTTP",
            "unsupported_interval",
        )
    return interval


def _depth(asked: int | None, ceiling: int) -> int:
    if asked is None:
        return ceiling
    if not 1 <= asked <= ceiling:
        raise Malformed(f"depth is from 1 to {ceiling}, not {asked}")
    return asked


def credential_error(error: FinanceHubError) -> tuple[int, str]:
    """Close code for a handshake that fails."""
    if isinstance(error, Unauthenticated):
        return protocol.CLOSE_UNAUTHENTICATED, str(error)
    if isinstance(error, Forbidden):
        return protocol.CLOSE_FORBIDDEN, str(error)
    if isinstance(error, OverLimit):
        return protocol.CLOSE_OVER_LIMIT, str(error)
    return protocol.CLOSE_DRAINING, str(error)
