"""Stored bars and a keeper's own, merged: whatever the projection's lag, the answer is the same."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest
from msgspec.structs import replace

from actors.answers import BarRow
from actors.bar_text import BarTexts, bar_body
from actors.bars_query import BarsQuery, Tail, base_of, merged, roll_up
from actors.views import bar_rows
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.errors import Malformed
from domain.market.intervals import INTERVAL_NS
from storage.block import events_of
from storage.read_models.bars import MAX_ROWS, MemoryBars, Source, StoredBar, newest
from tests.actors.written_log import WrittenLog
from tests.builders import INSTRUMENT, T0, a_bar, a_trade, at

pytestmark = pytest.mark.anyio

FOREVER = 10**19
TURNS = 10
"""Of the event loop, that an answer takes: as many as it may need to put questions that go together."""


class Trading:
    """Trades folded into a log; the projection has seen only the first blocks of it."""

    def __init__(self, written: WrittenLog) -> None:
        self.written = written
        self.stored = MemoryBars()
        self.fills = 0
        self._projected = 0

    async def project(self, blocks: int) -> None:
        """Bring the stored bars up to so many blocks of the log."""
        while self._projected < blocks:
            block = self.written.block(self._projected)
            await self.stored.apply(None, block.partition, events_of(block))
            self._projected += 1

    async def fill(self) -> list[StoredBar]:
        self.fills += 1
        blocks = await self.written.log.read(self.written.partition, 0, max_blocks=100_000)
        return newest(recorded for block in blocks[self._projected :] for recorded in events_of(block))

    async def bars(
        self,
        interval: str,
        start: int = T0,
        end: int = FOREVER,
        limit: int = 10_000,
        *,
        tail: Tail | None = None,
    ) -> list[BarRow]:
        keeper = self.written.market.keeper(INSTRUMENT)
        assert keeper is not None
        tail = tail or Tail(tuple(bar_rows(keeper, base_of(interval))))
        return await BarsQuery(self.stored).answer(INSTRUMENT, interval, start, end, limit, tail, self.fill)

    async def page(
        self, interval: str, start: int = T0, end: int = FOREVER, count: int = 10_000
    ) -> tuple[bytes, int | None]:
        keeper = self.written.market.keeper(INSTRUMENT)
        assert keeper is not None
        tail = Tail(tuple(bar_rows(keeper, base_of(interval))))
        window = (INSTRUMENT, interval, start, end, count + 1)
        stored, later = await BarsQuery(self.stored).parts(*window, tail, self.fill)
        page = BarTexts().page(INSTRUMENT, interval, stored, later, count)
        return page.items, page.following


async def _traded(seconds: int, *, step: float = 1.0) -> Trading:
    written = WrittenLog()
    second = 0.0
    while second < seconds:
        await written.write(a_trade(100.0 + second % 17, 1.0, ts=at(second), trade_id=int(second * 100)))
        second += step
    return Trading(written)


async def _everything(trading: Trading, interval: str) -> list[BarRow]:
    """The answer with a projection that is up to date."""
    current = Trading(trading.written)
    blocks = len(await trading.written.log.read(trading.written.partition, 0, max_blocks=100_000))
    await current.project(blocks)
    return await current.bars(interval)


@pytest.mark.parametrize("projected", [0, 100, 350, 399, 400])
async def test_a_page_has_the_bars_of_the_answer_however_far_the_projection_is(projected: int):
    trading = await _traded(400)
    await trading.project(projected)
    rng = random.Random(projected)
    for interval in ("1s", "1m", "5m"):
        for _ in range(12):
            start, end = sorted(at(rng.randrange(-20, 420)) for _ in range(2))
            count = rng.choice((1, 3, 64, 1_000))
            rows = await trading.bars(interval, start, end, count + 1)
            items, following = await trading.page(interval, start, end, count)
            assert items == msgspec.json.encode([bar_body(row) for row in rows[:count]])
            assert following == (rows[count].ts_event if len(rows) > count else None)


async def test_without_any_stored_bar_the_keeper_s_own_answer():
    trading = await _traded(10)
    rows = await trading.bars("1s")
    assert [row.ts_event for row in rows] == [at(second) for second in range(10)]
    assert [row.closed for row in rows] == [True] * 8 + [False] * 2


async def test_the_forming_bar_comes_last_and_is_marked():
    trading = await _traded(90)
    first, forming = await trading.bars("1m")
    assert (first.closed, first.trades) == (True, 60)
    assert (forming.closed, forming.trades, forming.ts_event) == (False, 30, at(60))


class Rounds(MemoryBars):
    """Stored bars that count how often a caller has to wait: questions put together wait together."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = 0
        self._open = 0

    async def bars(
        self, instrument: str, interval: str, start: int, end: int, limit: int = MAX_ROWS
    ) -> list[StoredBar]:
        self.rounds += self._open == 0
        self._open += 1
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self._open -= 1
        return await super().bars(instrument, interval, start, end, limit)


@pytest.mark.parametrize(
    ("interval", "end"),
    [("1s", FOREVER), ("5m", FOREVER), ("1s", at(20))],
    ids=["up to now", "larger bars", "before what the keeper holds"],
)
async def test_the_database_is_waited_for_once(interval, end):
    trading = await _traded(700)
    trading.stored = Rounds()
    await trading.project(700)
    rows = await trading.bars(interval, end=end)
    assert rows[0].ts_event == T0
    assert trading.fills == 0
    assert trading.stored.rounds == 1


@pytest.mark.parametrize("interval", ["1s", "1m", "5m"])
@pytest.mark.parametrize("lag", [0, 7, 119, 121, 300])
async def test_the_answer_does_not_depend_on_how_far_the_projection_has_come(interval, lag):
    trading = await _traded(300)
    await trading.project(300 - lag)
    assert await trading.bars(interval) == await _everything(trading, interval)


async def test_the_log_fills_in_only_where_the_projection_lags_behind_the_keeper_s_memory():
    trading = await _traded(300)
    await trading.project(290)
    assert len(await trading.bars("1s")) == 300
    assert trading.fills == 0
    behind = Trading(trading.written)
    await behind.project(100)
    assert len(await behind.bars("1s")) == 300
    assert behind.fills == 1


async def test_a_correction_that_is_not_yet_projected_is_in_the_answer():
    trading = await _traded(20)
    await trading.project(20)
    await trading.written.write(a_trade(500.0, 3.0, ts=at(5.5), trade_id="late"), clock=at(20))
    row = next(row for row in await trading.bars("1s") if row.ts_event == at(5))
    assert (row.high, row.revision, row.volume) == (500.0, 1, 4.0)
    (five,) = await trading.bars("5m")
    assert five.high == 500.0


async def test_a_correction_of_a_part_raises_the_revision_of_the_larger_bar():
    trading = await _traded(400)
    before = (await trading.bars("5m"))[0]
    await trading.written.write(a_trade(500.0, 3.0, ts=at(65), trade_id="late"), clock=at(400))
    after = (await trading.bars("5m"))[0]
    assert after.revision == before.revision + 1
    assert (after.high, after.volume) == (500.0, before.volume + 3.0)


async def test_a_larger_bar_is_made_of_all_its_parts_and_closes_with_the_last():
    trading = await _traded(301)
    first, second = await trading.bars("5m")
    assert (first.open, first.close) == (100.0, 100.0 + 299 % 17)
    assert (first.trades, first.volume) == (300, 300.0)
    assert not first.closed, "its last minute still forms: trades may be late by the allowance"
    assert not second.closed
    await trading.written.write(a_trade(1.0, ts=at(302), trade_id="next"))
    first, _ = await trading.bars("5m")
    assert first.closed


async def test_vwap_of_a_larger_bar_is_over_all_its_trades():
    written = WrittenLog()
    await written.write(a_trade(100.0, 1.0, ts=at(0), trade_id=1))
    await written.write(a_trade(200.0, 3.0, ts=at(70), trade_id=2))
    (row,) = await Trading(written).bars("1h")
    assert row.vwap == pytest.approx((100.0 * 1 + 200.0 * 3) / 4)


async def test_rows_begin_within_the_range_and_are_the_first_of_it():
    trading = await _traded(300)
    await trading.project(250)
    rows = await trading.bars("1s", at(10), at(290), 100)
    assert [row.ts_event for row in rows] == [at(second) for second in range(10, 110)]
    rows = await trading.bars("1s", at(240), at(260), 100)
    assert [row.ts_event for row in rows] == [at(second) for second in range(240, 260)]
    assert await trading.bars("1s", at(400), at(500)) == []
    assert await trading.bars("1s", at(50), at(50)) == []


async def test_a_range_in_the_past_of_a_larger_interval_is_not_taken_for_forming():
    trading = await _traded(1900, step=5.0)
    rows = await trading.bars("5m", T0, at(600))
    assert [row.closed for row in rows] == [True, True]


@pytest.mark.parametrize("interval", ["1s", "1m", "5m"])
async def test_paging_by_limit_gives_what_one_question_gives(interval):
    trading = await _traded(700)
    await trading.project(500)
    whole = await trading.bars(interval)
    pages: list[BarRow] = []
    start = T0
    while rows := await trading.bars(interval, start, limit=7):
        pages += rows
        start = rows[-1].ts_event + 1
    assert pages == whole


async def test_a_provider_s_own_bar_fills_where_no_trade_was_seen_but_never_replaces_ours():
    trading = await _traded(200)
    await trading.written.write(a_bar(7.0, ts=at(-60)), a_bar(7.0, ts=at(60)), clock=at(200))
    await trading.project(201)
    by_start = {row.ts_event: row for row in await trading.bars("1m", at(-60))}
    assert by_start[at(-60)].close == 7.0
    assert by_start[at(60)].trades == 60


async def test_random_trades_with_late_ones_roll_up_to_what_a_direct_count_gives():
    random_source = random.Random(7)
    written = WrittenLog()
    trades = []
    for number in range(800):
        late = random_source.choice([0, 0, 0, 0.3, 2.5, 70])
        trade = a_trade(
            100.0 + random_source.random(),
            1.0,
            ts=at(max(0.0, number - late)),
            trade_id=number,
            ts_recv=at(number),
        )
        trades.append(trade)
        await written.write(trade)
    trading = Trading(written)
    await trading.project(650)
    for interval in ("1m", "5m", "15m"):
        rows = await trading.bars(interval)
        counted: dict[int, int] = {}
        for trade in trades:
            start = trade.ts_event - trade.ts_event % INTERVAL_NS[interval]
            counted[start] = counted.get(start, 0) + 1
        assert {row.ts_event: row.trades for row in rows} == counted
        for row in rows:
            members = [
                t.price for t in trades if row.ts_event <= t.ts_event < row.ts_event + INTERVAL_NS[interval]
            ]
            assert (row.high, row.low) == (max(members), min(members))


@pytest.mark.parametrize("interval", ["1s", "1m", "5m"])
@pytest.mark.parametrize("second", [3, 65, 299])
async def test_bars_of_the_past_are_what_was_answered_then(interval, second):
    """The same question put at the time, and put later about that time to a projection that is further."""
    trading = await _traded(second + 1)
    then = await trading.bars(interval)
    keeper = trading.written.market.keeper(INSTRUMENT)
    assert keeper is not None
    tail = Tail(tuple(bar_rows(keeper, base_of(interval))), past_ns=trading.written.clock.now_ns())
    for later in range(second + 1, second + 300):
        await trading.written.write(a_trade(1.0, 5.0, ts=at(later), trade_id=later * 1000))
    await trading.written.write(a_trade(999.0, 5.0, ts=at(later - 30), trade_id="late"), clock=at(later))
    await trading.project(second + 301)
    assert await trading.bars(interval, tail=tail) == then


async def test_a_provider_s_bar_is_in_the_past_only_once_it_was_received():
    trading = Trading(WrittenLog())
    await trading.written.write(*(a_bar(float(n), ts=T0 + n * NS_PER_MIN) for n in range(6)), clock=at(400))
    await trading.project(1)
    nothing_then = await trading.bars("1m", tail=Tail((), past_ns=T0 + 2 * NS_PER_MIN + NS_PER_S), limit=2)
    assert [row.close for row in nothing_then] == [0.0, 1.0]
    rows = await trading.bars("1m", tail=Tail((), past_ns=T0 + 2 * NS_PER_MIN + NS_PER_S))
    assert [row.close for row in rows] == [0.0, 1.0, 2.0]


async def test_an_interval_that_nobody_builds_is_refused():
    with pytest.raises(Malformed):
        base_of("7m")
    assert [base_of(interval) for interval in INTERVAL_NS] == ["1s", *["1m"] * 6]


def _bar(start: int = T0, **changes: object) -> StoredBar:
    row = StoredBar(
        INSTRUMENT,
        "1m",
        start,
        start,
        "sim",
        1.0,
        2.0,
        0.5,
        1.5,
        10.0,
        3,
        1.2,
        True,
        False,
        0,
        False,
        Source.BUILT,
    )
    return replace(row, **changes)


def test_the_newest_revision_wins_from_whatever_side_it_comes():
    old, new = _bar(), _bar(revision=1, close=9.0)
    assert merged([old], [new]) == merged([new], [old]) == [new]


def test_a_closed_bar_beats_a_forming_one_of_any_revision():
    forming = _bar(closed=False, revision=5)
    assert merged([_bar()], [forming]) == merged([forming], [_bar()]) == [_bar()]


def test_a_bar_built_over_a_gap_gives_way_to_the_provider_s_own():
    gap = _bar(source=Source.BUILT_OVER_A_GAP, tainted=True, revision=3)
    own = _bar(source=Source.PROVIDER)
    assert merged([gap], [own]) == merged([own], [gap]) == [own]


def test_a_larger_bar_with_a_forming_part_forms_whatever_comes_after_it():
    parts = [_bar(closed=False), _bar(T0 + 6 * NS_PER_MIN)]
    assert [bar.closed for bar in roll_up(parts, "5m")] == [False, False]
    assert [bar.closed for bar in roll_up([_bar(), parts[1]], "5m")] == [True, False]
