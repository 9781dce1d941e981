"""The ring of recent durable events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.recent import EVENT_BYTES, RecentEvents, approximate_bytes
from domain.envelope import Recorded
from domain.market.observations import BookSnapshot, Trade


def a_trade(number: int) -> Trade:
    return Trade("sim", "A.SIM", number, number, price=1.0, size=float(number))


def filled(blocks: list[int], *, max_events: int, max_bytes: int = 1 << 30) -> RecentEvents:
    ring = RecentEvents("market/00", 0, max_events=max_events, max_bytes=max_bytes)
    number = 0
    for index, count in enumerate(blocks):
        ring.append(1000 + index, [a_trade(number := number + 1) for _ in range(count)])
    return ring


@settings(max_examples=60)
@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 40), st.integers(1, 12), st.data())
def test_pages_give_every_offset_once_in_order(blocks, max_events, limit, data) -> None:
    ring = filled(blocks, max_events=max_events)
    after = data.draw(st.integers(ring.base, ring.head))
    seen = []
    position = after
    while page := ring.after(position, limit):
        assert len(page) <= limit
        seen.extend(page)
        position = page[-1].offset
    assert [recorded.offset for recorded in seen] == list(range(after + 1, ring.head + 1))
    assert all(recorded.event.size == recorded.offset for recorded in seen)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 40))
def test_count_stays_under_the_bound_unless_one_block_is_larger(blocks, max_events) -> None:
    ring = filled(blocks, max_events=max_events)
    assert ring.head - ring.base <= max(max_events, max(blocks, default=0))
    assert ring.head == sum(blocks)


def test_an_event_in_the_ring_is_found_with_its_place_and_an_older_one_is_not() -> None:
    first, second, again = a_trade(1), a_trade(2), a_trade(2)
    ring = RecentEvents("market/00", 0, max_events=3, max_bytes=1 << 30)
    ring.append(1_000, [first, second])
    assert ring.find("A.SIM", second) == Recorded("market/00", 2, 1_000, second)
    ring.append(2_000, [a_trade(3), again])
    found = ring.find("A.SIM", again)
    assert found is not None
    assert (found.offset, found.recorded_at) == (4, 2_000)
    ring.after(2, 10)  # wraps the span's events
    assert ring.find("A.SIM", a_trade(4)) is None
    assert ring.find("A.SIM", again) == found
    assert ring.find("A.SIM", first) is None, "its block has left the ring"
    ring.restart(4)
    assert ring.find("A.SIM", again) is None


def test_bytes_stay_under_the_bound() -> None:
    ring = filled([5] * 20, max_events=10_000, max_bytes=12 * EVENT_BYTES)
    assert ring.size_bytes <= 12 * EVENT_BYTES
    assert ring.base == 90


def test_an_offset_before_the_oldest_is_not_reached() -> None:
    ring = filled([4, 4, 4], max_events=8)
    assert not ring.reaches(3)
    assert ring.reaches(4)


def test_a_deep_book_weighs_more_than_a_trade() -> None:
    levels = tuple((float(n), 1.0) for n in range(100))
    book = BookSnapshot("sim", "A.SIM", 1, 1, bids=levels, asks=levels)
    assert approximate_bytes(book) > 20 * approximate_bytes(a_trade(1))


def test_recorded_time_and_partition_travel_with_each_event() -> None:
    ring = filled([2, 1], max_events=10)
    assert [(r.partition, r.recorded_at) for r in ring.after(1, 10)] == [
        ("market/00", 1000),
        ("market/00", 1001),
    ]
