"""Kraken WebSocket v2 frames as documented, and noise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import FeedSettings
from actors.feeds.kraken import adapter
from domain.clock import parse_time
from domain.market.observations import Bar, BookDelta, BookSnapshot, InstrumentInfo, Quote, Ticker, Trade
from tests.actors.feeds.kraken.frames import (
    ACK,
    AT,
    GUIDE_CHECKSUM,
    OHLC,
    PONG,
    RECV,
    STATUS,
    TICKER,
    TIME,
    WS,
    book,
    guide_snapshot,
    instrument,
    refusal,
    text,
    trade,
)

KRAKEN = adapter()
COMMON = ("kraken", "BTC-USD.KRAKEN")


def parsed(frame: Any) -> list[Any]:
    answer = KRAKEN.parse(frame if isinstance(frame, str) else text(frame), WS)
    assert answer.rejects == []
    return answer.observations


def rejected(payload: Any) -> tuple[str, str]:
    answer = KRAKEN.parse(payload if isinstance(payload, str | bytes) else text(payload), WS)
    assert answer.observations == []
    [reject] = answer.rejects
    return reject.reject_class, reject.reason


def changed(frame: str, **change: Any) -> dict[str, Any]:
    """The frame with fields of its first row changed; None removes one."""
    decoded: dict[str, Any] = json.loads(frame)
    row = {**decoded["data"][0], **change}
    decoded["data"] = [{name: value for name, value in row.items() if value is not None}]
    return decoded


def test_a_snapshot_and_an_update_keep_their_checksums() -> None:
    [whole] = parsed(guide_snapshot())
    assert isinstance(whole, BookSnapshot)
    assert (whole.instrument, whole.ts_event, whole.checksum) == (COMMON[1], AT, GUIDE_CHECKSUM)
    assert (whole.bids[0], whole.asks[0], len(whole.bids)) == ((45283.5, 0.1), (45285.2, 0.001), 10)
    [delta] = parsed(book("update", [("45283.5", "0")], [("45285.2", "0.5")], 2114181697))
    assert delta == BookDelta(*COMMON, AT, RECV, ((45283.5, 0.0),), ((45285.2, 0.5),), checksum=2114181697)


def test_a_book_without_a_time_takes_ours() -> None:
    assert parsed(changed(guide_snapshot(), timestamp=None))[0].ts_event == RECV


def test_a_trades_side_is_the_takers() -> None:
    frame = json.loads(trade(1, 2))
    frame["data"][1]["side"] = "buy"
    sold, bought = parsed(frame)
    assert sold == Trade(*COMMON, AT, RECV, 105910.5, 0.0001246, "sell", "1")
    assert (bought.side, bought.trade_id) == ("buy", "2")


def test_a_ticker_is_a_quote_and_a_summary_in_percent() -> None:
    at = parse_time("2022-12-25T09:30:59.123456Z")
    assert parsed(TICKER) == [
        Quote(*COMMON, at, RECV, 105944.2, 2.5, 105944.3, 3.2),
        Ticker(
            *COMMON, at, RECV, 105899.4, high=106613.1, low=104711.0, volume=163.28908096, change_pct=0.24
        ),
    ]


def test_a_falling_price_has_a_negative_change() -> None:
    assert parsed(changed(text(TICKER), change_pct=-3.5))[1].change_pct == -3.5


def test_an_ohlc_row_is_a_bar_that_is_never_called_closed() -> None:
    at = parse_time("2023-10-04T16:25:00Z")
    expected = Bar(
        "kraken",
        "MATIC-USD.KRAKEN",
        at,
        RECV,
        "5m",
        0.5624,
        0.5628,
        0.5622,
        0.5627,
        30927.68066226,
        12,
        0.5626,
        False,
    )
    assert parsed(OHLC) == [expected]
    assert parsed(changed(text(OHLC), trades=0))[0].vwap is None


def test_the_instrument_channel_tells_precisions() -> None:
    [info] = parsed(instrument())
    assert info == InstrumentInfo(
        *COMMON,
        RECV,
        RECV,
        "BTC/USD",
        "BTC",
        "USD",
        price_precision=1,
        size_precision=8,
        tick_size=0.1,
        lot_size=1e-8,
    )
    assert parsed(instrument(status="cancel_only"))[0].status == "halted"
    assert parsed(instrument(status="delisted"))[0].status == "closed"


@pytest.mark.parametrize(
    "frame", [STATUS, PONG, ACK, {"channel": "heartbeat"}, {"method": "unsubscribe", "success": True}]
)
def test_signs_of_life_and_acknowledgements_give_nothing(frame: Any) -> None:
    assert parsed(frame) == []


@pytest.mark.parametrize(
    ("frame", "kind", "word"),
    [
        (refusal("Currency pair not supported XXX/USD"), "not_found", "XXX/USD"),
        ({"Error": "Exceeded msg rate"}, "throttled", "Exceeded msg rate"),
        ({"error": "Malformed request", "method": "error", "success": False}, "bad_request", "Malformed"),
        (refusal("EGeneral:Permission denied"), "auth", "Permission"),
        (refusal("EService:Unavailable"), "upstream", "Unavailable"),
        ({"method": "subscribe", "success": False}, "bad_request", "without a reason"),
        ({"channel": "executions", "type": "snapshot", "data": []}, "unsupported", "executions"),
    ],
)
def test_refusals_have_a_class(frame: Any, kind: str, word: str) -> None:
    found, reason = rejected(frame)
    assert found == kind
    assert word in reason


@pytest.mark.parametrize(
    ("frame", "fields"),
    [
        (trade(1), ("symbol", "side", "price", "qty", "trade_id", "timestamp")),
        (text(TICKER), ("symbol", "last")),
        (text(OHLC), ("symbol", "interval", "interval_begin", "open", "high", "low", "close", "volume")),
        (guide_snapshot(), ("symbol",)),
    ],
)
def test_a_missing_field_is_a_reject_that_names_it(frame: str, fields: tuple[str, ...]) -> None:
    for field in fields:
        kind, reason = rejected(changed(frame, **{field: None}))
        assert kind == "malformed"
        assert f"`{field}`" in reason
    for field in ("type", "data"):
        kind, reason = rejected({name: value for name, value in json.loads(frame).items() if name != field})
        assert kind == "malformed"
        assert f"`{field}`" in reason


def test_a_book_without_sides_is_malformed() -> None:
    kind, reason = rejected(changed(guide_snapshot(), bids=None, asks=None))
    assert (kind, "`bids`" in reason) == ("malformed", True)


@pytest.mark.parametrize(
    "level",
    [
        '{"price":1}',
        '{"price":-1,"qty":1}',
        '{"price":1,"qty":-1}',
        '{"price":"nan","qty":1}',
        '{"price":1,"qty":null}',
        '{"price":[1],"qty":1}',
        "[1,2]",
        '{"price":1e999,"qty":1}',
        '{"price":0,"qty":1}',
    ],
)
def test_a_nonsense_level_rejects_its_book(level: str) -> None:
    frame = f'{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[{level}],"asks":[]}}]}}'
    assert rejected(frame)[0] == "malformed"


@pytest.mark.parametrize("checksum", [-1, 1 << 32, "x"])
def test_a_checksum_has_32_bits(checksum: Any) -> None:
    assert rejected(changed(guide_snapshot(), checksum=checksum))[0] == "malformed"


def test_a_bad_row_rejects_itself_alone() -> None:
    frame = json.loads(trade(1, 2, 3))
    frame["data"][1]["price"] = "nan"
    answer = KRAKEN.parse(text(frame), WS)
    assert [each.trade_id for each in answer.observations if isinstance(each, Trade)] == ["1", "3"]
    assert "price" in answer.rejects[0].reason
    frame["data"][1] = {**frame["data"][0], "timestamp": "soon"}
    assert len(KRAKEN.parse(text(frame), WS).observations) == 2


def test_numbers_may_be_text_and_unknown_fields_are_ignored() -> None:
    assert parsed(changed(trade(1), price="105910.5", qty="0.0001246", trade_id="1", new=[1])) == parsed(
        trade(1)
    )
    quoted = changed(guide_snapshot(), bids=[{"price": "45283.5", "qty": "0.10000000"}])
    assert parsed(quoted)[0].bids == ((45283.5, 0.1),)


def test_white_space_before_a_frame_is_no_matter() -> None:
    assert parsed(" \n\t" + trade(1)) == parsed(trade(1))
    assert KRAKEN.parse(b" \n" + trade(1).encode(), WS).observations == parsed(trade(1))


@pytest.mark.parametrize(
    "payload",
    [
        "",
        " ",
        "{",
        "[",
        "null",
        "1",
        '"x"',
        b"\xff\xfe",
        '"\ud800"',
        "{}",
        "[1]",
        "[[[]]]",
        b'{"a":' * 5000,
        "[" * 100_000,
        '{"channel":1}',
        '{"event":1}',
    ],
)
def test_what_is_no_message_is_malformed(payload: str | bytes) -> None:
    kind, reason = rejected(payload)
    assert kind == "malformed"
    assert reason


V1_BOOK = (
    '[992,{"b":[["354.15000000","5.00000000","1618678133.365913"]],"c":"2583817756"},"book-1000","XMR/USD"]'
)
V1_TRADE = '[993,[["354.11000000","0.89594024","1618678142.557535","s","l",""]],"trade","XMR/USD"]'
FRAMES = [guide_snapshot(), trade(1, 2), text(TICKER), text(OHLC), instrument(), text(ACK), V1_BOOK, V1_TRADE]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def corrupt(value: Any, data: st.DataObject) -> Any:
    """Put anything in some place of a decoded frame."""
    keys: list[Any] = (
        sorted(value)
        if isinstance(value, dict)
        else list(range(len(value)))
        if isinstance(value, list)
        else []
    )
    if not keys or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    key = data.draw(st.sampled_from(keys))
    value[key] = corrupt(value[key], data)
    return value


@given(st.sampled_from(FRAMES), st.data())
@settings(max_examples=150)
def test_a_corrupted_or_truncated_frame_never_raises(frame: str, data: st.DataObject) -> None:
    payload = text(corrupt(json.loads(frame), data))
    cut = data.draw(st.integers(0, len(payload)))
    for each in (payload, payload[:cut], payload.encode()[:cut] + b"\xc3"):
        KRAKEN.parse(each, WS)
        feed = KRAKEN.session(FeedSettings())
        feed.on_frame(0, guide_snapshot(), RECV)
        feed.on_frame(0, each, RECV)


@given(st.binary(max_size=60) | st.text(max_size=60))
@settings(max_examples=150)
def test_noise_never_raises(noise: str | bytes) -> None:
    KRAKEN.parse(noise, WS)


def test_times_keep_nine_digits() -> None:
    frame = changed(trade(1), timestamp=TIME.replace("440295Z", "440295123Z"))
    assert parsed(frame)[0].ts_event == AT + 123
