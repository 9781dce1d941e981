from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import numpy as np
import pytest

from domain.patterns.candles import CandleScanner, CandleState, candles_in
from domain.patterns.events import PatternEvent
from tests.patterns_set import random_walk

talib = pytest.importorskip("talib")
FUNCTIONS = talib.get_function_groups()["Pattern Recognition"]


def scan(bars: np.ndarray) -> list[PatternEvent]:
    scanner = CandleScanner()
    return [event for row, bar in enumerate(bars.tolist()) for event in scanner.observe(row, *bar)]


def by_talib(bars: np.ndarray) -> set[tuple[int, str, int]]:
    columns = [np.ascontiguousarray(column) for column in bars.T]
    answers = ((name, getattr(talib, name)(*columns)) for name in FUNCTIONS)
    return {
        (int(row), f"cdl_{name[3:].lower()}", int(np.sign(values[row])))
        for name, values in answers
        for row in np.flatnonzero(values)
    }


def test_bar_by_bar_gives_what_talib_gives_for_the_whole_series(shared_data: Path) -> None:
    with (shared_data / "ohlcv/backtesting/GOOG.csv").open() as opened:
        rows = list(csv.reader(opened))[1:700]
    bars = np.array([[float(cell) for cell in row[1:5]] for row in rows])
    found = {(event.row, event.pattern, event.direction) for event in scan(bars)}
    assert found == by_talib(bars) and len(found) > 300


def test_a_whole_table_at_once_gives_what_bar_by_bar_gives(shared_data: Path) -> None:
    with (shared_data / "ohlcv/backtesting/GOOG.csv").open() as opened:
        rows = list(csv.reader(opened))[1:400]
    bars = np.array([[float(cell) for cell in row[1:5]] for row in rows])
    bars[50] = np.nan
    found = candles_in(range(len(bars)), bars)
    assert found == sorted(scan(bars), key=lambda event: event.row) and len(found) > 150
    assert candles_in([], np.empty((0, 4))) == []


def test_a_restored_candle_scanner_goes_on() -> None:
    bars = random_walk(120, np.random.default_rng(1)).tolist()
    first = CandleScanner()
    for row, bar in enumerate(bars[:50]):
        first.observe(row, *bar)
    second = CandleScanner()
    second.restore(msgspec.convert(msgspec.to_builtins(first.snapshot()), CandleState))
    later = [(first.observe(row, *bar), second.observe(row, *bar)) for row, bar in enumerate(bars[50:], 50)]
    assert all(mine == other for mine, other in later) and any(mine for mine, _ in later)


def test_every_candlestick_is_a_confirmed_fact_without_a_life() -> None:
    events = scan(random_walk(150, np.random.default_rng(4)))
    assert {(event.state, event.figure, event.target) for event in events} == {("confirmed", 0, None)}
    assert {event.confidence for event in events} <= {0.8, 1.0}
