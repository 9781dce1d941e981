"""What every SnapshotStore does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from storage.event_log import Snapshot
from storage.ladder import HOUR_NS, NEWEST_KEPT
from tests.builders import T0
from tests.contracts.conftest import Backend

pytestmark = pytest.mark.anyio


def a_snapshot(partition: str, offset: int, *, recorded_ns: int = T0, state: bytes = b"state") -> Snapshot:
    return Snapshot(partition, offset, bytes(range(32)), 3, recorded_ns, state)


async def test_the_newest_snapshot_at_or_below_an_offset_is_found(backend: Backend, partition: str) -> None:
    saved = [a_snapshot(partition, offset, state=b"x" * offset) for offset in (10, 30, 20)]
    for snapshot in saved:
        await backend.snapshots.save(snapshot)
    assert await backend.snapshots.latest(partition) == saved[1]
    assert await backend.snapshots.latest(partition, at_most=29) == saved[2]
    assert await backend.snapshots.latest(partition, at_most=9) is None


async def test_saving_an_offset_again_replaces_it(backend: Backend, partition: str) -> None:
    first = a_snapshot(partition, 10)
    second = replace(first, fold_version=4, state=b"another" * 1000)
    await backend.snapshots.save(first)
    await backend.snapshots.save(second)
    assert await backend.snapshots.latest(partition) == second
    assert len(await backend.snapshots.ladder(partition)) == 1


async def test_the_ladder_is_thinned_and_listed_without_states(backend: Backend, partition: str) -> None:
    for number in range(30):
        await backend.snapshots.save(
            a_snapshot(partition, 100 + number, recorded_ns=T0 + number * HOUR_NS // 3)
        )
    ladder = await backend.snapshots.ladder(partition)
    newest_of_each_hour = [102, 105, 108, 111, 114, 117, 120, 123, 126, 129]
    newest = range(130 - NEWEST_KEPT, 130)
    assert [rung.offset for rung in ladder] == sorted({*newest_of_each_hour, *newest})
    assert {rung.state for rung in ladder} == {b""}


async def test_what_an_upgraded_build_puts_down_on_its_way_stays_beside_the_ladder_of_the_build_before(
    backend: Backend, partition: str
) -> None:
    for number in range(NEWEST_KEPT + 2):
        await backend.snapshots.save(a_snapshot(partition, 100 + number, recorded_ns=T0 + number * HOUR_NS))
    before = await backend.snapshots.ladder(partition)
    for number in range(3):
        late = replace(a_snapshot(partition, 20 + number, recorded_ns=T0 + number), fold_version=4)
        await backend.snapshots.save(late)
    ladder = await backend.snapshots.ladder(partition)
    assert [rung.offset for rung in ladder if rung.fold_version == 4] == [20, 21, 22]
    assert [rung for rung in ladder if rung.fold_version == 3] == before


async def test_partitions_do_not_see_each_other(backend: Backend, partition: str) -> None:
    await backend.snapshots.save(a_snapshot(partition, 10))
    assert await backend.snapshots.latest(partition + "-b") is None
    assert await backend.snapshots.ladder(partition + "-b") == []


async def test_a_damaged_state_is_empty_and_no_reason_to_stop(stored: Backend, partition: str) -> None:
    for offset in (10, 20):
        await stored.snapshots.save(a_snapshot(partition, offset, state=b"state" * 100))
    assert stored.pool is not None
    await stored.pool.execute(
        "UPDATE snapshots SET state = overlay(state placing '\\x0000000000'::bytea from 1)"
        ' WHERE partition = $1 AND "offset" = 20',
        partition,
    )
    newest, older = [await stored.snapshots.latest(partition, at_most=offset) for offset in (20, 19)]
    assert newest == a_snapshot(partition, 20, state=b"")
    assert older == a_snapshot(partition, 10, state=b"state" * 100)
