"""The Reader: the right events, no more blocks than needed, and cursors that do not move afterwards."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from actors.block_cache import BlockCache, DecodedBlock
from actors.event_pages import PageToken, parse_page
from actors.history import History
from actors.reader import Reader, ReaderSettings
from domain.clock import NS_PER_MS, NS_PER_S
from domain.envelope import Cursor
from domain.errors import Corrupt, Malformed, NotFound, OutcomeUnknown, Rejected
from domain.market.observations import Trade
from storage.block import events_of, seal
from storage.memory import Fault, MemoryCheckpoints
from storage.read_models.bars import MemoryBars
from storage.read_models.events import MemoryEvents
from tests.actors.written_log import FOLD, PARTITION, WrittenLog
from tests.builders import INSTRUMENT, T0, a_quote, a_trade, at

pytestmark = pytest.mark.anyio

OTHER = "ETH-USD.SIM"


def _reader(written: WrittenLog, **settings: int) -> Reader:
    return Reader(
        written.log,
        History(written.log, written.snapshots, FOLD),
        MemoryBars(),
        MemoryEvents(),
        MemoryCheckpoints(),
        written.clock,
        1,
        ReaderSettings(**settings),
    )


async def _two_instruments(blocks: int = 30) -> WrittenLog:
    """Odd blocks have a quote of one instrument, even ones two trades of the other."""
    written = WrittenLog()
    for number in range(blocks):
        ts = at(number / 100)
        if number % 2:
            await written.write(a_quote(99.0, 101.0, ts=ts, instrument=OTHER))
        else:
            trades = (a_trade(100.0 + n, ts=ts, trade_id=number * 10 + n) for n in range(2))
            await written.write(*trades)
    return written


async def test_read_log_gives_every_event_in_order_from_anywhere_in_a_block():
    written = await _two_instruments()
    reader = _reader(written)
    head = (await reader.heads()).at(PARTITION)
    for after in (0, 1, 2, 3, head - 1):
        assert [one.offset for one in await reader.read_log(PARTITION, after)] == list(
            range(after + 1, head + 1)
        )
    assert await reader.read_log(PARTITION, head) == []


async def test_read_log_ends_at_until_and_at_the_limit():
    reader = _reader(await _two_instruments())
    assert [one.offset for one in await reader.read_log(PARTITION, 1, until=5)] == [2, 3, 4, 5]
    assert [one.offset for one in await reader.read_log(PARTITION, 1, limit=3)] == [2, 3, 4]
    with pytest.raises(Rejected):
        await reader.read_log(PARTITION, 1, limit=0)


async def test_a_hole_in_the_log_is_corrupt_and_not_read_over():
    written = await _two_instruments()
    written.tamper(5, None)
    with pytest.raises((Corrupt, Rejected)):
        await _reader(written).read_log(PARTITION, 0)


async def test_events_are_those_of_one_instrument_and_kind_and_other_blocks_are_not_decoded():
    written = await _two_instruments(30)
    reader = _reader(written)
    scan = await reader.events(OTHER, ["quote"], 0, None, 1000)
    assert {one.event.instrument for one in scan.events} == {OTHER}
    assert len(scan.events) == 15 and scan.done
    assert reader.scan.decoded == 15
    scan = await reader.events(INSTRUMENT, ["quote"], 0, None, 1000)
    assert not scan.events and scan.done
    assert reader.scan.decoded == 15


async def test_no_kind_named_means_every_kind():
    reader = _reader(await _two_instruments(4))
    scan = await reader.events(INSTRUMENT, [], 0, None, 1000)
    assert len(scan.events) == 4


async def test_a_scan_stops_after_a_bounded_number_of_blocks_and_says_where_to_go_on():
    reader = _reader(await _two_instruments(30), scan_blocks=4)
    after, found, rounds = 0, [], 0
    while True:
        scan = await reader.events(INSTRUMENT, ["trade"], after, None, 1000)
        found += [one.offset for one in scan.events]
        rounds += 1
        if scan.done:
            break
        assert scan.scanned_to > after
        after = scan.scanned_to
    whole = await _reader(await _two_instruments(30)).events(INSTRUMENT, ["trade"], 0, None, 1000)
    assert found == [one.offset for one in whole.events]
    assert rounds > 3


async def test_a_scan_that_ends_at_the_limit_goes_on_right_behind_the_last_event():
    reader = _reader(await _two_instruments(10))
    first = await reader.events(INSTRUMENT, ["trade"], 0, None, 3)
    rest = await reader.events(INSTRUMENT, ["trade"], first.scanned_to, None, 1000)
    assert not first.done and rest.done
    ids = [one.event.trade_id for one in (*first.events, *rest.events) if isinstance(one.event, Trade)]
    assert ids == ["0", "1", "20", "21", "40", "41", "60", "61", "80", "81"]


async def test_exactly_as_many_events_as_the_limit_are_all_there_is():
    reader = _reader(await _two_instruments(2))
    scan = await reader.events(INSTRUMENT, ["trade"], 0, None, 2)
    assert len(scan.events) == 2 and scan.done


async def test_events_between_two_times_come_in_pages_that_make_the_whole():
    written = await _two_instruments(60)
    reader = _reader(written, scan_blocks=7)
    start, end = at(0.10), at(0.40)
    page, found, pages = None, [], 0
    while True:
        answer = await reader.events_between(INSTRUMENT, ["trade"], start, end, 5, page)
        assert len(answer.items) <= 5
        found += answer.items
        pages += 1
        page = answer.next_page
        if page is None:
            break
    times = [one.event.ts_event for one in found]
    assert times == sorted(times) and min(times) == start and max(times) == at(0.38)
    assert len(found) == 30 and pages > 5


async def test_paging_ends_at_the_head_of_the_first_page_however_fast_the_log_grows():
    written = await _two_instruments(6)
    reader = _reader(written)
    first = await reader.events_between(INSTRUMENT, ["trade"], T0, at(100), 2)
    await written.write(a_trade(ts=at(5), trade_id="new"))
    second = await reader.events_between(INSTRUMENT, ["trade"], T0, at(100), 100, first.next_page)
    assert second.next_page is None
    assert [one.event.trade_id for one in second.items] == ["20", "21", "40", "41"]


@pytest.mark.parametrize("text", ["", "p1.", "c1.abc", "p1.%%%", "p1." + "A" * 400, "p1.gaFi"])
async def test_a_damaged_page_token_is_malformed(text):
    with pytest.raises(Malformed):
        await _reader(await _two_instruments(2)).events_between(INSTRUMENT, [], T0, at(9), 5, text)


async def test_a_page_token_of_another_list_is_malformed():
    token = PageToken(OTHER, 3, 9).encode()
    assert parse_page(token, OTHER) == PageToken(OTHER, 3, 9)
    with pytest.raises(Malformed):
        parse_page(token, INSTRUMENT)
    with pytest.raises(Malformed):
        parse_page(PageToken(OTHER, 9, 3).encode(), OTHER)


async def test_a_time_long_past_resolves_at_once_to_the_last_offset_recorded_by_then():
    written = await _two_instruments(30)
    reader = _reader(written, settle_ms=60_000)
    written.clock.advance(120 * NS_PER_S)
    block = written.block(10)
    async with asyncio.timeout(0.5):
        assert (await reader.cursor_at(block.recorded_ns)).at(PARTITION) == block.last_offset
        assert (await reader.cursor_at(block.recorded_ns - 1)).at(PARTITION) == block.first_offset - 1
        assert (await reader.cursor_at(T0 - 1)).at(PARTITION) == 0


async def test_the_present_waits_until_no_append_can_land_below_it():
    written = await _two_instruments(3)
    reader = _reader(written, settle_ms=80)
    asked = written.clock.now_ns()
    question = asyncio.create_task(reader.cursor_at(asked))
    await asyncio.sleep(0.03)
    assert not question.done()
    landed = await written.write(a_trade(ts=asked, trade_id="late"), clock=asked)
    assert (await question).at(PARTITION) == landed
    assert (await reader.cursor_at(asked)).at(PARTITION) == landed


async def test_a_head_that_has_moved_past_the_time_ends_the_wait():
    written = await _two_instruments(3)
    reader = _reader(written, settle_ms=60_000)
    asked = written.clock.now_ns()
    before = (await reader.heads()).at(PARTITION)
    await written.write(a_trade(ts=asked + NS_PER_MS, trade_id="later"))
    async with asyncio.timeout(0.5):
        assert (await reader.cursor_at(asked)).at(PARTITION) == before


async def test_a_question_about_one_partition_does_not_wait_for_quiet_ones():
    written = await _two_instruments(3)
    await written.log.claim("market/99", "nobody in a hurry")
    reader = _reader(written, settle_ms=60_000)
    asked = written.clock.now_ns()
    before = (await reader.heads()).at(PARTITION)
    await written.write(a_trade(ts=asked + NS_PER_MS, trade_id="later"))
    async with asyncio.timeout(0.5):
        assert await reader.offset_of(PARTITION, asked) == before


async def test_an_append_that_stalls_on_its_way_to_disk_is_waited_for_however_long_it_takes():
    """It was stamped before the time asked for, and lands long after the settling."""
    written = await _two_instruments(3)
    reader = _reader(written, settle_ms=1)
    asked = written.clock.now_ns()
    head = next(head for head in await written.log.heads() if head.partition == PARTITION)
    late = seal(head, [], [a_trade(ts=asked, trade_id="stalled")], asked)
    written.log._faults = lambda operation, _: Fault.LATE if operation == "append" else None
    with pytest.raises(OutcomeUnknown):
        await written.log.append([late])
    written.clock.advance(20 * NS_PER_S)
    assert (await reader.heads()).at(PARTITION) == head.offset  # it is still under way
    assert (await reader.cursor_at(asked)).at(PARTITION) == late.last_offset


async def test_a_time_that_has_not_come_is_refused():
    written = await _two_instruments(3)
    with pytest.raises(Rejected):
        await _reader(written).cursor_at(written.clock.now_ns() + 3600 * NS_PER_S)


async def test_a_state_by_cursor_says_its_place_and_time():
    written = await _two_instruments(10)
    block = written.block(4)
    state = await _reader(written).state_at(INSTRUMENT, Cursor({PARTITION: block.last_offset}))
    assert state.place == (PARTITION, block.last_offset)
    assert state.at == block.recorded_ns
    assert state.last.trade is not None and state.last.trade.trade_id == "41"


async def test_a_state_by_time_is_the_one_of_that_moment():
    written = await _two_instruments(10)
    reader = _reader(written)
    written.clock.advance(10 * NS_PER_S)
    state = await reader.state_at(INSTRUMENT, written.block(4).recorded_ns)
    assert state.place == (PARTITION, written.block(4).last_offset)


async def test_before_its_first_event_an_instrument_is_not_found():
    reader = _reader(await _two_instruments(10))
    with pytest.raises(NotFound):
        await reader.state_at(OTHER, Cursor({PARTITION: 2}))


async def test_a_cursor_beyond_the_log_is_refused():
    reader = _reader(await _two_instruments(4))
    with pytest.raises(Rejected):
        await reader.state_at(INSTRUMENT, Cursor({PARTITION: 10_000}))


async def test_a_second_look_at_the_same_blocks_reads_and_decodes_nothing():
    written = await _two_instruments(20)
    reader = _reader(written)
    head = (await reader.heads()).at(PARTITION)
    first = await reader.read_log(PARTITION, 0, until=head)
    reads = 0
    read = written.log.read

    async def counted(*args, **bounds):
        nonlocal reads
        reads += 1
        return await read(*args, **bounds)

    written.log.read = counted
    decoded = reader.scan.decoded
    assert await reader.read_log(PARTITION, 0, until=head) == first
    assert (reads, reader.scan.decoded) == (0, decoded)


def _decoded(written: WrittenLog, index: int) -> DecodedBlock:
    block = written.block(index)
    return DecodedBlock(
        block.partition, block.first_offset, block.last_offset, block.header, events_of(block)
    )


async def test_the_cache_stays_within_its_bytes_and_drops_what_was_used_longest_ago():
    written = await _two_instruments(12)
    cache = BlockCache(3 * 800)
    even = [_decoded(written, index) for index in range(0, 12, 2)]
    for block in even[:3]:
        cache.put(block)
    assert cache.size_bytes == 3 * 800 and len(cache) == 3
    assert cache.covering(PARTITION, even[0].last_offset) is even[0]
    cache.put(even[3])
    assert cache.covering(PARTITION, even[1].first_offset) is None
    assert cache.covering(PARTITION, even[0].first_offset) is even[0]
    assert cache.size_bytes <= 3 * 800 and len(cache) == 3


async def test_a_block_larger_than_the_whole_cache_is_not_kept():
    written = await _two_instruments(1)
    cache = BlockCache(100)
    cache.put(_decoded(written, 0))
    assert len(cache) == 0 and cache.size_bytes == 0


async def test_the_cache_never_answers_for_an_offset_that_it_does_not_hold():
    written = await _two_instruments(8)
    cache = BlockCache(1 << 20)
    for index in (0, 4):
        cache.put(_decoded(written, index))
    gap = written.block(2)
    assert cache.covering(PARTITION, gap.first_offset) is None
    assert cache.covering("market/01", 1) is None
    assert cache.covering(PARTITION, 0) is None
    cache.put(replace(_decoded(written, 0), partition="market/01"))
    found = cache.covering("market/01", 1)
    assert found is not None and found.partition == "market/01"


async def test_decisions_come_before_the_projection_has_reached_them():
    written = await _two_instruments(500)
    reader = _reader(written)
    found, cursor = await reader.decisions(INSTRUMENT, ["bar_closed"], T0, at(2), 10)
    head = (await reader.heads()).at(PARTITION)
    assert cursor.at(PARTITION) == head
    assert [(one.event.interval, one.event.ts_event) for one in found] == [("1s", T0), ("1s", at(1))]
    rest, _ = await reader.decisions(INSTRUMENT, ["bar_closed"], T0, at(2), 10, found[0].offset)
    assert [one.offset for one in rest] == [found[1].offset]
