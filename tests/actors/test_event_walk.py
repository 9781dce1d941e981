"""Backward walks: the newest first, page by page, whatever the windows and bounds, and nothing twice."""

from __future__ import annotations

import random

import pytest

from actors.block_cache import BlockCache
from actors.block_scan import BlockScan
from actors.event_walk import EventWalk, Wish
from domain.envelope import Recorded
from tests.actors.written_log import PARTITION, WrittenLog
from tests.builders import INSTRUMENT, a_quote, a_trade, at

pytestmark = pytest.mark.anyio

OTHER = "ETH-USD.SIM"
TRADES = Wish(INSTRUMENT, ("trade",))


def _walk(written: WrittenLog, max_blocks: int = 2_000) -> EventWalk:
    return EventWalk(BlockScan(written.log, BlockCache(1 << 20)), max_blocks)


async def _rare_trades(blocks: int, every: int) -> WrittenLog:
    """One block in `every` has two trades of the instrument; all have quotes of another one."""
    written, dice = WrittenLog(), random.Random(blocks)
    for number in range(blocks):
        ts = at(number / 10)
        quotes = [a_quote(99.0, 101.0, ts=ts, instrument=OTHER) for _ in range(dice.randrange(1, 40))]
        trades = [a_trade(100.0, ts=ts, trade_id=str(2 * number + n)) for n in range(2)]
        await written.write(*quotes, *(trades if number % every == 0 else ()))
    return written


async def _head(written: WrittenLog) -> int:
    return (await written.log.heads())[0].offset


async def _all(written: WrittenLog, wish: Wish) -> list[Recorded]:
    scan = await _walk(written).forwards(PARTITION, wish, 0, await _head(written), 10_000)
    assert scan.done
    return list(scan.events)


async def _paged(walk: EventWalk, wish: Wish, until: int, limit: int) -> tuple[list[Recorded], int]:
    """Everything, page by page; and the number of pages."""
    found: list[Recorded] = []
    for pages in range(1, 1_000):
        scan = await walk.backwards(PARTITION, wish, until, limit)
        assert len(scan.events) <= limit
        found = [*scan.events, *found]
        if scan.done:
            return found, pages
        assert scan.scanned_to < until
        until = scan.scanned_to
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize("every", [1, 13])
async def test_pages_from_the_newest_on_make_the_whole(every, limit):
    written = await _rare_trades(60, every)
    expected = await _all(written, TRADES)
    found, _ = await _paged(_walk(written), TRADES, await _head(written), limit)
    assert found == expected


async def test_a_bound_on_blocks_makes_more_pages_and_loses_nothing():
    written = await _rare_trades(200, 50)
    found, pages = await _paged(_walk(written, 3), TRADES, await _head(written), 100)
    assert found == await _all(written, TRADES)
    assert pages > 1


async def test_a_page_that_is_full_with_the_oldest_is_the_last():
    written = await _rare_trades(3, 1)
    scan = await _walk(written).backwards(PARTITION, TRADES, await _head(written), 6)
    assert len(scan.events) == 6 and scan.done


async def test_the_walk_starts_inside_a_block_and_keeps_to_the_times_wished_for():
    written = await _rare_trades(30, 1)
    expected = await _all(written, TRADES)
    middle = expected[30].offset
    scan = await _walk(written).backwards(PARTITION, TRADES, middle, 4)
    assert list(scan.events) == expected[27:31]
    early = Wish(INSTRUMENT, ("trade",), end=at(0.5))
    scan = await _walk(written).backwards(PARTITION, early, await _head(written), 4)
    assert list(scan.events) == expected[6:10]


async def test_near_the_head_only_few_blocks_are_decoded():
    written = await _rare_trades(200, 1)
    walk = _walk(written)
    await walk.backwards(PARTITION, TRADES, await _head(written), 2)
    assert walk._scan.decoded < 60


@pytest.mark.parametrize("dropped", [1, 17, 59])
async def test_below_the_retained_log_the_walk_ends_with_everything_that_is_left(dropped):
    written = await _rare_trades(60, 1)
    expected = await _all(written, TRADES)
    first = written.block(dropped).first_offset
    for _ in range(dropped):
        written.tamper(0, None)
    found, _ = await _paged(_walk(written), TRADES, await _head(written), 7)
    assert found == [each for each in expected if each.offset >= first]


async def test_nothing_comes_of_an_empty_log_or_an_unknown_instrument():
    written = await _rare_trades(5, 1)
    scan = await _walk(written).backwards(PARTITION, TRADES, 0, 5)
    assert not scan.events and scan.done
    scan = await _walk(written).backwards(PARTITION, Wish("NO.X"), await _head(written), 5)
    assert not scan.events and scan.done
