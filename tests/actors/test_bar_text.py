"""Pages of bars as JSON: what one would write bar by bar, whatever was written before."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from msgspec.structs import replace

from actors.answers import BarRow
from actors.bar_text import PIECE_BARS, BarsPage, BarTexts, bar_body
from actors.bars_query import row_of
from domain.clock import NS_PER_MIN, format_time
from storage.read_models.bars import ListedRun, Source, StoredBar

NAME = "BTC-USD.SIM"
T0 = 1_700_006_400 * 10**9


def a_bar(minute: int, close: float = 100.5, *, closed: bool = True) -> StoredBar:
    start = T0 + minute * NS_PER_MIN
    received = start + 61_000_000_123
    prices = (100.0, 101.0, 99.0, close, 3.25)
    source = Source.BUILT
    return StoredBar(NAME, "1m", start, received, "sim", *prices, 7, 100.1, closed, False, 0, False, source)


def bars(first: int, last: int) -> list[StoredBar]:
    return [a_bar(minute) for minute in range(first, last)]


def rows(first: int, last: int) -> list[BarRow]:
    return [row_of(bar) for bar in bars(first, last)]


def page(texts: BarTexts, stored: list[StoredBar], later: list[BarRow], count: int = 5_000) -> BarsPage:
    return texts.page(NAME, "1m", ListedRun(stored), later, count)


def plainly(all_rows: list[BarRow]) -> bytes:
    return msgspec.json.encode([bar_body(row) for row in all_rows])


def test_a_bar_is_told_with_its_times_as_text_and_its_fields_by_name() -> None:
    (told,) = json.loads(page(BarTexts(), bars(3, 4), []).items)
    assert told["ts_event"] == format_time(T0 + 3 * NS_PER_MIN)
    assert told["ts_recv"] == "2023-11-15T00:04:01.000000123Z"
    assert (told["instrument"], told["interval"], told["provider"]) == (NAME, "1m", "sim")
    assert (told["open"], told["close"], told["trades"], told["closed"]) == (100.0, 100.5, 7, True)


def test_a_page_is_what_its_bars_are_one_by_one_wherever_it_is_cut() -> None:
    rng, texts = random.Random(5), BarTexts()
    for _ in range(200):
        first, seam, last = sorted(rng.randrange(400) for _ in range(3))
        count = rng.choice((1, 63, 64, 65, 5_000, max(1, last - first)))
        found = page(texts, bars(first, seam), rows(seam, last), count)
        everything = rows(first, last)
        assert found.items == plainly(everything[:count])
        assert found.following == (everything[count].ts_event if len(everything) > count else None)
        assert found == texts.page_of(NAME, "1m", everything, count)


def test_a_window_that_moves_on_finds_what_was_written_for_the_one_before() -> None:
    texts = BarTexts()
    page(texts, bars(0, 640), [])
    held = texts.bytes_held
    moved = page(texts, bars(1, 641), [])
    new = texts.bytes_held - held
    assert moved.items == plainly(rows(1, 641))
    assert 0 < new < held * 0.15


def test_a_corrected_bar_is_told_anew_and_the_tag_with_it() -> None:
    texts, stored = BarTexts(), bars(0, 200)
    before = page(texts, stored, [])
    stored[70] = replace(stored[70], close=42.0, revision=1)
    after = page(texts, stored, [])
    assert after.items == plainly([row_of(bar) for bar in stored])
    assert after.tag != before.tag
    stored[70] = a_bar(70)
    assert page(texts, stored, []) == before


def test_the_same_bars_have_the_same_tag_whatever_part_of_them_is_stored() -> None:
    pages = {seam: page(BarTexts(), bars(0, seam), rows(seam, 150)) for seam in (0, 1, 64, 100, 150)}
    assert len({found.tag for found in pages.values()}) == 1
    assert len({page(BarTexts(), bars(0, last), []).tag for last in range(150)}) == 150


def test_bars_of_another_instrument_or_interval_are_not_taken_for_these() -> None:
    texts = BarTexts()
    page(texts, bars(0, 64), [])
    other = [replace(bar, instrument="ETH-USD.SIM") for bar in bars(0, 64)]
    assert b"ETH-USD" in texts.page("ETH-USD.SIM", "1m", ListedRun(other), [], 64).items
    hours = [replace(bar, interval="5m") for bar in bars(0, 64)]
    assert b'"interval":"5m"' in texts.page(NAME, "5m", ListedRun(hours), [], 64).items


def test_no_more_than_so_many_bytes_are_remembered_and_those_used_last() -> None:
    one = BarTexts()
    page(one, bars(0, PIECE_BARS), [])
    texts = BarTexts(most_bytes=3 * one.bytes_held)
    for _ in range(4):
        page(texts, bars(0, PIECE_BARS), [])
        for number in range(1, 8):
            page(texts, bars(number * PIECE_BARS, (number + 1) * PIECE_BARS), [])
            page(texts, bars(0, PIECE_BARS), [])
            assert texts.bytes_held <= 3 * one.bytes_held
    held = texts.bytes_held
    assert page(texts, bars(0, PIECE_BARS), []).items == plainly(rows(0, PIECE_BARS))
    assert texts.bytes_held == held


@pytest.mark.parametrize("count", [1, 500])
def test_a_page_without_bars_is_an_empty_list(count: int) -> None:
    assert page(BarTexts(), [], [], count).items == b"[]"
