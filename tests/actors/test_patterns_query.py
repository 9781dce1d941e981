"""Patterns over stored bars: the detectors of the fold, over a window and what goes before it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from msgspec.structs import replace

from actors.answers import BarRow
from actors.local_directory import LocalDirectory, LocalSettings
from actors.patterns_query import BEFORE, PatternsAsked, check_asked, patterns_in
from domain.clock import NS_PER_MIN, ManualClock
from domain.errors import Malformed, OverLimit
from domain.market.observations import SplitAnnounced
from tests.bench.patterns import scan
from tests.builders import INSTRUMENT, T0, a_trade, at
from tests.patterns_set import NOISE, random_walk, samples

pytestmark = pytest.mark.anyio

FIGURE = next(samples("inverse_head_and_shoulders", 1, NOISE["low"], seed=3)).bars
"""Its closes are traded, one a minute."""


@pytest.fixture
async def directory() -> AsyncIterator[LocalDirectory]:
    made = await LocalDirectory.over_memory(
        1, clock=ManualClock(T0), settings=LocalSettings(projecting=False)
    )
    closes = np.round(FIGURE[:, 3] / FIGURE[0, 3] * 1000.0, 2).tolist()
    await made.feed(
        [a_trade(price, 1.0, ts=at(60.0 * minute), trade_id=minute) for minute, price in enumerate(closes)]
    )
    yield made
    await made.close()


def ask(interval: str = "1m", begin: int = 0, end: int = 3_000, **changes: object) -> PatternsAsked:
    """`begin` and `end` in minutes."""
    return PatternsAsked(INSTRUMENT, interval, T0 + begin * NS_PER_MIN, T0 + end * NS_PER_MIN, **changes)


@pytest.mark.parametrize("projected", [True, False])
async def test_the_reader_finds_in_its_bars_what_a_scanner_finds(
    directory: LocalDirectory, projected: bool
) -> None:
    if projected:
        await directory.projected()
    rows, _ = await directory.bars(INSTRUMENT, "1m", 0, T0 + 3_000 * NS_PER_MIN, 10_000)
    closed = np.array([(row.open, row.high, row.low, row.close) for row in rows if row.closed])
    answer, cursor = await directory.patterns(ask())
    assert [(each.row, each.pattern, each.state) for each in answer.events] == [
        (each.row, each.pattern, each.state) for each in scan(closed)
    ]
    assert any(each.state == "confirmed" for each in answer.events)
    assert (answer.since, answer.bars) == (T0, len(closed)) and cursor.encode()


async def test_a_split_in_the_window_makes_no_figure_and_breaks_none(directory: LocalDirectory) -> None:
    whole, _ = await directory.patterns(ask())
    confirmed = next(each for each in whole.events if each.state == "confirmed")
    effective = confirmed.anchors[2].ts
    rows, _ = await directory.bars(INSTRUMENT, "1m", 0, T0 + 3_000 * NS_PER_MIN, 10_000)
    other = await LocalDirectory.over_memory(
        1, clock=ManualClock(T0), settings=LocalSettings(projecting=False)
    )
    shares = [4.0 if row.ts_event < effective else 1.0 for row in rows]
    await other.feed(
        [
            SplitAnnounced("sim", INSTRUMENT, T0, T0, effective, split_from=1.0, split_to=4.0),
            *(
                a_trade(row.close * by, 1.0, ts=row.ts_event, trade_id=number)
                for number, (row, by) in enumerate(zip(rows, shares, strict=True))
            ),
        ]
    )
    adjusted, _ = await other.patterns(ask())
    assert [(each.row, each.pattern, each.state) for each in adjusted.events] == [
        (each.row, each.pattern, each.state) for each in whole.events
    ]
    raw, _ = await other.patterns(ask(adjusted=False))
    assert raw.events != adjusted.events
    await other.close()


async def test_coarser_bars_are_looked_through_as_they_are_answered(directory: LocalDirectory) -> None:
    answer, _ = await directory.patterns(ask("5m"))
    rows, _ = await directory.bars(INSTRUMENT, "5m", 0, T0 + 3_000 * NS_PER_MIN, 10_000)
    assert answer.bars == sum(row.closed for row in rows) > 10


def as_rows(bars: np.ndarray) -> list[BarRow]:
    return [
        BarRow(
            "sim", INSTRUMENT, T0 + minute * NS_PER_MIN, 0, "1m", *bar, 1.0, 1, None, True, False, 0, False
        )
        for minute, bar in enumerate(bars.tolist())
    ]


def test_a_window_tells_what_the_whole_tells_in_it_where_the_bars_before_are_the_same() -> None:
    rows = as_rows(random_walk(BEFORE, np.random.default_rng(3)))
    whole = patterns_in(ask(end=BEFORE), rows).events
    part = patterns_in(ask(begin=400, end=800), rows).events
    assert part == [each for each in whole if 400 <= each.row < 800] and 0 < len(part) < len(whole)


def test_rough_figures_are_told_where_asked_for() -> None:
    rows = as_rows(random_walk(BEFORE, np.random.default_rng(3)))
    rough, smooth = (patterns_in(ask(rough=rough), rows).events for rough in (True, False))
    assert len(rough) > 2 * len(smooth)


def test_a_forming_bar_is_not_looked_at() -> None:
    rows = as_rows(random_walk(200, np.random.default_rng(5)))
    last = replace(rows[-1], closed=False, high=rows[-1].high * 3.0)
    assert patterns_in(ask(), [*rows[:-1], last]) == patterns_in(ask(), rows[:-1])


def test_bars_before_the_window_are_read_for_the_figures_that_begin_there() -> None:
    asked = ask("5m", begin=BEFORE * 5 + 7)
    assert asked.read_from == T0 + 5 * NS_PER_MIN
    assert ask("1m").read_from == T0 - BEFORE * NS_PER_MIN


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (ask("7m"), Malformed),
        (ask(pattern="cup"), Malformed),
        (ask(end=4_001), OverLimit),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(asked: PatternsAsked, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_asked(asked)
