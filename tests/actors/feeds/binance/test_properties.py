"""Whatever the bytes: parse and session return, and say why a frame was of no use."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import FeedSettings, HttpRequest, Origin
from actors.feeds.binance import adapter
from domain.clock import MAX_NS
from domain.market.observations import BookDelta, BookSnapshot, Observation, Quote, Trade
from tests.actors.feeds.binance.frames import (
    NOW,
    SPOT_WS,
    agg_trade,
    book_ticker,
    combined,
    depth,
    exchange_info,
    kline,
    raw,
    rest_agg_trades,
    snapshot_body,
)

MESSAGES: list[dict[str, Any]] = [agg_trade(), book_ticker(), depth(1, 2), depth(1, 2, pu=0), kline()]
BODIES = [exchange_info(), rest_agg_trades(1, 2), snapshot_body(5), raw(MESSAGES)]
FRAMES = [raw(each) for each in MESSAGES] + [combined("btcusdt@depth5", each) for each in MESSAGES] + BODIES
ENDPOINTS = [
    "", SPOT_WS, "https://api.binance.com/api/v3/depth?symbol=BTCUSDT", "x-1m-2021.csv",
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m", "http://[", "wss://h/ws/btcusdt@depth5",
]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["nan", "inf", "-1", "1e400", "", "0", "9" * 400, "aggTrade", "depthUpdate"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*"esabpqTtUuBAkmEc", "stream", "data", "code", "msg", "symbols", "bids"]), inner
        )
    ),
    max_leaves=12,
)


def sound(each: Observation) -> bool:
    """Finite, not negative, inside our times."""
    numbers: list[float | None] = []
    if isinstance(each, Trade):
        numbers = [each.price, each.size]
    elif isinstance(each, Quote):
        numbers = [each.bid, each.ask, each.bid_size, each.ask_size]
    elif isinstance(each, BookDelta | BookSnapshot):
        numbers = [number for level in each.bids + each.asks for number in level]
    in_time = 0 <= each.ts_event <= MAX_NS
    return in_time and all(number is None or (math.isfinite(number) and number >= 0) for number in numbers)


def check(frame: str | bytes, source: Any, endpoint: str) -> None:
    parsed = adapter().parse(frame, Origin(source, NOW, endpoint))
    assert all(sound(each) for each in parsed.observations)
    assert all(each.reason for each in parsed.rejects)
    session = adapter().session(FeedSettings())
    session.on_frame(0, frame, NOW, endpoint)
    session.on_response(HttpRequest(endpoint, "unsolicited"), 200, {}, frame, NOW)


@settings(max_examples=60, deadline=None)
@given(
    frame=st.sampled_from(FRAMES),
    cut=st.integers(0, 400),
    junk=st.binary(max_size=6),
    source=st.sampled_from(["ws", "http", "file"]),
    endpoint=st.sampled_from(ENDPOINTS),
)
def test_cut_and_dirty_frames_are_rejected_and_never_raise(
    frame: str, cut: int, junk: bytes, source: str, endpoint: str
) -> None:
    check(frame.encode()[:cut] + junk + frame.encode()[cut + len(junk) :], source, endpoint)


@settings(max_examples=80, deadline=None)
@given(
    message=st.sampled_from(MESSAGES),
    changes=st.dictionaries(st.sampled_from([*"esabpqTtUuBAkmE"]), JSON, max_size=3),
    stream=st.sampled_from(["", "btcusdt@aggTrade", "btcusdt@depth@100ms", "btcusdt@depth5", "!x@arr"]),
    endpoint=st.sampled_from(ENDPOINTS),
)
def test_wrong_types_and_values_never_raise_and_give_nothing_unsound(
    message: dict[str, Any], changes: dict[str, Any], stream: str, endpoint: str
) -> None:
    changed = message | changes
    check(combined(stream, changed) if stream else raw(changed), "ws", endpoint)


@settings(max_examples=80, deadline=None)
@given(value=JSON, source=st.sampled_from(["ws", "http", "file"]), endpoint=st.sampled_from(ENDPOINTS))
def test_any_json_at_all_never_raises(value: Any, source: str, endpoint: str) -> None:
    check(json.dumps(value), source, endpoint)


@settings(max_examples=40, deadline=None)
@given(frame=st.sampled_from(FRAMES), depth_of_nest=st.integers(0, 3000))
def test_nesting_and_size_never_raise(frame: str, depth_of_nest: int) -> None:
    nested = '{"stream":"a@b","data":' * depth_of_nest + frame + "}" * depth_of_nest
    check(nested, "ws", SPOT_WS)
    check("[" * depth_of_nest + frame + "]" * depth_of_nest, "http", SPOT_WS)
    check(frame.replace("100", "9" * (depth_of_nest + 1)), "ws", SPOT_WS)


@settings(max_examples=40, deadline=None)
@given(frames=st.lists(st.sampled_from(FRAMES), max_size=6), frame=st.sampled_from(FRAMES))
def test_the_same_bytes_give_the_same_facts(frames: list[str], frame: str) -> None:
    first, second = adapter(), adapter()
    origin = Origin("ws", NOW, SPOT_WS)
    for each in frames:
        assert first.parse(each, origin) == second.parse(each, origin)
    assert first.parse(frame, origin) == second.parse(frame, origin) == first.parse(frame.encode(), origin)
