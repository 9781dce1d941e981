"""A session's GET requests: in order of their time, within a budget of weight, never too many at once.

The queue tries each request once: what follows a failure is the session's affair. An answer that says
Retry-After holds back everything, since the venue counts per address and answers haste with a ban.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Mapping

from msgspec import Struct

from actors.feeds.base import HttpRequest
from actors.feeds.rest_calls import held_until
from actors.transport import Response, Transport
from domain.clock import NS_PER_S

HELD_STATUSES = frozenset({418, 429, 503})
POLL_S = 0.1
"""The session's clock may be moved by hand, so a wait for it is cut into pieces."""


class RequestSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`weight_per_min`: a last bound, Binance spot's; sessions keep their own venue's budget."""

    weight_per_min: int = 6000
    concurrent: int = 4
    max_waiting: int = 512
    default_hold_s: float = 5.0


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
        self._waiting: list[tuple[int, int, HttpRequest]] = []
        self._order = 0
        self._held_until_ns = 0
        self._spent: deque[tuple[float, int]] = deque()
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(self._settings.concurrent)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: HttpRequest) -> None:
        """Queue a request; past the bound it is answered with status 0 at once."""
        if len(self._waiting) >= self._settings.max_waiting:
            full = Response(0, {}, b"", f"{len(self._waiting)} requests wait already")
            asyncio.get_running_loop().call_soon(self._answered, request, full)
            return
        self._order += 1
        heapq.heappush(self._waiting, (request.not_before, self._order, request))
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
        _, _, request = heapq.heappop(self._waiting)
        self._spent.append((asyncio.get_running_loop().time(), request.weight))
        return request

    def _delay_s(self) -> float | None:
        """Seconds until the first request may go; None while there is none."""
        if not self._waiting:
            return None
        not_before, _, request = self._waiting[0]
        due_s = (max(not_before, self._held_until_ns) - self._now_ns()) / NS_PER_S
        return max(due_s, self._budget_delay_s(request.weight))

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
            self._hold(response.headers)
        self._answered(request, response)

    def _hold(self, headers: Mapping[str, str]) -> None:
        until = held_until(headers, self._now_ns(), self._settings.default_hold_s)
        self._held_until_ns = max(self._held_until_ns, until)
