"""The Directory over Ray actors: what a gateway replica asks.

Shards by partition (`Routes`), readers in turn, the supervisor for feeds and figures, the
ConnectionManager for slots. A call that meets a moved or restarting owner looks again for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import convert

from actors import spawn
from actors.answers import BarRow, BookAnswer, FeedStatus, LastAnswer, Page, PollReply, StateAnswer
from actors.bars_query import base_of
from actors.connections import SessionInfo
from actors.routes import Routes
from actors.runtime import CONNECTIONS, SUPERVISOR, Runtime
from actors.spawn import Remote
from domain.envelope import Cursor, Recorded
from domain.errors import NotOwner, Unavailable
from domain.ids import market_partition, market_partitions
from domain.market.observations import InstrumentInfo

Answer = TypeVar("Answer")

SEARCH_S = 4.0
"""How long a call looks for the owner of a partition that moves or restarts."""
SEARCH_EVERY_S = 0.05
INSTRUMENTS_AGE_S = 1.0
FEEDS_AGE_S = 0.5
POLL_GRACE_S = 5.0
PAST_S = 60.0
"""Rebuilding an old state may take many blocks."""


class _Outstanding:
    """The one poll that is out at a shard: asked for `after`."""

    def __init__(self, after: dict[str, int], task: asyncio.Task[PollReply]) -> None:
        self.after = after
        self.task = task


class RayDirectory:
    """`Directory` of one process. `status` is what the starter knows: database, Ray, addresses."""

    def __init__(self, runtime: Runtime, status: Mapping[str, object]) -> None:
        self._runtime = runtime
        self._status = status
        self._routes = Routes(runtime)
        self._partitions = [str(partition) for partition in market_partitions(runtime.partition_count)]
        self._actors: dict[str, Remote] = {}
        self._turn = 0
        self._polls: dict[str, _Outstanding] = {}
        self._infos: dict[str, InstrumentInfo] = {}
        self._infos_asked_s = -INSTRUMENTS_AGE_S
        self._feeds: tuple[float, list[FeedStatus]] = (-FEEDS_AGE_S, [])

    def partition_of(self, instrument: str) -> str:
        return market_partition(instrument, self._runtime.partition_count)

    def partitions(self) -> Sequence[str]:
        return list(self._partitions)

    async def instruments(self) -> Sequence[InstrumentInfo]:
        """Of a shard that restarts just now: what it said before."""
        if time.monotonic() - self._infos_asked_s > INSTRUMENTS_AGE_S:
            try:
                found = await self._all_instruments()
            except (NotOwner, Unavailable):
                found = [] if self._infos else await self._searching(self._all_instruments)
            self._infos.update((info.instrument, info) for info in found)
            self._infos_asked_s = time.monotonic()
        return [self._infos[name] for name in sorted(self._infos)]

    async def last(self, instrument: str, *, after: Cursor | None = None) -> LastAnswer:
        answer: LastAnswer = await self._shard_call(instrument, "last", instrument, after=after)
        return answer

    async def book(self, instrument: str, depth: int, *, after: Cursor | None = None) -> BookAnswer:
        answer: BookAnswer = await self._shard_call(instrument, "book", instrument, depth, after=after)
        return answer

    async def state(
        self, instrument: str, *, at: int | Cursor | None = None, after: Cursor | None = None
    ) -> StateAnswer:
        if at is None or after is not None:
            now: StateAnswer = await self._shard_call(instrument, "state", instrument, after=after)
            if at is None:
                return now
        then: StateAnswer = await self._reader_call("state_at", instrument, at, timeout_s=PAST_S)
        return then

    async def bars(
        self,
        instrument: str,
        interval: str,
        start: int,
        end: int,
        limit: int,
        *,
        at: int | Cursor | None = None,
    ) -> tuple[Sequence[BarRow], Cursor]:
        answer: tuple[Sequence[BarRow], Cursor]
        window = (instrument, interval, start, end, limit)
        if at is not None:
            answer = await self._reader_call("bars_at", *window, at, timeout_s=PAST_S)
        else:
            tail, place = await self._shard_call(instrument, "bars", instrument, base_of(interval))
            answer = await self._reader_call("bars", *window, tail=tail, place=place)
        return answer

    async def events(
        self, instrument: str, kinds: Sequence[str], after: int, until: int | None, limit: int
    ) -> Sequence[Recorded]:
        found: list[Recorded] = []
        while len(found) < limit:
            scan = await self._reader_call(
                "events", instrument, list(kinds), after, until, limit - len(found)
            )
            found.extend(scan.events)
            after = scan.scanned_to
            if scan.done:
                break
        return found

    async def events_between(
        self,
        instrument: str,
        kinds: Sequence[str],
        start: int,
        end: int,
        limit: int,
        page: str | None = None,
    ) -> Page:
        """Events with start <= ts_event < end in log order, a page at a time; see `Reader`."""
        found: Page = await self._reader_call(
            "events_between", instrument, list(kinds), start, end, limit, page
        )
        return found

    async def heads(self) -> Cursor:
        read: Cursor = await self._reader_call("heads")
        return Cursor(dict.fromkeys(self._partitions, 0)).merged(read.offsets)

    async def cursor_at(self, recorded_ns: int) -> Cursor:
        cursor: Cursor = await self._reader_call("cursor_at", recorded_ns)
        return cursor

    async def read_log(
        self, partition: str, after: int, *, until: int | None = None, limit: int = 5000
    ) -> Sequence[Recorded]:
        found: list[Recorded] = await self._reader_call(
            "read_log", partition, after, until=until, limit=limit
        )
        return found

    async def poll(self, after: Mapping[str, int], *, wait_s: float) -> PollReply:
        """One poll stays out at each shard; the first that brings something is the reply."""
        await self._known_owners()
        wanted: dict[str, dict[str, int]] = {}
        for partition, offset in after.items():
            wanted.setdefault(self._owner_name(partition), {})[partition] = offset
        waiting = {self._outstanding(name, asked, wait_s): name for name, asked in wanted.items()}
        done, _ = await asyncio.wait(
            waiting, timeout=wait_s + POLL_GRACE_S, return_when=asyncio.FIRST_COMPLETED
        )
        reply = PollReply(events={}, behind={}, epochs={})
        failure: Exception | None = None
        for task in done:
            self._polls.pop(waiting[task], None)
            try:
                _merge(reply, task.result())
            except (NotOwner, Unavailable) as error:
                failure = error
        if failure is not None and not reply.events and not reply.behind:
            self._routes.names.clear()
            raise Unavailable(str(failure))
        return reply

    async def feeds(self) -> Sequence[FeedStatus]:
        asked_s, feeds = self._feeds
        if time.monotonic() - asked_s > FEEDS_AGE_S:
            system = await self._supervisor_call("system")
            feeds = [convert(feed, FeedStatus) for feed in system["feeds"]]
            self._feeds = (time.monotonic(), feeds)
        return feeds

    async def open_session(self, session: str, user: str, role: str, expires_at: int, gateway: str) -> None:
        await self._actor_call(CONNECTIONS, "open_session", session, user, role, expires_at, gateway)

    async def subscribed(self, session: str, channel: str, instruments: Sequence[str]) -> None:
        await self._actor_call(CONNECTIONS, "subscribed", session, channel, list(instruments))

    async def close_session(self, session: str, code: int, reason: str) -> None:
        await self._actor_call(CONNECTIONS, "close_session", session, code, reason)

    async def register_gateway(self, gateway: str, sessions: Sequence[SessionInfo]) -> int:
        """All sessions of this gateway; returns its lease in ms. See `ConnectionManager.register`."""
        lease_ms: int = await self._actor_call(CONNECTIONS, "register", gateway, list(sessions))
        return lease_ms

    async def system(self) -> Mapping[str, object]:
        return {**self._status, **await self._supervisor_call("system")}

    async def samples(self) -> list[tuple[str, Any]]:
        """Metric samples of all actors as (process, sample)."""
        found: list[tuple[str, Any]] = await self._supervisor_call("samples")
        return found

    async def _all_instruments(self) -> list[InstrumentInfo]:
        await self._known_owners()
        names = sorted(set(self._routes.names.values()))
        answers = await asyncio.gather(*(self._instruments_of(name) for name in names))
        return [info for answer in answers for info in answer]

    async def _instruments_of(self, name: str) -> list[InstrumentInfo]:
        shard = await self._routes.shard(name)
        infos: list[InstrumentInfo] = await shard.remote.call("instruments")
        return infos

    async def _shard_call(self, instrument: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """The owner's answer; while the partition moves or its owner restarts, the next one's."""
        partition = self.partition_of(instrument)

        async def ask() -> Any:
            await self._known_owners()
            shard = await self._routes.shard(self._owner_name(partition))
            return await shard.remote.call(method, *args, **kwargs)

        return await self._searching(ask)

    async def _searching(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        deadline = time.monotonic() + SEARCH_S
        while True:
            try:
                return await ask()
            except (NotOwner, Unavailable) as error:
                self._routes.names.clear()
                if time.monotonic() >= deadline:
                    raise Unavailable(str(error)) from None
            await asyncio.sleep(SEARCH_EVERY_S)

    async def _known_owners(self) -> None:
        if len(self._routes.names) < len(self._partitions):
            await self._routes.refresh()

    def _owner_name(self, partition: str) -> str:
        name = self._routes.names.get(partition)
        if name is None:
            raise Unavailable(f"nobody owns {partition!r} now")
        return name

    def _outstanding(self, name: str, after: dict[str, int], wait_s: float) -> asyncio.Task[PollReply]:
        out = self._polls.get(name)
        if out is None or out.after != after:
            if out is not None:
                out.task.cancel()
            out = _Outstanding(after, asyncio.create_task(self._poll_shard(name, after, wait_s)))
            self._polls[name] = out
        return out.task

    async def _poll_shard(self, name: str, after: dict[str, int], wait_s: float) -> PollReply:
        shard = await self._routes.shard(name)
        reply: PollReply = await shard.remote.call("poll", after, wait_s, timeout_s=wait_s + POLL_GRACE_S)
        return reply

    async def _reader_call(self, method: str, *args: Any, timeout_s: float = 20.0, **kwargs: Any) -> Any:
        """Readers in turn; a dead one costs a second try at the next."""

        async def ask() -> Any:
            self._turn += 1
            names = self._runtime.reader_names()
            return await self._actor_call(
                names[self._turn % len(names)], method, *args, timeout_s=timeout_s, **kwargs
            )

        return await self._searching(ask)

    async def _supervisor_call(self, method: str) -> Any:
        return await self._actor_call(SUPERVISOR, method)

    async def _actor_call(self, name: str, method: str, *args: Any, **kwargs: Any) -> Any:
        if name not in self._actors:
            self._actors[name] = await asyncio.to_thread(spawn.find, name)
        try:
            return await self._actors[name].call(method, *args, **kwargs)
        except Unavailable:
            self._actors.pop(name, None)
            raise


def _merge(reply: PollReply, other: PollReply) -> None:
    reply.events.update(other.events)
    reply.behind.update(other.behind)
    reply.epochs.update(other.epochs)
