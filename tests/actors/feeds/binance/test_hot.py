"""The short way gives what the long way gives: bytes always take the long one, text the short one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Effects, FeedSettings
from actors.feeds.binance import adapter
from actors.feeds.binance.hot import HotDepth, HotTrade, read_hot
from actors.feeds.binance.session import BinanceSession
from actors.feeds.binance.wire import BookTicker
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

SNAPSHOT = '{"lastUpdateId":10,"bids":[["100.0","1.5"]],"asks":[["101.0","2"]]}'

trades = st.builds(trade_frame, st.integers(1, 12), T=st.sampled_from([NOW // 10**6, NOW // 1000]))
books = st.builds(
    lambda first, length, previous: depth_frame(first, first + length, pu=previous),
    st.integers(9, 16),
    st.integers(-1, 3),
    st.integers(8, 16),
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
    frames=st.lists(trades | books | quotes | partials | others | closing, max_size=40),
    endpoint=st.sampled_from(["", SPOT_WS, USDM_WS]),
)
@settings(max_examples=60, deadline=None)
def test_short_and_long_way_have_the_same_effects(frames: list[str], endpoint: str) -> None:
    short, long = opened(), opened()
    for number, frame in enumerate(frames):
        now = NOW + number
        assert step(short, frame, now, endpoint) == step(long, frame.encode(), now, endpoint)


def opened() -> BinanceSession:
    session = adapter().session(FeedSettings(instruments=("BTC-USDT.BINANCE",), backfill_bars=0))
    session.on_start(NOW)
    session.on_open(0, NOW)
    return session


def step(session: BinanceSession, frame: str | bytes, now: int, endpoint: str) -> list[Effects]:
    """The frame's effects, and those of the answers to what it made the session ask for."""
    if frame in ("close", b"close"):
        return [session.on_close(0, "reset", now), session.on_open(0, now)]
    first = session.on_frame(0, frame, now, endpoint)
    answers = [
        session.on_response(asked, 200, {}, SNAPSHOT, now)
        for asked in first.requests
        if asked.purpose.startswith("book")
    ]
    return [first, *answers]


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_frames_take_the_short_way_to_the_same_end(shared_data: Path, name: str) -> None:
    short, long = adapter().session(FeedSettings()), adapter().session(FeedSettings())
    hot = 0
    for line in lines_of(shared_data, name):
        if line["source"] != "ws":
            continue
        told = (line["ts_recv"], line["endpoint"])
        hot += read_hot(line["frame"]) is not None
        assert short.on_frame(0, line["frame"], *told) == long.on_frame(0, line["frame"].encode(), *told)
    assert hot > 50


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (trade_frame(7), HotTrade),
        (depth_frame(1, 2), HotDepth),
        (combined("btcusdt@bookTicker", book_ticker()), BookTicker),
        (combined("btcusdt@depth5@100ms", depth(1, 2)), type(None)),
        (combined("btcusdt@kline_1m", {"e": "kline"}), type(None)),
        ("{}", type(None)),
    ],
)
def test_only_the_most_frequent_messages_are_hot(frame: str, kind: type) -> None:
    assert type(read_hot(frame)) is kind
