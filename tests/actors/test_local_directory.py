"""The whole read side in one process: what was fed in is what every question answers, now and later."""

from __future__ import annotations

import asyncio

import pytest

from actors.answers import BarRow
from actors.connections import Named
from actors.directory import Directory
from actors.local_directory import LocalDirectory, LocalSettings
from actors.reader import ReaderSettings
from actors.shard_settings import ShardSettings
from actors.stores import memory_stores
from actors.verify import verify
from domain.access_events import digest_of
from domain.clock import NS_PER_S, ManualClock
from domain.envelope import Cursor, Recorded
from domain.errors import Conflict, NotFound, OverLimit, Unavailable
from domain.ids import market_partition
from domain.market.observations import Trade
from tests.builders import INSTRUMENT, T0, a_delta, a_quote, a_snapshot, a_ticker, a_trade, an_info, at

pytestmark = pytest.mark.anyio

FOREVER = 10**19
NAMES = [f"COIN{number}-USD.SIM" for number in range(12)]


@pytest.fixture
async def directory():
    made = await LocalDirectory.over_memory(4, shard_count=2, clock=ManualClock(T0))
    yield made
    await made.close()


def _trades(count: int, instrument: str = INSTRUMENT, *, start: int = 0) -> list[Trade]:
    return [
        a_trade(100.0 + number % 9, ts=at(number), trade_id=number, instrument=instrument)
        for number in range(start, start + count)
    ]


async def test_it_is_a_directory(directory):
    asked: Directory = directory
    assert list(asked.partitions()) == ["market/00", "market/01", "market/02", "market/03"]
    assert asked.partition_of(INSTRUMENT) == market_partition(INSTRUMENT, 4)
    assert (await asked.heads()).offsets == dict.fromkeys(asked.partitions(), 0)


async def test_what_was_fed_is_the_last_that_is_told(directory):
    trade, quote, ticker = a_trade(trade_id=1), a_quote(99.0, 101.0), a_ticker()
    cursor = await directory.feed([trade, quote, ticker])
    answer = await directory.last(INSTRUMENT, after=cursor)
    assert (answer.trade, answer.quote, answer.ticker) == (trade, quote, ticker)
    assert answer.place == (directory.partition_of(INSTRUMENT), 3)


async def test_an_unknown_instrument_is_not_found(directory):
    for question in (
        directory.last("NOTHING.SIM"),
        directory.book("NOTHING.SIM", 5),
        directory.state("NOTHING.SIM"),
        directory.bars("NOTHING.SIM", "1m", T0, FOREVER, 5),
    ):
        with pytest.raises(NotFound):
            await question


async def test_a_cursor_that_is_not_reached_in_time_is_unavailable():
    settings = LocalSettings(shard=ShardSettings(linger_ms=0.0, read_wait_s=0.05))
    directory = await LocalDirectory.over_memory(1, clock=ManualClock(T0), settings=settings)
    await directory.feed([a_trade()])
    with pytest.raises(Unavailable):
        await directory.last(INSTRUMENT, after=Cursor({"market/00": 99}))
    await directory.close()


async def test_the_book_has_the_asked_depth_and_the_venue_s_own(directory):
    bids = [(99.0 - level, 1.0) for level in range(10)]
    asks = [(101.0 + level, 1.0) for level in range(10)]
    await directory.feed([a_snapshot(bids, asks, sequence=1, depth=10)])
    await directory.feed([a_delta(bids=[(99.5, 2.0)], sequence=(2, 2), prev_sequence=1)])
    book = await directory.book(INSTRUMENT, 3)
    assert book.usable and book.sequence == 2 and book.venue_depth == 10
    assert book.bids == ((99.5, 2.0), (99.0, 1.0), (98.0, 1.0))
    assert book.asks == ((101.0, 1.0), (102.0, 1.0), (103.0, 1.0))
    assert book.figures["spread"] == pytest.approx(1.5)


async def test_a_gap_makes_the_book_empty_until_a_snapshot(directory):
    await directory.feed([a_snapshot(sequence=1)])
    await directory.feed([a_delta(bids=[(99.5, 2.0)], sequence=(9, 9), prev_sequence=8)])
    book = await directory.book(INSTRUMENT, 3)
    assert not book.usable and book.bids == book.asks == ()
    assert all(figure is None for figure in book.figures.values())


async def test_a_poll_waits_for_the_next_event_of_whatever_owner(directory):
    heads = await directory.feed([a_trade(instrument=name) for name in NAMES])
    waiting = asyncio.create_task(directory.poll(heads.offsets, wait_s=5.0))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    trade = a_trade(7.0, trade_id="next", instrument=NAMES[3])
    await directory.feed([trade])
    reply = await asyncio.wait_for(waiting, 1.0)
    (found,) = reply.events[directory.partition_of(NAMES[3])]
    assert found.event == trade


async def test_a_poll_from_the_start_has_every_partition_in_order(directory):
    await directory.feed([a_trade(instrument=name) for name in NAMES])
    events: dict[str, list[Recorded]] = {}
    after = dict.fromkeys(directory.partitions(), 0)
    while len(events) < len(after):
        reply = await directory.poll(after, wait_s=0.2)
        for partition, found in reply.events.items():
            events.setdefault(partition, []).extend(found)
            after[partition] = found[-1].offset
    for found in events.values():
        assert [one.offset for one in found] == list(range(1, len(found) + 1))
    assert {one.event.instrument for found in events.values() for one in found} == set(NAMES)


async def test_a_poll_without_news_ends_after_its_wait(directory):
    heads = await directory.feed([a_trade()])
    async with asyncio.timeout(1):
        reply = await directory.poll(heads.offsets, wait_s=0.02)
    assert reply.events == {} and set(reply.epochs) <= set(directory.partitions())


async def test_the_log_says_what_the_poll_said(directory):
    await directory.feed(_trades(50))
    partition = directory.partition_of(INSTRUMENT)
    reply = await directory.poll({partition: 0}, wait_s=1.0)
    assert list(await directory.read_log(partition, 0)) == reply.events[partition]


async def test_events_are_found_however_many_blocks_they_are_in():
    settings = LocalSettings(reader=ReaderSettings(scan_blocks=2))
    directory = await LocalDirectory.over_memory(1, clock=ManualClock(T0), settings=settings)
    await directory.feed(_trades(30))
    found = await directory.events(INSTRUMENT, ["trade"], 0, None, 1000)
    assert [one.event.trade_id for one in found] == [str(number) for number in range(30)]
    some = await directory.events(INSTRUMENT, ["trade"], found[9].offset, found[19].offset, 1000)
    assert [one.event.trade_id for one in some] == [str(number) for number in range(10, 20)]
    assert len(await directory.events(INSTRUMENT, ["trade"], 0, None, 7)) == 7
    await directory.close()


async def test_the_state_at_the_head_is_the_state_of_now(directory):
    await directory.feed([an_info(), a_snapshot(sequence=1), *_trades(200)])
    now = await directory.state(INSTRUMENT)
    then = await directory.state(INSTRUMENT, at=await directory.heads())
    assert then == now
    assert now.last.trade is not None and len(now.forming) > 0 and len(now.bars) > 100


async def test_the_state_of_the_past_is_the_state_that_was(directory):
    states = []
    for number in range(0, 40, 10):
        cursor = await directory.feed(_trades(10, start=number))
        states.append((cursor, await directory.state(INSTRUMENT)))
    for cursor, state in reversed(states):
        assert await directory.state(INSTRUMENT, at=cursor) == state


async def test_a_time_resolves_to_the_cursor_of_that_moment(directory):
    clock = directory.clock
    await directory.feed(_trades(3))
    first = await directory.heads()
    clock.advance(60 * NS_PER_S)
    await directory.feed(_trades(3, start=3))
    clock.advance(60 * NS_PER_S)
    assert (await directory.cursor_at(T0 + NS_PER_S)).offsets.items() <= first.offsets.items()
    state = await directory.state(INSTRUMENT, at=T0 + NS_PER_S)
    assert state.last.trade is not None and state.last.trade.trade_id == "2"


@pytest.mark.parametrize("interval", ["1s", "1m", "5m", "1h"])
async def test_bars_are_the_same_before_and_after_the_projection_has_them(interval):
    still = LocalSettings(projecting=False)
    directory = await LocalDirectory.over_memory(4, clock=ManualClock(T0), settings=still)
    await directory.feed(_trades(400))
    before, cursor = await directory.bars(INSTRUMENT, interval, T0, FOREVER, 10_000)
    assert await directory.stores.bars.bars(INSTRUMENT, "1s", T0, FOREVER) == []
    await directory.projected()
    after, _ = await directory.bars(INSTRUMENT, interval, T0, FOREVER, 10_000)
    assert after == before
    assert sum(row.trades for row in after) == 400
    assert cursor.at(directory.partition_of(INSTRUMENT)) > 400
    await directory.close()


async def test_a_beat_closes_the_bars_that_are_due(directory):
    await directory.feed(_trades(3))
    rows, _ = await directory.bars(INSTRUMENT, "1s", T0, FOREVER, 10)
    assert [row.closed for row in rows] == [True, False, False]
    await directory.beat(at(10))
    rows, _ = await directory.bars(INSTRUMENT, "1s", T0, FOREVER, 10)
    assert [row.closed for row in rows] == [True, True, True]


async def test_bars_at_a_cursor_are_those_of_then(directory):
    cursor = await directory.feed(_trades(150))
    then: list[BarRow] = list((await directory.bars(INSTRUMENT, "1m", T0, FOREVER, 100))[0])
    await directory.feed(_trades(300, start=150))
    await directory.feed([a_trade(999.0, ts=at(400), trade_id="late")])
    await directory.projected()
    past, place = await directory.bars(INSTRUMENT, "1m", T0, FOREVER, 100, at=cursor)
    assert list(past) == then
    assert place.at(directory.partition_of(INSTRUMENT)) == cursor.at(directory.partition_of(INSTRUMENT))


async def test_instruments_are_listed_by_id_over_all_shards(directory):
    await directory.feed([an_info(name) for name in reversed(NAMES)])
    assert [info.instrument for info in await directory.instruments()] == sorted(NAMES)


async def test_a_partition_moves_to_another_shard_and_nothing_is_lost(directory):
    await directory.feed(_trades(20))
    partition = directory.partition_of(INSTRUMENT)
    target = next(
        name for name, shard in directory.shards.items() if shard is not directory.routes[partition]
    )
    before = await directory.state(INSTRUMENT)
    await directory.move(partition, target)
    assert await directory.state(INSTRUMENT) == before
    await directory.feed(_trades(20, start=20))
    found = await directory.events(INSTRUMENT, ["trade"], 0, None, 1000)
    assert [one.event.trade_id for one in found] == [str(number) for number in range(40)]


async def test_a_new_incarnation_of_a_feed_goes_on_and_the_old_one_is_refused(directory):
    await directory.feed(_trades(2))
    old = directory._feeds["sim"]
    await directory.restart_feed()
    await directory.feed(_trades(2, start=2))
    with pytest.raises(Conflict):
        await old.observe(_trades(1, start=9))
    state = await directory.state(INSTRUMENT)
    assert state.last.trade is not None and state.last.trade.trade_id == "3"


async def test_feeds_and_system_say_what_runs(directory):
    await directory.feed([a_trade(), a_quote()])
    await directory.feed([a_trade(provider="other", instrument="X-USD.SIM")], provider="other")
    await directory.projected()
    assert [(feed.provider, feed.state, feed.frames) for feed in await directory.feeds()] == [
        ("other", "connected", 1),
        ("sim", "connected", 2),
    ]
    system = await directory.system()
    held = [held["partition"] for actor in system["actors"] for held in actor["partitions"]]
    assert sorted(held) == list(directory.partitions())
    assert system["projections"] == [{"name": "bars", "lag_events": 0}, {"name": "events", "lag_events": 0}]


async def test_sessions_are_limited_per_user_and_audited(directory):
    for number in range(20):
        await directory.open_session(f"s{number}", "ann", "viewer", at(3600), "g1")
    with pytest.raises(OverLimit):
        await directory.open_session("s20", "ann", "viewer", at(3600), "g1")
    await directory.subscribed("s0", Named("trades", 1, 0, digest_of([INSTRUMENT])))
    await directory.close_session("s0", 1000, "bye")
    await directory.open_session("s20", "ann", "viewer", at(3600), "g1")
    await directory.connections.stop()
    (head,) = [head for head in await directory.stores.log.heads("access") if head.offset]
    assert head.offset == 20 + 3


async def test_everything_is_there_again_after_a_restart_over_the_same_stores():
    stores = memory_stores()
    first = await LocalDirectory.over(stores, clock=ManualClock(T0), instance="1")
    await first.feed([an_info(), a_snapshot(sequence=1), *_trades(100)])
    before = await first.state(INSTRUMENT)
    rows, _ = await first.bars(INSTRUMENT, "1m", T0, FOREVER, 100)
    await first.close()
    second = await LocalDirectory.over(stores, clock=ManualClock(T0), instance="2")
    assert await second.state(INSTRUMENT) == before
    assert (await second.bars(INSTRUMENT, "1m", T0, FOREVER, 100))[0] == rows
    await second.close()


async def test_the_log_that_all_this_wrote_is_in_order(directory):
    await directory.feed([a_snapshot(sequence=1), *_trades(150)])
    await directory.feed([a_trade(instrument=name) for name in NAMES])
    await directory.move("market/00", "keeper-shard-1")
    await directory.feed(_trades(150, start=150))
    await directory.open_session("s", "ann", "viewer", at(3600), "g1")
    await directory.connections.stop()
    verdicts = await verify(directory.stores.log, directory.stores.snapshots)
    assert [verdict for verdict in verdicts if not verdict.ok] == []
    assert sum(verdict.events for verdict in verdicts) > 450
    assert {verdict.state_equal for verdict in verdicts if verdict.partition.startswith("market/")} == {True}
