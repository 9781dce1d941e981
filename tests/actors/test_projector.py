"""The projector applies every event exactly once: alone, doubled, interrupted, and from the start again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from actors.projector import Projector, ProjectorSettings
from domain.access_events import SessionOpened
from domain.clock import ManualClock
from domain.envelope import Recorded
from domain.errors import Corrupt, NotFound, Rejected, Unavailable
from storage.memory import Fault, MemoryCheckpoints, MemoryLog
from storage.writer import LogWriter, Part
from tests.actors.written_log import WrittenLog
from tests.builders import T0, a_trade, at

pytestmark = pytest.mark.anyio

SMALL = ProjectorSettings(
    poll_ms=1, blocks_a_step=2, steps_a_turn=2, backoff_base_s=0.001, backoff_cap_s=0.002
)


class Tally:
    """A projection that would double rows if an event were applied twice: it only counts."""

    kinds = frozenset({"trade", "quote", SessionOpened.kind})

    def __init__(self, name: str = "tally") -> None:
        self.name = name
        self.seen: Counter[tuple[str, int]] = Counter()
        self.order: list[tuple[str, int]] = []
        self.die_once = False

    async def apply(self, connection: None, partition: str, recorded: Sequence[Recorded]) -> None:
        if self.die_once:
            self.die_once = False
            raise RuntimeError("killed while writing")
        self.seen.update((partition, entry.offset) for entry in recorded)
        self.order += [(partition, entry.offset) for entry in recorded]
        await asyncio.sleep(0)

    async def clear(self, connection: None) -> None:
        self.seen.clear()
        self.order.clear()


class Unforgettable(Tally):
    """Does not say how its rows are dropped."""

    clear = None  # type: ignore[assignment]


async def _log(blocks: int = 20) -> WrittenLog:
    written = WrittenLog()
    for number in range(blocks):
        await written.write(a_trade(ts=at(number / 100), trade_id=number))
    return written


def _projector(
    log: MemoryLog, *projections: Tally, checkpoints: MemoryCheckpoints | None = None
) -> Projector[None]:
    return Projector(log, checkpoints or MemoryCheckpoints(), projections, SMALL)


def _each_once(tally: Tally, events: int) -> bool:
    return len(tally.seen) == events and set(tally.seen.values()) <= {1}


async def test_every_event_of_every_family_is_applied_once_and_in_order():
    written = await _log(7)
    writer = LogWriter(written.log, "w#1", ManualClock(T0))
    for partition in ("access/00", "provider/sim"):
        await writer.claim(partition)
        await writer.append([Part(partition, (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    tally = Tally()
    await _projector(written.log, tally).catch_up()
    assert _each_once(tally, 9)
    assert [entry for entry in tally.order if entry[0] == "market/00"] == [
        ("market/00", n) for n in range(1, 8)
    ]


async def test_it_goes_on_where_the_last_one_stopped():
    written = await _log(5)
    tally, checkpoints = Tally(), MemoryCheckpoints()
    await _projector(written.log, tally, checkpoints=checkpoints).catch_up()
    await written.write(a_trade(ts=at(1), trade_id="more"))
    await _projector(written.log, tally, checkpoints=checkpoints).catch_up()
    assert _each_once(tally, 6)


async def test_two_projectors_at_once_never_double_a_row():
    written = await _log(60)
    tally, checkpoints = Tally(), _RacingCheckpoints()
    both = [_projector(written.log, tally, checkpoints=checkpoints) for _ in range(2)]
    await asyncio.gather(*(projector.catch_up() for projector in both))
    assert _each_once(tally, 60)
    assert sum(projector.conflicts for projector in both) > 0, "they never met: the test shows nothing"
    assert sum(projector.applied for projector in both) == 60


class _RacingCheckpoints(MemoryCheckpoints):
    """A database is elsewhere: between looking and moving, others get their turn."""

    async def load(self, projection, partition):
        await asyncio.sleep(0)
        seen = await super().load(projection, partition)
        await asyncio.sleep(0)
        return seen

    async def advance(self, seen, offset, output):
        await asyncio.sleep(0)
        if await MemoryCheckpoints.load(self, seen.projection, seen.partition) != seen:
            return await super().advance(seen, offset, output)
        moved = self._kept[(seen.projection, seen.partition)] = type(seen)(
            seen.projection, seen.partition, offset, seen.version + 1
        )
        await output(None)
        return moved


async def test_one_that_dies_while_writing_has_applied_nothing_and_its_successor_does():
    written = await _log(6)
    tally, checkpoints = Tally(), MemoryCheckpoints()
    tally.die_once = True
    with pytest.raises(RuntimeError):
        await _projector(written.log, tally, checkpoints=checkpoints).catch_up()
    assert tally.order == []
    await _projector(written.log, tally, checkpoints=checkpoints).catch_up()
    assert _each_once(tally, 6)


async def test_run_follows_the_log_and_a_nudge_wakes_it_at_once():
    written = await _log(3)
    tally = Tally()
    slow = ProjectorSettings(poll_ms=60_000)
    projector = Projector(written.log, MemoryCheckpoints(), [tally], slow)
    running = asyncio.create_task(projector.run())
    await _until(lambda: len(tally.order) == 3)
    await written.write(a_trade(ts=at(1), trade_id="x"))
    projector.nudge()
    await _until(lambda: len(tally.order) == 4)
    running.cancel()


async def test_run_polls_without_a_nudge():
    written = await _log(1)
    tally = Tally()
    running = asyncio.create_task(_projector(written.log, tally).run())
    await _until(lambda: len(tally.order) == 1)
    await written.write(a_trade(ts=at(1), trade_id="x"))
    await _until(lambda: len(tally.order) == 2)
    running.cancel()


async def test_an_unreachable_log_is_waited_for():
    faults = iter([Fault.REFUSED] * 3)
    written = await _log(4)
    written.log._faults = lambda operation, _: next(faults, None)
    tally = Tally()
    projector = _projector(written.log, tally)
    running = asyncio.create_task(projector.run())
    await _until(lambda: len(tally.order) == 4)
    running.cancel()
    assert projector.task.health.failures == 3 and not projector.task.health.failing


async def test_lag_is_what_a_projection_has_still_to_apply():
    written = await _log(10)
    fast, slow, checkpoints = Tally("fast"), Tally("slow"), MemoryCheckpoints()
    await _projector(written.log, fast, checkpoints=checkpoints).catch_up()
    both = _projector(written.log, fast, slow, checkpoints=checkpoints)
    assert await both.lags() == [("fast", 0), ("slow", 10)]
    await both.catch_up()
    assert await both.lags() == [("fast", 0), ("slow", 0)]


async def test_a_long_backlog_of_one_partition_leaves_the_others_their_turn():
    written = await _log(40)
    writer = LogWriter(written.log, "w#1", ManualClock(T0))
    await writer.claim("provider/sim")
    await writer.append([Part("provider/sim", (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    tally = Tally()
    await _projector(written.log, tally).step()
    assert ("provider/sim", 1) in tally.seen
    assert len(tally.seen) < 41


async def test_rebuild_drops_the_rows_and_makes_them_again_from_the_log():
    written = await _log(9)
    tally = Tally()
    projector = _projector(written.log, tally)
    await projector.catch_up()
    tally.seen[("market/00", 999)] = 1  # a row that the log does not know
    await projector.rebuild("tally")
    assert _each_once(tally, 9)


async def test_rebuild_of_one_leaves_the_other_alone():
    written = await _log(4)
    one, other = Tally("one"), Tally("other")
    projector = _projector(written.log, one, other)
    await projector.catch_up()
    await projector.rebuild("one")
    assert _each_once(one, 4) and _each_once(other, 4)
    assert other.order == [("market/00", n) for n in range(1, 5)]


class _Mortal(MemoryCheckpoints):
    """Its database is gone after so many more moves."""

    moves_left = 1_000

    async def advance(self, seen, offset, output):
        if not self.moves_left:
            raise Unavailable("no database")
        self.moves_left -= 1
        return await super().advance(seen, offset, output)


@pytest.mark.parametrize("moves", range(4))
async def test_a_rebuild_that_is_cut_short_is_ended_by_the_next_projector(moves: int):
    written = await _log(4)
    writer = LogWriter(written.log, "w#1", ManualClock(T0))
    for partition in ("access/00", "provider/sim"):
        await writer.claim(partition)
        await writer.append([Part(partition, (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    tally, checkpoints = Tally(), _Mortal()
    projector = _projector(written.log, tally, checkpoints=checkpoints)
    await projector.catch_up()
    checkpoints.moves_left = moves
    with pytest.raises(Unavailable):
        await projector.rebuild("tally")
    checkpoints.moves_left = 1_000
    await _projector(written.log, tally, checkpoints=checkpoints).catch_up()
    assert _each_once(tally, 6)


async def test_rebuild_of_an_unknown_projection_is_not_found():
    with pytest.raises(NotFound):
        await _projector(MemoryLog(), Tally()).rebuild("nothing")


async def test_rebuild_of_a_projection_that_cannot_drop_its_rows_is_refused():
    with pytest.raises(Rejected):
        await _projector(MemoryLog(), Unforgettable()).rebuild("tally")


async def _until(reached) -> None:
    for _ in range(2_000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not reached within two seconds")


class Picky(Tally):
    """Cannot write what a partition holds."""

    def __init__(self, partition: str, error: Exception) -> None:
        super().__init__("picky")
        self.partition = partition
        self.error: Exception | None = error
        self.refused = 0

    async def apply(self, connection: None, partition: str, recorded: Sequence[Recorded]) -> None:
        if partition == self.partition and self.error is not None:
            self.refused += 1
            raise self.error
        await super().apply(connection, partition, recorded)


@pytest.mark.parametrize("error", [Corrupt("bits fell over"), Rejected("value out of int64 range")])
async def test_a_partition_that_cannot_be_projected_does_not_stop_the_others(error: Exception) -> None:
    written = await _log(3)
    writer = LogWriter(written.log, "w#1", ManualClock(T0))
    for partition in ("access/00", "provider/sim"):
        await writer.claim(partition)
        await writer.append([Part(partition, (), [SessionOpened("s", "u", "viewer", T0, "g", T0)])])
    tally, picky = Tally(), Picky("access/00", error)
    projector = _projector(written.log, picky, tally)
    for _ in range(3):
        await projector.catch_up()
    assert _each_once(tally, 5)
    assert _each_once(picky, 4)
    assert (picky.refused, projector.stuck) == (1, {("picky", "access/00"): str(error)})
    assert await projector.lags() == [("picky", 1), ("tally", 0)]
    picky.error = None
    await projector.rebuild("picky")
    assert _each_once(picky, 5)
    assert projector.stuck == {}
