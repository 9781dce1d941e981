"""A seat: who waits is answered once, and nothing is taken from a fold that differs from the log."""

from __future__ import annotations

import asyncio

import pytest

from actors.intake import IntakeBound
from actors.recent import RecentEvents
from actors.seat import Seat
from domain.clock import NS_PER_S
from domain.envelope import Batch
from domain.errors import Unavailable
from domain.market.observations import Trade
from domain.partition import MarketPartition
from storage.block import head_after, seal
from storage.event_log import GENESIS_HASH, Head
from storage.writer import Part

PARTITION = "market/00"
START_NS = 1_700_000_000 * NS_PER_S


def a_seat() -> Seat:
    head = Head(PARTITION, 1, "owner", 0, GENESIS_HASH)
    recent = RecentEvents(PARTITION, 0, max_events=100, max_bytes=1 << 20)
    return Seat(head, MarketPartition(PARTITION), recent, IntakeBound(100, 1 << 20), 0.0)


def fold(seat: Seat, sequence: int, *numbers: int) -> int:
    trades = tuple(
        Trade("sim", "A.SIM", START_NS, START_NS, 100.0, 1.0, trade_id=str(number)) for number in numbers
    )
    return seat.fold(Batch("sim", 1, sequence, START_NS, trades), 10)[0]


def commit(seat: Seat, max_events: int = 100) -> int:
    """Put the next part into a block, as an append that succeeds would; how many events it had."""
    return len(committed(seat, max_events).events)


def committed(seat: Seat, max_events: int = 100) -> Part:
    part = seat.next_part(max_events)
    block = seal(seat.head, part.admitted, part.events, START_NS)
    seat.committed(head_after(block, "owner"), 0.0)
    return part


def test_a_block_takes_whole_batches_up_to_its_bound_and_at_least_one() -> None:
    async def work() -> list[int]:
        seat = a_seat()
        for sequence, numbers in enumerate([(1, 2, 3), (4,), (5,), (6, 7)], start=1):
            fold(seat, sequence, *numbers)
        sizes = []
        while seat.dirty:
            sizes.append(commit(seat, max_events=2))
        return sizes

    assert asyncio.run(work()) == [3, 2, 2]


def test_a_block_of_deep_books_ends_at_its_bound_in_bytes() -> None:
    async def work() -> list[int]:
        seat = a_seat()
        for sequence in range(1, 6):
            fold(seat, sequence, sequence)
        sizes = []
        while seat.dirty:
            part = seat.next_part(100, max_bytes=25)
            block = seal(seat.head, part.admitted, part.events, START_NS)
            seat.committed(head_after(block, "owner"), 0.0)
            sizes.append(len(part.events))
        return sizes

    assert asyncio.run(work()) == [2, 2, 1]


def test_a_waiter_is_answered_by_its_own_block_whatever_the_order_of_asking() -> None:
    async def work() -> list[str]:
        seat, said = a_seat(), []

        async def wait(name: str, ticket: int) -> None:
            await seat.durable(ticket)
            said.append(name)

        first, second = fold(seat, 1, 1, 2), fold(seat, 2, 3, 4)
        waiting = [asyncio.create_task(wait("second", second)), asyncio.create_task(wait("first", first))]
        await asyncio.sleep(0)
        commit(seat, max_events=2)
        await asyncio.sleep(0.001)
        said.append("between")
        commit(seat)
        await asyncio.gather(*waiting)
        return said

    assert asyncio.run(work()) == ["first", "between", "second"]


def test_a_lost_seat_answers_waiters_with_its_reason_and_gives_no_place_for_a_snapshot() -> None:
    async def work() -> None:
        seat = a_seat()
        ticket = fold(seat, 1, 1)
        waiter = asyncio.create_task(seat.durable(ticket))
        await asyncio.sleep(0)
        seat.lose(Unavailable("the log said no"))
        for refused in (waiter, seat.durable(ticket)):
            with pytest.raises(Unavailable, match="the log said no"):
                await refused
        with pytest.raises(Unavailable):
            seat.block_end()
        assert not seat.dirty

    asyncio.run(work())


def test_a_snapshot_waits_for_its_place_to_end_a_block() -> None:
    async def work() -> tuple[bool, int]:
        seat = a_seat()
        fold(seat, 1, 1, 2)
        end = seat.block_end()
        fold(seat, 2, 3)
        assert end is not None
        early = end.done()
        commit(seat)
        return early, (await end).offset

    assert asyncio.run(work()) == (False, 2)


def places(seat: Seat) -> dict[str, int]:
    return {sender: 0 if state is None else state.sequence for sender, state in seat.places().items()}


def test_a_block_may_end_before_what_is_held() -> None:
    """A batch of repeats alone is in no block yet: a snapshot tells where its sender stood before it."""

    async def work() -> None:
        seat = a_seat()
        fold(seat, 1, 1)
        commit(seat)
        held = fold(seat, 2, 1)
        fold(seat, 3, 1)
        assert (seat.dirty, seat.is_durable(held)) == (False, False)
        assert (await seat.block_end()).offset == 1
        assert places(seat) == {"sim": 1}
        fold(seat, 4, 2)
        fold(seat, 5, 2)
        end = seat.block_end()
        assert places(seat) == {"sim": 4}
        fold(seat, 6, 3)
        assert [admitted.sequence for admitted in committed(seat).admitted] == [2, 3, 4]
        assert seat.is_durable(held)
        assert (await end).offset == 2
        assert [admitted.sequence for admitted in committed(seat).admitted] == [5, 6]

    asyncio.run(work())


def test_what_is_held_behind_a_block_that_is_being_written_is_told_as_before_it() -> None:
    async def work() -> None:
        seat = a_seat()
        fold(seat, 1, 1)
        fold(seat, 2, 1)
        part = seat.next_part(100)
        fold(seat, 3, 1)
        end = seat.block_end()
        assert places(seat) == {"sim": 2}, "the second batch is in the block"
        seat.committed(head_after(seal(seat.head, part.admitted, part.events, START_NS), "owner"), 0.0)
        assert (await end).offset == 1

    asyncio.run(work())


def test_the_intake_bound_counts_what_is_not_durable() -> None:
    async def work() -> tuple[int, int, int]:
        bound = IntakeBound(100, 1 << 20)
        seat = a_seat()
        seat._bound = bound
        fold(seat, 1, 1, 2, 3)
        before = bound.events
        commit(seat)
        fold(seat, 2, 4)
        after = bound.events
        seat.lose(Unavailable("gone"))
        return before, after, bound.events

    assert asyncio.run(work()) == (3, 1, 0)
