"""What every EventLog does, whatever stands behind it."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from domain.envelope import Admitted
from domain.errors import Malformed, NotOwner
from storage.block import events_of, head_after, seal, verify_chain
from storage.event_log import GENESIS_HASH, Block, Head
from tests.builders import T0, a_trade
from tests.contracts.conftest import Backend

pytestmark = pytest.mark.anyio


def block_after(head: Head, count: int = 1, *, recorded_ns: int = T0, price: float = 100.0) -> Block:
    events = [a_trade(price, trade_id=head.offset + n + 1) for n in range(count)]
    return seal(head, [Admitted("sim", 1, 1, T0, count)], events, recorded_ns)


async def appended(backend: Backend, head: Head, counts: list[int], *, step_ns: int = 1000) -> list[Block]:
    blocks: list[Block] = []
    for number, count in enumerate(counts):
        block = block_after(head, count, recorded_ns=T0 + number * step_ns)
        await backend.log.append([block])
        blocks.append(block)
        head = head_after(block, head.owner)
    return blocks


async def test_a_claimed_partition_begins_at_offset_zero_and_epoch_one(
    backend: Backend, partition: str
) -> None:
    head = await backend.log.claim(partition, "me")
    assert head == Head(partition, 1, "me", 0, GENESIS_HASH, 0)


async def test_blocks_come_back_as_they_were_sealed_and_chained(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    blocks = await appended(backend, head, [1, 3, 100, 2])
    found = await backend.other_log.read(partition, 0)
    assert found == blocks
    assert verify_chain(found, 0, GENESIS_HASH) == (106, blocks[-1].hash)
    assert [entry.offset for block in found for entry in events_of(block)] == list(range(1, 107))


async def test_the_head_moves_with_each_append(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    blocks = await appended(backend, head, [2, 5])
    assert head_after(blocks[-1], "me") in await backend.other_log.heads("market")


async def test_heads_of_a_family_leave_out_other_families(backend: Backend, partition: str) -> None:
    await backend.log.claim(partition, "me")
    assert all(head.partition.startswith("provider/") for head in await backend.log.heads("provider"))
    assert partition in [head.partition for head in await backend.log.heads()]


async def test_a_second_claimer_fences_the_first(backend: Backend, partition: str) -> None:
    first = await backend.log.claim(partition, "first")
    second = await backend.other_log.claim(partition, "second")
    assert (second.epoch, second.owner) == (2, "second")
    with pytest.raises(NotOwner):
        await backend.log.append([block_after(first)])
    assert await backend.log.read(partition, 0) == []
    await backend.other_log.append([block_after(second)])
    assert len(await backend.log.read(partition, 0)) == 1


async def test_an_append_over_several_partitions_is_all_or_nothing(backend: Backend, partition: str) -> None:
    names = [f"{partition}-{n}" for n in range(3)]
    heads = [await backend.log.claim(name, "me") for name in names]
    await backend.other_log.claim(names[1], "other")
    with pytest.raises(NotOwner):
        await backend.log.append([block_after(head) for head in heads])
    assert [await backend.log.read(name, 0) for name in names] == [[], [], []]
    assert {head.offset for head in await backend.log.heads() if head.partition in names} == {0}


async def test_an_append_over_several_partitions_writes_each(backend: Backend, partition: str) -> None:
    heads = [await backend.log.claim(f"{partition}-{n}", "me") for n in (2, 0, 1)]
    blocks = [block_after(head, n + 1) for n, head in enumerate(heads)]
    await backend.log.append(blocks)
    for block in blocks:
        assert await backend.log.read(block.partition, 0) == [block]


async def test_an_append_needs_one_block_a_partition(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    for blocks in ([], [block_after(head), block_after(head)]):
        with pytest.raises(Malformed):
            await backend.log.append(blocks)


@pytest.mark.parametrize(
    "wrong",
    [{"first_offset": 3, "last_offset": 3}, {"prev_hash": bytes(range(32))}, {"epoch": 2}],
    ids=["a gap", "another past", "an epoch never claimed"],
)
async def test_a_block_that_does_not_follow_the_head_is_refused(
    backend: Backend, partition: str, wrong: dict[str, int | bytes]
) -> None:
    head = await backend.log.claim(partition, "me")
    await backend.log.append([first := block_after(head)])
    with pytest.raises(NotOwner):
        await backend.log.append([replace(block_after(head_after(first, "me")), **wrong)])
    assert await backend.log.read(partition, 0) == [first]


async def test_the_same_block_is_not_appended_twice(backend: Backend, partition: str) -> None:
    block = block_after(await backend.log.claim(partition, "me"))
    await backend.log.append([block])
    with pytest.raises(NotOwner):
        await backend.log.append([block])


async def test_only_one_of_many_racing_writers_appends(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    blocks = [block_after(head, price=100.0 + n) for n in range(8)]
    outcomes = await asyncio.gather(
        *(backend.log.append([block]) for block in blocks), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + 7 * ["NotOwner"]
    assert len(await backend.log.read(partition, 0)) == 1


async def test_claiming_again_needs_the_expected_epoch(backend: Backend, partition: str) -> None:
    with pytest.raises(NotOwner):
        await backend.log.claim(partition, "me", expected_epoch=0)
    head = await backend.log.claim(partition, "me")
    again = await backend.log.claim(partition, "me", expected_epoch=head.epoch)
    assert again.epoch == 2
    with pytest.raises(NotOwner):
        await backend.log.claim(partition, "me", expected_epoch=head.epoch)


async def test_reading_is_bounded_by_offsets_and_blocks(backend: Backend, partition: str) -> None:
    await appended(backend, await backend.log.claim(partition, "me"), [3, 3, 3, 3])

    async def firsts(after: int, until: int | None = None, max_blocks: int = 64) -> list[int]:
        found = await backend.log.read(partition, after, until=until, max_blocks=max_blocks)
        return [block.first_offset for block in found]

    assert await firsts(0) == [1, 4, 7, 10]
    assert await firsts(4) == [4, 7, 10]
    assert await firsts(6) == [7, 10]
    assert await firsts(2, until=7) == [1, 4, 7]
    assert await firsts(3, until=6) == [4]
    assert await firsts(0, max_blocks=2) == [1, 4]
    assert await firsts(12) == await firsts(99) == []


async def test_a_time_resolves_to_the_last_offset_recorded_by_then(backend: Backend, partition: str) -> None:
    await appended(backend, await backend.log.claim(partition, "me"), [2, 3, 4], step_ns=1000)
    found = [await backend.log.offset_at(partition, T0 + delay) for delay in (-1, 0, 999, 1000, 2001)]
    assert found == [0, 2, 2, 5, 9]


async def test_an_unclaimed_partition_is_empty(backend: Backend, partition: str) -> None:
    assert await backend.log.read(partition, 0) == []
    assert await backend.log.offset_at(partition, T0) == 0
    ghost = Head(partition, 1, "me", 0, GENESIS_HASH)
    with pytest.raises(NotOwner):
        await backend.log.append([block_after(ghost)])


async def test_a_log_of_several_days_reads_alike_from_any_offset(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    hours = 3600 * 10**9
    blocks = await appended(backend, head, [2, 1, 3, 1, 2, 1, 4], step_ns=17 * hours)
    end = blocks[-1].last_offset
    for after in range(end):
        offset, found = after, []
        while offset < end:
            page = await backend.other_log.read(partition, offset, max_blocks=2)
            assert page
            found += page
            offset = page[-1].last_offset
        assert found == [block for block in blocks if block.last_offset > after]
    assert await backend.other_log.read(partition, end) == []
    assert await backend.log.read(partition, end, until=end + 5) == []


async def test_a_waiting_reader_follows_into_new_days(backend: Backend, partition: str) -> None:
    head = await backend.log.claim(partition, "me")
    for day in range(4):
        assert await backend.other_log.read(partition, head.offset) == []
        block = block_after(head, recorded_ns=T0 + day * 86_400 * 10**9)
        await backend.log.append([block])
        assert await backend.other_log.read(partition, head.offset) == [block]
        head = head_after(block, "me")
