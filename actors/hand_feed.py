"""A feed without a provider: observations handed in by the caller, durable when the call returns.

For tests, simulations and imports. Like any feed it has an incarnation (the epoch of its claim) and
sequences per partition; unlike one it keeps no buffer, since its caller waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from actors.answers import FeedStatus
from actors.intake import Ack
from actors.outgoing import MAX_BATCH_SPAN_NS
from actors.sender import ShardHandle
from domain.envelope import Batch
from domain.errors import Conflict, Unavailable
from domain.ids import market_partition
from domain.market.observations import Observation
from storage.codec import encode_batch
from storage.event_log import EventLog

TRIES = 100
RETRY_S = 0.02
AGAIN = frozenset(("busy", "unavailable", "not_owner"))


class HandFeed:
    """One provider's incarnation. Calls run one after the other."""

    def __init__(
        self, provider: str, incarnation: int, partition_count: int, routes: Mapping[str, ShardHandle]
    ) -> None:
        self.provider = provider
        self.incarnation = incarnation
        self._partition_count = partition_count
        self._routes = routes
        self._sequences: dict[str, int] = {}
        self._instruments: set[str] = set()
        self._clock = 0
        self._observed = 0
        self._turn = asyncio.Lock()

    @classmethod
    async def started(
        cls, provider: str, log: EventLog, partition_count: int, routes: Mapping[str, ShardHandle]
    ) -> HandFeed:
        """A new incarnation: older ones of the provider are refused from now on."""
        head = await log.claim(f"provider/{provider}", "hand feed")
        return cls(provider, head.epoch, partition_count, routes)

    async def observe(self, observations: Sequence[Observation], clock: int | None = None) -> None:
        """Hand observations over in this order; returns once they are durable.

        `clock`: the feed's time for all of them, ns UTC; else it follows their `ts_recv`. It never goes
        back. Raises Unavailable where no shard takes them, Conflict where a newer incarnation is there.
        """
        async with self._turn:
            for group in _moments(observations) if clock is None else [observations]:
                newest = max((observation.ts_recv for observation in group), default=0)
                self._clock = max(self._clock, newest if clock is None else clock)
                await self._hand_over(group)

    async def beat(self, clock: int) -> None:
        """Move the feed's clock without an observation: timers that are due run."""
        async with self._turn:
            self._clock = max(self._clock, clock)
            for partition, sequence in self._sequences.items():
                await self._send(partition, self._batch(sequence, ()))

    async def _hand_over(self, observations: Sequence[Observation]) -> None:
        by_partition: dict[str, list[Observation]] = {}
        for observation in observations:
            self._instruments.add(observation.instrument)
            name = market_partition(observation.instrument, self._partition_count)
            by_partition.setdefault(name, []).append(observation)
        for partition, events in by_partition.items():
            sequence = self._sequences.get(partition, 0) + 1
            await self._send(partition, self._batch(sequence, events))
            self._sequences[partition] = sequence
        self._observed += len(observations)

    def status(self) -> FeedStatus:
        return FeedStatus(
            provider=self.provider,
            state="connected",
            instruments=len(self._instruments),
            last_frame=self._clock or None,
            gaps=0,
            incarnation=self.incarnation,
            connections=0,
            frames=self._observed,
            rejected=0,
            buffered=0,
        )

    def _batch(self, sequence: int, events: Sequence[Observation]) -> Batch:
        return Batch(self.provider, self.incarnation, sequence, self._clock, tuple(events))

    async def _send(self, partition: str, batch: Batch) -> None:
        encoded = encode_batch(batch)
        for _ in range(TRIES):
            shard = self._routes.get(partition)
            if shard is not None:
                (ack,) = await shard.observe([(partition, encoded)])
                if _passed(ack):
                    return
                if ack.refusal not in AGAIN:
                    raise Conflict(
                        f"{partition!r} refused batch {batch.sequence} of {self.provider!r}: {ack.refusal}"
                    )
            await asyncio.sleep(RETRY_S)
        raise Unavailable(f"{partition!r} took no batch of {self.provider!r} in {TRIES} tries")


def _moments(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """Runs of observations that were received within the span of one batch."""
    group: list[Observation] = []
    for observation in observations:
        if group and observation.ts_recv - group[0].ts_recv > MAX_BATCH_SPAN_NS:
            yield group
            group = []
        group.append(observation)
    yield group


def _passed(ack: Ack) -> bool:
    """`held` had nothing new to make durable."""
    return ack.durable or ack.refusal == "held"
