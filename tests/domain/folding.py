"""One partition fed by one feed: numbers the batches, keeps what was recorded, replays it."""

from __future__ import annotations

from typing import TypeVar

from domain.envelope import Admitted, MarketEvent
from domain.keeper import SymbolKeeper
from domain.market.observations import Observation
from domain.partition import MarketPartition, PartitionSettings
from tests.builders import INSTRUMENT, PROVIDER, a_batch

E = TypeVar("E")


class Folding:
    def __init__(self, settings: PartitionSettings | None = None) -> None:
        self.settings = settings
        self.partition = MarketPartition("market/00", settings)
        self.log: list[tuple[Admitted, list[MarketEvent]]] = []

    def fold(self, *events: Observation, clock: int, incarnation: int = 1) -> list[MarketEvent]:
        """The next batch; with no events a heartbeat. Returns what came of it."""
        last_incarnation, last = self.partition.last_sequence(PROVIDER)
        sequence = last if incarnation == last_incarnation else 0
        batch = a_batch(
            *events, sequence=sequence + (1 if events else 0), clock=clock, incarnation=incarnation
        )
        admitted, recorded = self.partition.observe(batch)
        if admitted is not None:
            self.log.append((admitted, recorded))
        return recorded

    def beat(self, clock: int) -> list[MarketEvent]:
        return self.fold(clock=clock)

    @property
    def keeper(self) -> SymbolKeeper:
        keeper = self.partition.keeper(INSTRUMENT)
        assert keeper is not None
        return keeper

    def recorded(self, kind: type[E]) -> list[E]:
        """All events of a kind so far, in log order."""
        return [event for _, events in self.log for event in events if isinstance(event, kind)]

    def replayed(self) -> MarketPartition:
        partition = MarketPartition("market/00", self.settings)
        for admitted, events in self.log:
            partition.apply(admitted, events)
        return partition


def only(events: list[MarketEvent], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]
