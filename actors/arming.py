"""What a shard keeps up over its partitions: it arms and disarms until the fold is as the settings say.

    look (once a second) -> what is not as wanted -> read the bars before -> order, in one step of the loop

An order is an event of the partition and carries the bars that closed before it, so that a replay needs
nothing else. It is put together from the fold in the same step in which it is folded: no bar can close
in between. Nothing is remembered here: after a crash, a move or a lost append the next look compares the
fold with the settings again, and what is as wanted is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from actors.backoff import Backoff
from actors.kept_task import TaskHealth
from actors.seat import Seat
from actors.warm_up import BarReader, closed_rows, read_warm_up
from domain.clock import Clock
from domain.errors import FinanceHubError, Retryable, Unavailable
from domain.ids import market_partition
from domain.indicators.armed import SENDER, Arming, IndicatorDisarmed, by_interval
from observability.log import get_log

LOOK_S = 1.0
AGAIN_S, AGAIN_CAP_S = 5.0, 300.0
"""After a defect: reading bars at every look would cost the shard, and may fail for ever."""
SPECS_AN_ORDER = 4
"""Feeding one figure its warm-up holds the shard's loop up for some 20 ms."""

log = get_log("arming")


class Keep(Struct, frozen=True):
    """`[indicators] keep`: these specs over every watched instrument; `watched` None: over all there are."""

    specs: tuple[str, ...] = ()
    watched: frozenset[str] | None = None


class ArmingLoop:
    """Of one shard. `nudge` makes durable what a seat has folded, `lose` drops its fold."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        keep: Keep,
        reader: BarReader | None,
        clock: Clock,
        monotonic: Callable[[], float],
        partition_count: int,
        *,
        nudge: Callable[[Seat], None],
        lose: Callable[[Seat, FinanceHubError], None],
    ) -> None:
        self._seats = seats
        self._watched = keep.watched
        self._wanted = by_interval(keep.specs)
        self._reader = reader
        self._clock = clock
        self._monotonic = monotonic
        self._partition_count = partition_count
        self._nudge = nudge
        self._lose = lose
        self.health = TaskHealth("arming")
        self._backoff = Backoff(AGAIN_S, AGAIN_CAP_S, "arming")
        self._idle = reader is None
        self._here: dict[str, list[str]] = {}
        self._next_look_s = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def start_due(self) -> None:
        """Begin a look where one is due and none runs. Nothing to do where nothing is, or was, to be kept."""
        now_s = self._monotonic()
        if self._idle or now_s < self._next_look_s:
            return
        if self._looking is not None and not self._looking.done():
            return
        self._next_look_s = now_s + LOOK_S
        if self._wanted or any(seat.market.indicators.live for seat in self._seats.values()):
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            for seat in list(self._seats.values()):
                self._disarm(seat)
                for instrument, interval, specs in list(self._missing(seat)):
                    await self._try(seat, instrument, interval, specs)
        except Exception as error:  # noqa: BLE001 - a defect here must cost the figures, not the partitions
            self.health.failed(error)
            if not isinstance(error, Retryable):
                self._next_look_s = self._monotonic() + AGAIN_S + self._backoff.next_s()
        else:
            self.health.succeeded()
            self._backoff.reset()

    def _disarm(self, seat: Seat) -> None:
        kept, now = seat.market.indicators, self._clock.now_ns()
        orders = []
        for instrument in kept.instruments():
            wanted = self._wanted if self._watches(instrument) else {}
            for interval, specs in kept.armed(instrument).items():
                rest = tuple(sorted(set(specs) - set(wanted.get(interval, ()))))
                if rest:
                    orders.append(IndicatorDisarmed(SENDER, instrument, now, now, interval, rest))
        self._order(seat, orders)

    def _missing(self, seat: Seat) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """What is wanted and not armed of instruments that have bars to begin with."""
        for instrument in self._candidates(seat) if self._wanted else ():
            keeper = seat.market.keeper(instrument)
            armed = seat.market.indicators.armed(instrument)
            for interval, specs in self._wanted.items():
                rest = tuple(spec for spec in specs if spec not in set(armed.get(interval, ())))
                if rest and keeper is not None and closed_rows(keeper, interval):
                    yield instrument, interval, rest

    def _candidates(self, seat: Seat) -> Iterable[str]:
        if self._watched is None:
            return [info.instrument for info in seat.market.instruments()]
        if not self._here:
            for name in sorted(self._watched):
                self._here.setdefault(market_partition(name, self._partition_count), []).append(name)
        return self._here.get(seat.partition, ())

    def _watches(self, instrument: str) -> bool:
        return self._watched is None or instrument in self._watched

    async def _try(self, seat: Seat, instrument: str, interval: str, specs: tuple[str, ...]) -> None:
        """What cannot be armed must not keep the others from it. Raises Retryable."""
        try:
            await self._arm(seat, instrument, interval, specs)
        except Retryable:
            raise
        except FinanceHubError as error:
            log.warning("not armed", instrument=instrument, interval=interval, error=str(error))

    async def _arm(self, seat: Seat, instrument: str, interval: str, specs: tuple[str, ...]) -> None:
        """Where the bars read do not reach those in the fold any more, the next look tries again."""
        keeper = seat.market.keeper(instrument)
        if keeper is None or self._reader is None:
            return
        place = (seat.partition, seat.head.offset)
        warm_up = await read_warm_up(self._reader, keeper, place, interval, specs)
        for first in range(0, len(specs), SPECS_AN_ORDER):
            order = warm_up.order(specs[first : first + SPECS_AN_ORDER], self._clock.now_ns())
            self._order(seat, [] if order is None else [order])
            await asyncio.sleep(0)

    def _order(self, seat: Seat, orders: Sequence[Arming]) -> None:
        if not orders or seat.lost is not None or seat.closing:
            return
        try:
            seat.arm(orders, self._clock.now_ns())
        except Exception as error:
            self._lose(seat, Unavailable(f"arming indicators failed: {error!r}"))
            raise
        if seat.dirty:
            self._nudge(seat)
