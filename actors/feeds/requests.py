"""A session's GET requests: in order of their time, within a budget of weight, never too many at once.

The queue tries each request once: what follows a failure is the session's affair. An answer that says
Retry-After holds back its host, since venues count per address and answer haste with a ban. What has become
overdue meanwhile goes at a slow pace afterwards, because a burst would be the next offence.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec import Struct

from actors.feeds.base import HttpRequest
from actors.feeds.rest_calls import held_until
from actors.transport import Response, Transport
from domain.clock import NS_PER_S

HELD_STATUSES = frozenset({418, 429, 503})
POLL_S = 0.1
"""The session's clock may be moved by hand, so a wait for it is cut into pieces."""


class RequestSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`weight_per_min`: a last bound, Binance spot's; sessions keep their own venue's budget.

    `release_interval_s`: the least time between two requests to a host that was held, until none is overdue.
    Kraken, the slowest venue, takes one a second.
    """

    weight_per_min: int = 6000
    concurrent: int = 4
    max_waiting: int = 512
    default_hold_s: float = 5.0
    release_interval_s: float = 1.1


Waiting = tuple[int, int, HttpRequest]
"""(when it may go at the earliest, order of coming, request): the order in which they go."""


@dataclass(slots=True)
class Lane:
    """The requests of one host. Times in ns; `open_at`: none goes before; `late`: a hold has delayed some."""

    waiting: list[Waiting] = field(default_factory=list)
    open_at: int = 0
    late: bool = False

    def hold(self, until: int) -> None:
        self.open_at = max(self.open_at, until)
        self.late = True

    def due(self, now: int) -> int:
        """When the first request may go, not before `now`."""
        return max(self.waiting[0][0], self.open_at, now)

    def take(self, now: int, interval_ns: int) -> HttpRequest:
        """Takes out the first; while requests are late the next one waits for the interval."""
        ready, _, request = heapq.heappop(self.waiting)
        self.late = self.late and ready < self.open_at
        if self.late:
            self.open_at = now + interval_ns
        return request


class RequestQueue:
    """`add` requests, `run` as a task; `answered` is told of every one exactly once."""

    def __init__(
        self,
        transport: Transport,
        answered: Callable[[HttpRequest, Response], None],
        now_ns: Callable[[], int],
        gate: asyncio.Event,
        settings: RequestSettings | None = None,
    ) -> None:
        self._transport = transport
        self._answered = answered
        self._now_ns = now_ns
        self._gate = gate
        self._settings = settings or RequestSettings()
        self._lanes: dict[str, Lane] = {}
        self._order = 0
        self._spent: deque[tuple[float, int]] = deque()
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(self._settings.concurrent)

    def __len__(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def add(self, request: HttpRequest) -> None:
        """Queue a request; past the bound it is answered with status 0 at once."""
        if len(self) >= self._settings.max_waiting:
            full = Response(0, {}, b"", f"{len(self)} requests wait already")
            asyncio.get_running_loop().call_soon(self._answered, request, full)
            return
        self._order += 1
        ready = max(request.not_before, self._now_ns())
        heapq.heappush(self._lane(request).waiting, (ready, self._order, request))
        self._changed.set()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                await self._gate.wait()
                group.create_task(self._fetch(await self._next()))

    async def _next(self) -> HttpRequest:
        """Take out the first request, once its time has come and the budget allows it."""
        while (delay_s := self._delay_s()) is None or delay_s > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if delay_s is None else min(delay_s, POLL_S)):
                    await self._changed.wait()
            except TimeoutError:
                continue
        now = self._now_ns()
        request = self._first(now).take(now, int(self._settings.release_interval_s * NS_PER_S))
        self._spent.append((asyncio.get_running_loop().time(), request.weight))
        return request

    def _delay_s(self) -> float | None:
        """Seconds until the first request may go; None while there is none."""
        if not len(self):
            return None
        now = self._now_ns()
        lane = self._first(now)
        due_s = (lane.due(now) - now) / NS_PER_S
        return max(due_s, self._budget_delay_s(lane.waiting[0][2].weight))

    def _first(self, now: int) -> Lane:
        """The lane of the request that goes next; there is one."""
        lanes = [lane for lane in self._lanes.values() if lane.waiting]
        return min(lanes, key=lambda lane: (lane.due(now), *lane.waiting[0][:2]))

    def _lane(self, request: HttpRequest) -> Lane:
        return self._lanes.setdefault(host_of(request.url), Lane())

    def _budget_delay_s(self, weight: int) -> float:
        now_s = asyncio.get_running_loop().time()
        while self._spent and now_s - self._spent[0][0] >= 60.0:
            self._spent.popleft()
        spent = sum(each for _, each in self._spent)
        if not self._spent or spent + weight <= self._settings.weight_per_min:
            return 0.0
        return self._spent[0][0] + 60.0 - now_s

    async def _fetch(self, request: HttpRequest) -> None:
        try:
            response = await self._transport.get(request.url)
        finally:
            self._slots.release()
        if response.status in HELD_STATUSES:
            self._hold(request, response.headers)
        self._answered(request, response)

    def _hold(self, request: HttpRequest, headers: Mapping[str, str]) -> None:
        self._lane(request).hold(held_until(headers, self._now_ns(), self._settings.default_hold_s))


def host_of(url: str) -> str:
    """With its port; "" for what is no address, which fails when it is asked."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
