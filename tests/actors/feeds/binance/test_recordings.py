"""Half a minute each of Binance.US and the USD-M futures, recorded in 2021, played through the session."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from actors.feeds.base import FeedSettings, HttpRequest
from actors.feeds.binance import adapter
from domain.market.book import OrderBook
from domain.market.observations import BookDelta, BookSnapshot, Gap, Observation

RECORDINGS = {"BINANCE_US": "binance_us.jsonl", "BINANCE_FUTURES": "binance_futures.jsonl"}
SYMBOLS = {
    "BINANCE_US": ["COMPUSDT", "CRVUSDT", "OMGBUSD", "ZRXUSDT"],
    "BINANCE_FUTURES": ["AKROUSDT", "KEEPUSDT"],
}
COUNTS = {
    "BINANCE_US": {"trade": 11, "bar": 5, "quote": 128, "instrument": 4},
    "BINANCE_FUTURES": {"trade": 13, "bar": 13, "quote": 163},
}

Line = dict[str, Any]


def lines_of(shared_data: Path, name: str) -> list[Line]:
    text = (shared_data / "captures" / RECORDINGS[name]).read_text()
    return [json.loads(line) for line in text.splitlines()]


class Player:
    """A session over recorded lines, answering its requests from the HTTP lines; folds the books."""

    def __init__(self) -> None:
        self._adapter = adapter()
        self._session = self._adapter.session(FeedSettings())
        self._outstanding: list[HttpRequest] = []
        self._opened = False
        self.seen: list[Observation] = []
        self.books: dict[str, OrderBook] = {}
        self.resynced: list[tuple[str, str]] = []
        self.rejects = 0

    def play(self, lines: Iterable[Line]) -> Player:
        for line in lines:
            self.step(line)
        return self

    def step(self, line: Line) -> None:
        now, session = line["ts_recv"], self._session
        if not self._opened:
            self._opened = True
            session.on_start(now)
            session.on_open(0, now)
        if line["source"] == "http":
            effects = session.on_response(self._asked(line["endpoint"]), 200, {}, line["frame"], now)
        elif line["source"] == "close":
            effects = session.on_close(0, line["frame"], now)
        else:
            effects = session.on_frame(0, line["frame"], now, line["endpoint"])
        self._outstanding += effects.requests
        self.resynced += effects.resynced
        self.rejects += len(effects.rejects)
        for each in effects.observations:
            self._fold(each)

    def _asked(self, endpoint: str) -> HttpRequest:
        for request in self._outstanding:
            if self._adapter.match(request, endpoint):
                self._outstanding.remove(request)
                return request
        return HttpRequest(endpoint, "unsolicited")

    def _fold(self, each: Observation) -> None:
        self.seen.append(each)
        book = self.books.setdefault(each.instrument, OrderBook())
        if isinstance(each, BookSnapshot):
            book.apply_snapshot(each)
        elif isinstance(each, BookDelta):
            assert each.prev_sequence == book.sequence
            assert book.apply_delta(each) is None
        elif isinstance(each, Gap) and each.opened:
            book.break_()

    def book_of(self, symbol: str) -> OrderBook:
        (found,) = [
            book for name, book in self.books.items() if name.partition(".")[0].replace("-", "") == symbol
        ]
        return found


def levels(rows: list[list[str]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(price), float(size)) for price, size in rows)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_ends_in_the_books_computed_independently(shared_data: Path, name: str) -> None:
    expected = json.loads((shared_data / "binance/ws_capture/EXPECTED_final_books.json").read_text())[name]
    player = Player().play(lines_of(shared_data, name))

    assert sorted(expected) == SYMBOLS[name]
    for symbol, wanted in expected.items():
        book = player.book_of(symbol)
        assert book.sequence == wanted["final_u"]
        assert book.top(10) == (levels(wanted["final_top10_bids"]), levels(wanted["final_top10_asks"]))
        assert [len(side) for side in book.top(10_000)] == wanted["final_levels"]
    kinds = Counter(each.kind for each in player.seen)
    assert kinds["gap"] == player.rejects == 0
    assert player.resynced == []
    assert kinds["book_delta"] == sum(wanted["applied"] for wanted in expected.values())
    assert {kind: count for kind, count in kinds.items() if "book" not in kind} == COUNTS[name]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_best_price_with_the_books_own_update_id_equals_the_book(shared_data: Path, name: str) -> None:
    player = Player()
    of_book: dict[tuple[str, int | None], tuple[object, object]] = {}
    of_ticker: dict[tuple[str, int | None], tuple[object, object]] = {}
    for line in lines_of(shared_data, name):
        player.step(line)
        data = json.loads(line["frame"]).get("data", {})
        if "B" in data and "b" in data:
            best = ((float(data["b"]), float(data["B"])), (float(data["a"]), float(data["A"])))
            of_ticker[data["s"], data["u"]] = best
        for instrument, book in player.books.items():
            if book.usable:
                symbol = instrument.partition(".")[0].replace("-", "")
                of_book[symbol, book.sequence] = (book.top(1)[0][0], book.top(1)[1][0])
    both = of_book.keys() & of_ticker.keys()
    assert len(both) >= 20
    assert {key: of_book[key] for key in both} == {key: of_ticker[key] for key in both}


@pytest.mark.parametrize(("name", "symbol"), [("BINANCE_US", "OMGBUSD"), ("BINANCE_FUTURES", "AKROUSDT")])
def test_a_diff_cut_out_of_a_recording_is_a_gap_until_the_next_snapshot(
    shared_data: Path, name: str, symbol: str
) -> None:
    lines = lines_of(shared_data, name)
    diffs = [
        i for i, line in enumerate(lines) if f'"s":"{symbol}"' in line["frame"] and "pthUpd" in line["frame"]
    ]
    cut = diffs[len(diffs) // 2]
    lost = json.loads(lines[cut]["frame"])["data"]
    before = json.loads(lines[diffs[len(diffs) // 2 - 1]]["frame"])["data"]
    player = Player().play(lines[:cut] + lines[cut + 1 :])

    gaps = [each for each in player.seen if isinstance(each, Gap)]
    assert [(each.channel, each.first, each.last, each.opened) for each in gaps] == [
        ("book", before["u"] + 1, lost["u"], True)
    ]
    assert player.resynced == []
    assert not player.book_of(symbol).usable
    assert player.book_of(symbol).top(1) == ((), ())

    last = json.loads(lines[diffs[-1]]["frame"])["data"]["u"]
    endpoint = next(line["endpoint"] for line in lines if f"symbol={symbol}&" in line["endpoint"])
    body = json.dumps({"lastUpdateId": last, "bids": [["1", "2"]], "asks": [["3", "4"]]})
    player.step({"ts_recv": lines[-1]["ts_recv"], "source": "http", "endpoint": endpoint, "frame": body})
    assert player.book_of(symbol).sequence == last
    assert player.book_of(symbol).usable
    assert player.resynced == [(gaps[0].instrument, "book")]


def test_a_recording_that_loses_its_socket_has_no_book_after_it(shared_data: Path) -> None:
    lines = lines_of(shared_data, "BINANCE_US")
    closed = {"ts_recv": lines[300]["ts_recv"], "source": "close", "endpoint": "", "frame": "reset"}
    player = Player().play([*lines[:300], closed, *lines[300:]])
    assert not any(player.book_of(symbol).usable for symbol in SYMBOLS["BINANCE_US"])
    opened = [each for each in player.seen if isinstance(each, Gap) and each.opened]
    assert Counter(each.channel for each in opened) == {"feed": 4}
