"""Indicator values over recorded bars do not depend on the window that is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import numpy as np
import pytest

from actors.bar_text import BarBody
from actors.indicators_query import IndicatorsAnswer, IndicatorsAsked, parse_asked
from actors.local_directory import LocalDirectory, LocalSettings
from domain.clock import NS_PER_MIN, NS_PER_S, ManualClock, format_time
from domain.envelope import parse_cursor
from domain.errors import Malformed, OverLimit
from domain.indicators.bars import Bars
from domain.indicators.history import values
from domain.indicators.spec import parse_spec
from domain.market.observations import SplitAnnounced
from domain.market.splits import Split
from tests.builders import INSTRUMENT, T0, a_trade, at

pytestmark = pytest.mark.anyio

MINUTES = 700
FOREVER = T0 + 10**6 * NS_PER_S
FINITE = ("sma(50)", "ema(9)", "rsi(14)", "bbands(20,2).lower", "macd(3,6,2).signal", "vwap", "ema(3, vwap)")
WHOLE = ("obv", "supertrend(10,3)")


def price(minute: int) -> float:
    return round(100.0 + 7.0 * np.sin(minute / 9.0) + (minute * 37 % 11) / 10.0, 2)


@pytest.fixture
async def directory() -> AsyncIterator[LocalDirectory]:
    """A trade a minute, every seventh minute none; the newest bar forms."""
    made = await LocalDirectory.over_memory(
        1, clock=ManualClock(T0), settings=LocalSettings(projecting=False)
    )
    trades = [
        a_trade(price(minute), 1.0 + minute % 3, ts=at(60.0 * minute), trade_id=minute)
        for minute in range(MINUTES)
        if minute % 7
    ]
    await made.feed(trades)
    yield made
    await made.close()


def ask(*specs: str, minute: int | None = None, limit: int = 5, **changes: object) -> IndicatorsAsked:
    start = None if minute is None else T0 + minute * NS_PER_MIN
    fields = {"interval": "1m", "end": None if minute is None else FOREVER, "start": start}
    return IndicatorsAsked(INSTRUMENT, specs=specs, limit=limit, **(fields | changes))


async def answered(directory: LocalDirectory, asked: IndicatorsAsked) -> IndicatorsAnswer:
    return (await directory.indicators(asked))[0]


async def whole_history(directory: LocalDirectory, spec: str) -> dict[int, float]:
    rows, _ = await directory.bars(INSTRUMENT, "1m", 0, FOREVER, 10_000)
    columns = np.array([(row.open, row.high, row.low, row.close, row.volume) for row in rows]).T
    starts = np.array([row.ts_event for row in rows])
    found = values(parse_spec(spec), Bars(*columns, starts // (1440 * NS_PER_MIN)))
    return dict(zip(starts.tolist(), found.tolist(), strict=True))


@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize("minute", [0, 30, 333, MINUTES - 90])
async def test_any_window_gives_the_values_of_the_whole_history(
    directory: LocalDirectory, minute: int, projected: bool
) -> None:
    if projected:
        await directory.projected()
    answer = await answered(directory, ask(*FINITE, *WHOLE, minute=minute, limit=20))
    assert len(answer.starts) == 20 and all(each.settled for each in answer.specs)
    for spec, column in zip((*FINITE, *WHOLE), answer.values, strict=True):
        whole = await whole_history(directory, spec)
        expected = [whole[start] for start in answer.starts]
        got = [float("nan") if value is None else value for value in column]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9, err_msg=spec)


async def test_the_newest_bar_is_provisional_and_has_values(directory: LocalDirectory) -> None:
    answer = await answered(directory, ask("sma(3)", limit=4))
    assert answer.closed[0] and not answer.closed[-1]
    assert answer.starts[-1] == T0 + (MINUTES - 1) * NS_PER_MIN and answer.more is None
    rows, _ = await directory.bars(INSTRUMENT, "1m", 0, FOREVER, 10_000)
    assert answer.values[0][-1] == pytest.approx(sum(row.close for row in rows[-3:]) / 3)


async def test_pages_follow_each_other_without_a_seam(directory: LocalDirectory) -> None:
    await directory.projected()
    starts: list[int] = []
    found: list[float | None] = []
    asked = ask("rsi(5)", minute=100, limit=37)
    while True:
        answer = await answered(directory, asked)
        starts += answer.starts
        found += answer.values[0]
        if answer.more is None:
            break
        asked = ask("rsi(5)", limit=37, start=answer.more, end=FOREVER)
    rows, _ = await directory.bars(INSTRUMENT, "1m", T0 + 100 * NS_PER_MIN, FOREVER, 10_000)
    whole = await whole_history(directory, "rsi(5)")
    assert starts == [row.ts_event for row in rows]
    np.testing.assert_allclose(found, [whole[start] for start in starts], rtol=1e-9)


@pytest.mark.parametrize("projected", [True, False])
async def test_a_coarse_spec_is_told_from_its_bar_s_close_on(
    directory: LocalDirectory, projected: bool
) -> None:
    if projected:
        await directory.projected()
    answer = await answered(directory, ask("sma(2)@15m", minute=200, limit=60))
    rows, _ = await directory.bars(INSTRUMENT, "15m", 0, FOREVER, 10_000)
    length = 15 * NS_PER_MIN
    for start, value in zip(answer.starts, answer.values[0], strict=True):
        closed = [row.close for row in rows if row.ts_event + length <= start + NS_PER_MIN]
        assert value == pytest.approx((closed[-1] + closed[-2]) / 2)
    assert answer.specs[0].interval == "15m" and answer.specs[0].settled


async def test_no_value_before_there_are_enough_bars(directory: LocalDirectory) -> None:
    answer = await answered(directory, ask("sma(4)", "sma(2)@5m", minute=0, limit=6))
    assert answer.values[0][:4] == [None, None, None, answer.values[0][3]] and answer.values[0][3] is not None
    assert answer.values[1] == [None] * 6


async def test_the_past_is_told_as_it_was(directory: LocalDirectory) -> None:
    then = await directory.heads()
    before = await answered(directory, ask("ema(5)", minute=MINUTES - 20, limit=100))
    await directory.feed([a_trade(500.0, 1.0, ts=at(60.0 * MINUTES + 1), trade_id=10_001)])
    now = await answered(directory, ask("ema(5)", minute=MINUTES - 20, limit=100))
    past, _ = await directory.indicators(ask("ema(5)", minute=MINUTES - 20, limit=100), at=then)
    assert past == before and len(now.starts) == len(before.starts) + 1


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (ask("rsl(14)"), Malformed, "did you mean 'rsi'"),
        (ask("sma(5)@1m", interval="1h"), Malformed, "finer than the bars"),
        (ask("sma(9000)"), Malformed, "first value after 8999 bars"),
        (ask(), Malformed, "no spec"),
        (ask(*(f"sma({n})" for n in range(1, 19))), OverLimit, "18 specs"),
        (ask("vwap", session="noon"), Malformed, "session"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    asked: IndicatorsAsked, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said.replace("(", r"\(")):
        parse_asked(asked)


@pytest.mark.parametrize("spec", ["sma(50)", "rsi(14)", "obv", "vwap"])
async def test_after_a_split_history_equals_bars_adjusted_by_hand(
    directory: LocalDirectory, spec: str
) -> None:
    minute = 400
    await directory.feed(
        [SplitAnnounced("sim", INSTRUMENT, T0, T0, T0 + minute * NS_PER_MIN, split_from=2.0, split_to=3.0)]
    )
    answer = await answered(directory, ask(spec, minute=minute - 20, limit=40))
    rows, _ = await directory.bars(INSTRUMENT, "1m", 0, FOREVER, 10_000)
    columns = np.array([(row.open, row.high, row.low, row.close, row.volume) for row in rows]).T
    starts = np.array([row.ts_event for row in rows])
    before = starts < T0 + minute * NS_PER_MIN
    columns[:4, before] /= 1.5
    columns[4, before] *= 1.5
    found = values(parse_spec(spec), Bars(*columns, starts // (1440 * NS_PER_MIN)))
    by_hand = dict(zip(starts.tolist(), found.tolist(), strict=True))
    expected = [by_hand[start] for start in answer.starts]
    assert answer.values[0] == pytest.approx(expected, rel=1e-9)
    assert answer.splits == (Split(T0 + minute * NS_PER_MIN, 1.5),)


async def test_bars_are_told_in_the_shares_of_today_where_that_is_asked_for(
    directory: LocalDirectory,
) -> None:
    then = parse_cursor((await directory.heads()).encode())
    effective = T0 + 400 * NS_PER_MIN
    await directory.feed([SplitAnnounced("sim", INSTRUMENT, T0, T0, effective, split_from=1.0, split_to=4.0)])
    window = (INSTRUMENT, "1m", effective - 30 * NS_PER_MIN, effective + 30 * NS_PER_MIN, 100)
    plain, told = [
        msgspec.json.decode(
            (await directory.bars_page(*window, adjusted=adjusted))[0].items, type=list[BarBody]
        )
        for adjusted in (False, True)
    ]
    assert {bar.adjusted for bar in plain} == {False} and len(plain) == len(told) > 40
    for raw, bar in zip(plain, told, strict=True):
        by = 4.0 if raw.ts_event < format_time(effective) else 1.0
        assert (bar.open, bar.high, bar.low, bar.close) == pytest.approx(
            (raw.open / by, raw.high / by, raw.low / by, raw.close / by)
        )
        assert (bar.volume, bar.vwap, bar.adjusted) == (raw.volume * by, (raw.vwap or 0.0) / by, by != 1.0)
    past = [await directory.bars_page(*window, at=then, adjusted=adjusted) for adjusted in (False, True)]
    assert past[0] == past[1]
    now = [
        await directory.bars_page(
            *window, at=parse_cursor((await directory.heads()).encode()), adjusted=adjusted
        )
        for adjusted in (False, True)
    ]
    assert (
        now[0][0].items == past[0][0].items
        and msgspec.json.decode(now[1][0].items, type=list[BarBody]) == told
    )


async def test_the_past_knows_the_splits_of_then(directory: LocalDirectory) -> None:
    then = (await directory.heads()).encode()
    told = await answered(directory, ask("sma(5)", minute=300, limit=20))
    await directory.feed(
        [SplitAnnounced("sim", INSTRUMENT, T0, T0, T0 + 310 * NS_PER_MIN, split_from=1.0, split_to=2.0)]
    )
    past, _ = await directory.indicators(ask("sma(5)", minute=300, limit=20), at=parse_cursor(then))
    assert (past.values, past.splits) == (told.values, ())
    assert (await answered(directory, ask("sma(5)", minute=300, limit=20))).values != told.values
