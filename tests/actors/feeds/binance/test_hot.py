"""The short way gives what the long way gives, however the frames are cut into runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Effects, FeedSettings
from actors.feeds.binance import adapter
from actors.feeds.binance import session as binance_session
from actors.feeds.binance.context import Context, Frame
from actors.feeds.binance.parse import parse_in
from actors.feeds.binance.session import BinanceSession
from tests.actors.feeds.binance.frames import (
    NOW,
    SPOT_WS,
    USDM_WS,
    agg_trade,
    book_ticker,
    combined,
    depth,
    depth_frame,
    trade_frame,
)
from tests.actors.feeds.binance.test_recordings import RECORDINGS, lines_of
from tests.actors.feeds.runs import cut, one_by_one

SNAPSHOT = '{"lastUpdateId":10,"bids":[["100.0","1.5"]],"asks":[["101.0","2"]]}'

NOW_MS = NOW // 10**6
times = st.sampled_from([NOW_MS, NOW_MS, NOW_MS + 5, NOW_MS + 10, NOW_MS + 15, 0, NOW // 1000])
trades = st.builds(trade_frame, st.integers(1, 12), T=times) | st.builds(
    trade_frame, st.integers(1, 12), T=times, st=st.sampled_from([1, 2])
)
books = st.builds(
    lambda first, length, previous, ms: depth_frame(first, first + length, pu=previous, E=ms),
    st.integers(4, 16),
    st.integers(-1, 3),
    st.integers(3, 16),
    times,
)
other_books = st.builds(
    lambda first: combined("btcusdt@rpiDepth@500ms", depth(first, first + 1, pu=first - 1)),
    st.integers(9, 16),
)
quotes = st.builds(
    lambda bid: combined("btcusdt@bookTicker", book_ticker(b=bid)), st.sampled_from(["0", "25.35", "-1"])
)
partials = st.just(combined("btcusdt@depth5@100ms", depth(1, 2)))
others = st.sampled_from(
    [
        combined("btcusdt@trade", {"e": "trade", "s": "BTCUSDT"}),
        combined("btcusdt@aggTrade", agg_trade(3, q="nan")),
        '{"stream":"btcusdt@aggTrade","data":',
        '{"result":null,"id":1}',
    ]
)
closing = st.just("close")


@given(
    frames=st.lists(trades | books | other_books | quotes | partials | others | closing, max_size=40),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    endpoint=st.sampled_from(["", SPOT_WS, USDM_WS]),
)
@settings(max_examples=80, deadline=None)
def test_short_and_long_way_have_the_same_effects_however_runs_are_cut(
    frames: list[str], lengths: list[int], endpoint: str
) -> None:
    short, long = opened(), opened()
    received = [(frame, NOW + number) for number, frame in enumerate(frames)]
    for run in cut(received, lengths):
        if run[0][0] == "close":
            assert reopened(short, run[0][1]) == reopened(long, run[0][1])
            continue
        effects = short.take_frames(0, run, endpoint)
        assert effects == one_by_one(long, run, endpoint)
        for asked in effects.requests:
            if asked.purpose.startswith("book"):
                now = run[-1][1]
                answers = [each.on_response(asked, 200, {}, SNAPSHOT, now) for each in (short, long)]
                assert answers[0] == answers[1]


def opened() -> BinanceSession:
    session = adapter().session(FeedSettings(instruments=("BTC-USDT.BINANCE",), backfill_bars=0))
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session


def reopened(session: BinanceSession, now: int) -> list[Effects]:
    return [session.on_close(0, "reset", now), session.on_open(0, now)]


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> list[str | bytes]:
    """The frames that took the long way."""
    seen: list[str | bytes] = []

    def noting(payload: str | bytes, context: Context) -> Frame:
        seen.append(payload)
        return parse_in(payload, context)

    monkeypatch.setattr(binance_session, "parse_in", noting)
    return seen


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_frames_take_the_short_way_to_the_same_end(
    shared_data: Path, name: str, long_way: list[str | bytes]
) -> None:
    frames = [line for line in lines_of(shared_data, name) if line["source"] == "ws"]
    for endpoint in dict.fromkeys(line["endpoint"] for line in frames):
        short, long = adapter().session(FeedSettings()), adapter().session(FeedSettings())
        told = [(line["frame"], line["ts_recv"]) for line in frames if line["endpoint"] == endpoint]
        for run in cut(told, [7, 1, 64]):
            assert short.take_frames(0, run, endpoint) == one_by_one(long, run, endpoint)
    assert sum(isinstance(frame, str) for frame in long_way) < len(frames) - 50


@pytest.mark.parametrize(
    ("frame", "is_short"),
    [
        (trade_frame(7), True),
        (trade_frame(8), False),
        (depth_frame(12, 13), True),
        (depth_frame(13, 13), False),
        (combined("btcusdt@bookTicker", book_ticker()), True),
        (combined("btcusdt@bookTicker", book_ticker(T=NOW // 10**6, E=NOW // 10**6)), True),
        (combined("btcusdt@other", book_ticker()), False),
        (combined("btcusdt@depth5@100ms", depth(12, 13)), False),
        (combined("btcusdt@kline_1m", {"e": "kline"}), False),
        ("{}", False),
        ("", False),
    ],
)
def test_only_what_simply_continues_is_short(frame: str, is_short: bool, long_way: list[str | bytes]) -> None:
    session = opened()
    quote = combined("btcusdt@bookTicker", book_ticker())
    first = session.take_frames(0, [(each, NOW) for each in (trade_frame(6), depth_frame(10, 10), quote)])
    asked = next(each for each in first.requests if each.purpose.startswith("book"))
    session.on_response(asked, 200, {}, SNAPSHOT, NOW)
    session.take_frames(0, [(depth_frame(11, 11), NOW)])
    long_way.clear()
    session.on_frame(0, frame, NOW)
    assert (long_way == []) is is_short


def test_a_channel_that_has_moved_is_short_on_its_new_connection_alone(long_way: list[str | bytes]) -> None:
    session = opened()
    for connection in (0, 1):
        session.on_frame(connection, trade_frame(6 + connection), NOW)
    long_way.clear()
    session.on_frame(1, trade_frame(8), NOW)
    assert long_way == []
    session.on_frame(0, trade_frame(9), NOW)
    session.on_frame(0, trade_frame(10), NOW)
    assert long_way == [trade_frame(9)]


def test_frames_that_end_with_their_symbol_type_are_short(long_way: list[str | bytes]) -> None:
    session = opened()
    told = [trade_frame(number, st=1) for number in (6, 7)]
    told += [combined("btcusdt@bookTicker", book_ticker(T=NOW_MS, st=1))] * 2
    for frame in told:
        session.on_frame(0, frame, NOW, USDM_WS)
    assert long_way == [told[0], told[2]]
