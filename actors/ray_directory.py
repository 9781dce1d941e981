"""The Directory over Ray actors: what a gateway replica asks.

Shards by partition (`Routes`), readers in turn, the supervisor for feeds and figures, the
ConnectionManager for slots. A call that meets a moved or restarting owner looks again for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import convert

from actors.answers import FeedStatus, PollReply
from actors.connections import Named, SessionInfo
from actors.reached import ReachedActor
from actors.routed_directory import READ_S, RoutedDirectory, merge
from actors.routes import POLL_GRACE_S, Routes
from actors.runtime import CONNECTIONS, SUPERVISOR, Runtime
from domain.errors import NotOwner, Unavailable
from domain.market.observations import InstrumentInfo

Answer = TypeVar("Answer")
Poll = asyncio.Task[PollReply]

SEARCH_S = 4.0
"""How long a call looks for the owner of a partition that moves or restarts."""
SEARCH_EVERY_S = 0.05
DOUBT_AGAIN_S = 0.5
"""Between two looks at who owns what while a shard does not speak for all it was asked about."""
INSTRUMENTS_AGE_S = 1.0
FEEDS_AGE_S = 0.5


class _Outstanding:
    """The one poll that is out at a shard: asked for `after`."""

    def __init__(self, after: dict[str, int], task: asyncio.Task[PollReply]) -> None:
        self.after = after
        self.task = task


class RayDirectory(RoutedDirectory):
    """`Directory` of one process. `status` is what the starter knows: database, Ray, addresses."""

    def __init__(self, runtime: Runtime, status: Mapping[str, object]) -> None:
        super().__init__(runtime.partition_count)
        self._runtime = runtime
        self._status = status
        self._routes = Routes(runtime)
        self._actors: dict[str, ReachedActor] = {}
        self._turn = 0
        self._polls: dict[str, _Outstanding] = {}
        self._infos: dict[str, InstrumentInfo] = {}
        self._doubted_s = self._owners_asked_s = 0.0
        self._infos_asked_s = -INSTRUMENTS_AGE_S
        self._feeds: tuple[float, list[FeedStatus]] = (-FEEDS_AGE_S, [])

    async def instruments(self, *, fresh: bool = False) -> Sequence[InstrumentInfo]:
        """Of a shard that restarts just now: what it said before, but not where it is to be `fresh`."""
        if fresh or time.monotonic() - self._infos_asked_s > INSTRUMENTS_AGE_S:
            try:
                found = await self._all_instruments()
            except (NotOwner, Unavailable):
                known = self._infos and not fresh
                found = [] if known else await self._searching(self._all_instruments)
            self._infos.update((info.instrument, info) for info in found)
            self._infos_asked_s = time.monotonic()
        return [self._infos[name] for name in sorted(self._infos)]

    async def poll(self, after: Mapping[str, int], *, wait_s: float) -> PollReply:
        """One poll stays out at each shard; the first that answers is the reply. One that cannot be reached
        keeps nobody waiting for the others; Unavailable where none can."""
        await self._some_owners()
        wanted: dict[str, dict[str, int]] = {}
        for partition, offset in after.items():
            owner = self._routes.names.get(partition)
            if owner is not None:
                wanted.setdefault(owner, {})[partition] = offset
        if not wanted:
            raise Unavailable(f"nobody owns any of {', '.join(after)} now")
        waiting = {self._outstanding(name, asked, wait_s): name for name, asked in wanted.items()}
        reply = PollReply(events={}, behind={}, epochs={})
        failure: Exception | None = None
        misplaced = answered = False
        for task in await _first_answers(waiting, wait_s + POLL_GRACE_S):
            name = waiting[task]
            self._polls.pop(name, None)
            try:
                answer = task.result()
            except (NotOwner, Unavailable) as error:
                failure = error
            else:
                answered = True
                misplaced |= not wanted[name].keys() <= answer.epochs.keys()
                merge(reply, answer)
        if failure is not None and not answered:
            self._routes.names.clear()
            raise Unavailable(str(failure))
        if failure is not None or misplaced:
            self._doubt_routes()
        return reply

    def _doubt_routes(self) -> None:
        """A shard no longer speaks for all it was asked about, while others bring events: look who does.

        Not at every poll: until a move is done, nobody may.
        """
        if time.monotonic() - self._doubted_s > DOUBT_AGAIN_S:
            self._doubted_s = time.monotonic()
            self._routes.names.clear()

    async def feeds(self) -> Sequence[FeedStatus]:
        asked_s, feeds = self._feeds
        if time.monotonic() - asked_s > FEEDS_AGE_S:
            system = await self._supervisor_call("system")
            feeds = [convert(feed, FeedStatus) for feed in system["feeds"]]
            self._feeds = (time.monotonic(), feeds)
        return feeds

    async def sell_ticket(self, ticket: str, user: str) -> None:
        await self._actor_call(CONNECTIONS, "sell_ticket", ticket, user)

    async def open_session(
        self, session: str, user: str, role: str, expires_at: int, gateway: str, ticket: str | None = None
    ) -> None:
        await self._actor_call(CONNECTIONS, "open_session", session, user, role, expires_at, gateway, ticket)

    async def subscribed(self, session: str, named: Named) -> None:
        await self._actor_call(CONNECTIONS, "subscribed", session, named)

    async def close_session(self, session: str, code: int, reason: str) -> None:
        await self._actor_call(CONNECTIONS, "close_session", session, code, reason)

    async def register_gateway(
        self, gateway: str, sessions: Sequence[SessionInfo], opening: Sequence[str] = ()
    ) -> int:
        """All sessions of this gateway; returns its lease in ms. See `ConnectionManager.register`."""
        held = gateway, list(sessions), list(opening)
        lease_ms: int = await self._actor_call(CONNECTIONS, "admit_gateway", *held)
        return lease_ms

    async def renew_gateway(self, gateway: str) -> int:
        lease_ms: int = await self._actor_call(CONNECTIONS, "renew", gateway)
        return lease_ms

    async def leave_gateway(self, gateway: str) -> None:
        await self._actor_call(CONNECTIONS, "leave", gateway)

    async def system(self) -> Mapping[str, object]:
        return {**self._status, **await self._supervisor_call("system")}

    async def samples(self) -> list[tuple[str, Any]]:
        """Metric samples of all actors as (process, sample)."""
        found: list[tuple[str, Any]] = await self._supervisor_call("samples")
        return found

    async def _all_instruments(self) -> list[InstrumentInfo]:
        await self._known_owners()
        names = sorted(set(self._routes.names.values()))
        if not names:
            raise Unavailable("nobody owns any partition now, so nobody can say what there is")
        answers = await asyncio.gather(*(self._instruments_of(name) for name in names))
        return [info for answer in answers for info in answer]

    async def _instruments_of(self, name: str) -> list[InstrumentInfo]:
        shard = await self._routes.shard(name)
        infos: list[InstrumentInfo] = await shard.call("instruments")
        return infos

    async def _ask_owner(self, instrument: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """The owner's answer; while the partition moves or its owner restarts, the next one's."""
        partition = self.partition_of(instrument)

        async def ask() -> Any:
            await self._known_owners()
            shard = await self._routes.shard(self._owner_name(partition))
            return await shard.call(method, *args, **kwargs)

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

    async def _some_owners(self) -> None:
        """Partitions without an owner, while they move, keep nobody waiting for the others."""
        known = len(self._routes.names)
        if known == len(self._partitions) or (
            known and time.monotonic() - self._owners_asked_s < DOUBT_AGAIN_S
        ):
            return
        self._owners_asked_s = time.monotonic()
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
        return await shard.poll(after, wait_s)

    async def _ask_reader(self, method: str, *args: Any, timeout_s: float = READ_S, **kwargs: Any) -> Any:
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
            self._actors[name] = ReachedActor(name)
        return await self._actors[name].call(method, *args, **kwargs)


async def _first_answers(waiting: Iterable[Poll], timeout_s: float) -> set[Poll]:
    """The tasks that have ended once one of them has an answer, all have failed, or the time is over."""
    ended: set[Poll] = set()
    pending = set(waiting)
    until_s = time.monotonic() + timeout_s
    while pending and all(task.cancelled() or task.exception() is not None for task in ended):
        done, pending = await asyncio.wait(
            pending, timeout=max(0.0, until_s - time.monotonic()), return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        ended |= done
    return ended
