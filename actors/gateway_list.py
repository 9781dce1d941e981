"""Which gateways may hold sockets: their leases in memory, and the list of them in `access/gateways`.

    gateway ── report ──> lease, and the list is durable before the gateway has its first socket
            ── renew ──> lease
    silent past its lease ──> lost: durable first, then its slots are free; it must drop its sockets

A ConnectionManager that begins again in the same cluster reads the newest list. The gateways on it are
`awaited`: until each has reported, or has been given up, nobody can say which slots are free.

Leases are measured by a monotonic clock: wall time may be set, ahead or back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from domain.access_events import GatewaysListed
from domain.clock import Clock
from domain.errors import Conflict, Corrupt, NotFound
from storage.block import events_of
from storage.event_log import EventLog
from storage.writer import LogWriter, Part

PARTITION = "access/gateways"
MAX_LOST = 256
"""Lost gateways remembered, the newest: who has been gone for longer than so many others stays away."""
PAUSE_S = 5.0
"""Who has not run for so long cannot say that others were silent meanwhile."""


class GatewayList:
    """Owned by the ConnectionManager. `cluster` None: no gateway outlives this process, no list is kept."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        monotonic: Callable[[], float],
        *,
        owner: str,
        cluster: str | None,
        lease_s: float,
        report_s: float,
    ) -> None:
        self._log = log
        self._clock = clock
        self._monotonic = monotonic
        self._cluster = cluster
        self._lease_s = lease_s
        self._report_s = report_s
        self._writer = LogWriter(log, owner, clock)
        self._turn = asyncio.Lock()
        self._leases: dict[str, float] = {}
        self._awaited: set[str] = set()
        self._awaited_until_s = 0.0
        self._lost: dict[str, None] = {}
        self._kept: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._looked_s = monotonic()

    @property
    def awaited(self) -> set[str]:
        """Gateways that may hold sockets which nobody here knows yet."""
        return self._awaited

    async def load(self) -> None:
        """Read whom to wait for. Raises Unavailable."""
        if self._cluster is None:
            return
        head = await self._writer.claim(PARTITION)
        if not head.offset:
            return
        (block,) = await self._log.read(PARTITION, head.offset - 1, max_blocks=1)
        listed = events_of(block)[-1].event
        if not isinstance(listed, GatewaysListed):
            raise Corrupt(f"{PARTITION!r} ends with a {listed.kind}")
        if listed.cluster != self._cluster:
            return
        self._kept = listed.live, listed.lost
        self._awaited = set(listed.live)
        self._lost = dict.fromkeys(listed.lost)
        self._awaited_until_s = self._monotonic() + self._report_s

    def check(self, gateway: str) -> None:
        """Raises Conflict for a gateway that has lost its lease: it begins again under another name."""
        if gateway in self._lost:
            raise Conflict(f"{gateway!r} was silent for longer than its lease: its sockets are void")

    def report(self, gateway: str) -> None:
        """The gateway has said all it holds. Raises Conflict."""
        self.check(gateway)
        self._awaited.discard(gateway)
        self._leases[gateway] = self._monotonic() + self._lease_s

    def renew(self, gateway: str) -> None:
        """Raises NotFound where the gateway has not reported to this manager yet, Conflict."""
        self.check(gateway)
        if gateway not in self._leases:
            raise NotFound(f"{gateway!r} has not reported yet")
        self._leases[gateway] = self._monotonic() + self._lease_s

    def leave(self, gateway: str) -> None:
        """It ends in order and holds nothing any more."""
        self._leases.pop(gateway, None)
        self._awaited.discard(gateway)

    def knows(self, gateway: str) -> bool:
        return gateway in self._leases

    def overdue(self) -> set[str]:
        """Gateways whose time has run out; the time in which this process did not run is not counted."""
        now_s = self._monotonic()
        paused_s, self._looked_s = now_s - self._looked_s, now_s
        if paused_s > PAUSE_S:
            self._leases = {gateway: until + paused_s for gateway, until in self._leases.items()}
            self._awaited_until_s += paused_s
        silent = {gateway for gateway, until in self._leases.items() if until < now_s}
        return silent | self._awaited if now_s > self._awaited_until_s else silent

    def lose(self, gateways: set[str]) -> None:
        """Refuse them from now on."""
        for gateway in sorted(gateways - self._lost.keys()):
            self._lost[gateway] = None
        while len(self._lost) > MAX_LOST:
            del self._lost[next(iter(self._lost))]

    def give_up(self) -> list[str]:
        """Forget the leases of those that are lost; returns whose."""
        self._awaited -= self._lost.keys()
        lost = [gateway for gateway in self._leases if gateway in self._lost]
        for gateway in lost:
            del self._leases[gateway]
        return lost

    def doubt(self) -> None:
        """The next `keep` writes in any case: it fails where another manager has the list by now."""
        self._kept = None

    async def keep(self) -> None:
        """Returns once the log has a list as new as this moment's. Raises Retryable, NotOwner."""
        if self._cluster is None:
            return
        async with self._turn:
            live = (self._leases.keys() | self._awaited) - self._lost.keys()
            wanted = tuple(sorted(live)), tuple(self._lost)
            if wanted == self._kept:
                return
            if PARTITION not in self._writer.heads:  # an append failed
                await self._writer.reclaim(PARTITION)
            listed = GatewaysListed(self._clock.now_ns(), self._cluster, *wanted)
            await self._writer.append([Part(PARTITION, (), [listed])])
            self._kept = wanted
