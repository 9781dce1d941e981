"""The address decides what a body is, its shape only where there is none. One bad row costs that row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.feeds.base import FeedSettings, Origin
from actors.feeds.kraken import adapter
from domain.market.observations import Bar, InstrumentInfo
from tests.actors.feeds.kraken.frames import RECV, REST, TICKER, WS, guide_snapshot, instrument, text, trade

KRAKEN = adapter()
PAIR = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8}
ASSET = {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"}
DEPTH = {"asks": [["2", "1", 1762820248]], "bids": [["1", "1", 1762820233]]}
TRADE = ["1", "1", 1762795433.5, "b", "l", "", 7]
QUOTE = {"a": ["2", "1", "1"], "b": ["1", "1", "1"], "c": ["1.5", "1"]}


def answered(endpoint: str, result: Any, error: list[str] | None = None) -> Any:
    body = text({"error": error or [], "result": result})
    return KRAKEN.parse(body, Origin("http", RECV, endpoint, "KRAKEN", 200))


@pytest.mark.parametrize(
    ("endpoint", "result"),
    [
        (REST + "Assets", {"XXBT": ASSET, "ZUSD": ASSET}),
        (REST + "Spread?pair=XBTUSD", {"XXBTZUSD": [[1762795433, "1", "2"]], "last": 1}),
        (REST + "Time", {"unixtime": 1762795433, "rfc1123": "x"}),
        (REST + "GroupedBook?pair=XBTUSD", {"XXBTZUSD": DEPTH}),
        (REST + "Level3?pair=XBTUSD", {"XXBTZUSD": DEPTH}),
        (REST + "Depths", {"XXBTZUSD": DEPTH}),
        (REST + "SomethingNew?like=Ticker", {"XXBTZUSD": QUOTE}),
        ("https://api.kraken.com/0/private/TradesHistory", {"trades": {}, "count": 1}),
        ("http://127.0.0.1:8000/elsewhere", {"XXBTZUSD": DEPTH}),
        ("api.kraken.com/0/public/Assets", {"XXBT": ASSET}),
        ("kraken.com/0/public/Depth", {"XXBTZUSD": DEPTH}),
    ],
)
def test_an_address_that_is_not_listed_is_unsupported_whatever_its_body_looks_like(
    endpoint: str, result: Any
) -> None:
    answer = answered(endpoint, result)
    assert answer.observations == []
    assert [reject.reject_class for reject in answer.rejects] == ["unsupported"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "wss://futures.kraken.com/ws/v1",
        "https://futures.kraken.com/derivatives/api/v3/tickers",
        "wss://demo-futures.kraken.com/ws/v1",
        "wss://uws.kraken.com/v2/public",
        "wss://ws-l3.kraken.com/v2",
        "https://iapi.kraken.com/api/internal/Ticker",
    ],
)
def test_another_service_of_kraken_is_unsupported(endpoint: str) -> None:
    frames = (
        trade(1),
        guide_snapshot(),
        '{"event":"subscribed"}',
        '{"feed":"ticker","product_id":"PI_XBTUSD"}',
        text({"error": [], "result": {"XXBTZUSD": QUOTE}}),
    )
    for frame in frames:
        answer = KRAKEN.parse(frame, Origin("ws", RECV, endpoint))
        assert answer.observations == []
        assert [reject.reject_class for reject in answer.rejects] == ["unsupported"]
        assert KRAKEN.session(FeedSettings()).on_frame(0, frame, RECV, endpoint).observations == []


@pytest.mark.parametrize("result", [{"XXBTZUSD": QUOTE}, {"XXBTZUSD": DEPTH}, {"XXBTZUSD": [TRADE]}])
def test_a_message_of_the_feed_is_never_read_as_a_body(result: Any) -> None:
    answer = KRAKEN.parse(text({"error": [], "result": result}), WS)
    assert answer.observations == []
    assert [reject.reject_class for reject in answer.rejects] == ["malformed"]


@pytest.mark.parametrize(
    "frame",
    [
        '{"channel":"level3","type":"snapshot","data":[]}',
        '{"channel":"executions","type":"update","data":[]}',
        '[[],"openOrders",{"sequence":1}]',
        '[[{"TDLH43":{}}],"ownTrades",{"sequence":2}]',
        '[1,[],"grouped-10","XBT/USD"]',
    ],
)
def test_a_channel_that_is_not_listed_is_unsupported(frame: str) -> None:
    answer = KRAKEN.parse(frame, Origin("ws", RECV, "wss://ws.kraken.com/v2"))
    assert answer.observations == []
    assert [reject.reject_class for reject in answer.rejects] == ["unsupported"]


def test_the_resources_that_are_listed_are_read_on_every_host() -> None:
    for root in ("https://api.kraken.com", "http://127.0.0.1:2"):
        told = answered(f"{root}/0/public/Depth?pair=XBTUSD", {"XXBTZUSD": DEPTH})
        assert (len(told.observations), told.rejects) == (1, [])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EQuery:Unknown asset pair", "not_found"),
        ("EGeneral:Invalid arguments", "bad_request"),
        ("EAPI:Rate limit exceeded", "throttled"),
        ("WGeneral:Deprecated", "bad_request"),
    ],
)
def test_an_error_beside_a_result_is_a_reject_beside_the_observations(error: str, kind: str) -> None:
    told = answered(REST + "Ticker?pair=XBTUSD,NONE", {"XXBTZUSD": QUOTE, "ADAUSD": QUOTE}, [error])
    assert len(told.observations) == 4
    assert [(reject.reject_class, reject.reason) for reject in told.rejects] == [(kind, error)]
    pairs = answered(REST + "AssetPairs", {"XXBTZUSD": PAIR}, [error])
    assert (len(pairs.observations), len(pairs.rejects)) == (1, 1)
    for nothing in ({}, None):
        alone = answered(REST + "Ticker", nothing, [error])
        assert (alone.observations, len(alone.rejects)) == ([], 1)


@pytest.mark.parametrize("result", [{"XXBTZUSD": QUOTE}, {}, None])
def test_an_error_that_is_no_list_is_a_reject_as_well(result: Any) -> None:
    body = text({"error": "EGeneral:Too many requests", "result": result})
    told = KRAKEN.parse(body, Origin("http", RECV, REST + "Ticker", "KRAKEN", 200))
    assert [reject.reject_class for reject in told.rejects] == ["throttled"]
    assert len(told.observations) == (2 if result else 0)


def test_a_partial_answer_is_used_and_not_asked_for_again() -> None:
    feed = KRAKEN.session(FeedSettings(("BTC-USD.KRAKEN",), backfill_bars=0))
    [request] = feed.on_start(RECV).requests
    body = text({"error": ["EAPI:Rate limit exceeded"], "result": {"XXBTZUSD": PAIR}})
    effects = feed.on_response(request, 200, {}, body, RECV)
    assert [type(each) for each in effects.observations] == [InstrumentInfo]
    assert [reject.reject_class for reject, _ in effects.rejects] == ["throttled"]
    assert effects.requests == []


@pytest.mark.parametrize("bad", [None, 7, "x", [], {}, {"altname": None}, {**PAIR, "pair_decimals": None}])
def test_one_bad_pair_costs_that_pair_alone(bad: Any) -> None:
    result = {"XXBTZUSD": PAIR, "BAD": bad, "ADAUSD": {**PAIR, "altname": "ADAUSD", "wsname": "ADA/USD"}}
    told = answered(REST + "AssetPairs", result)
    assert [each.instrument for each in told.observations] == ["BTC-USD.KRAKEN", "ADA-USD.KRAKEN"]
    assert len(told.rejects) == 1
    assert "BAD" in told.rejects[0].reason


def pairs_frame(*rows: Any) -> str:
    frame = json.loads(instrument())
    frame["data"]["assets"] = [None, {"id": None}]
    frame["data"]["pairs"] = [*frame["data"]["pairs"], *rows]
    return text(frame)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        [],
        {},
        {"symbol": "BTC/USD"},
        *[
            {**json.loads(instrument())["data"]["pairs"][0], field: None}
            for field in ("symbol", "base", "quote", "price_precision", "qty_precision")
        ],
    ],
)
def test_one_bad_pair_of_the_instrument_channel_costs_that_pair_alone(bad: Any) -> None:
    good = json.loads(instrument("ETH/USD"))["data"]["pairs"][0]
    told = KRAKEN.parse(pairs_frame(bad, good), WS)
    assert [each.instrument for each in told.observations] == ["BTC-USD.KRAKEN", "ETH-USD.KRAKEN"]
    assert [reject.reject_class for reject in told.rejects] == ["malformed"]


def test_what_a_pair_need_not_say_may_be_nothing() -> None:
    row = json.loads(instrument())["data"]["pairs"][0]
    for nothing in (None, "", 0, "0"):
        frame = pairs_frame({**row, "price_increment": nothing, "qty_increment": nothing})
        told = KRAKEN.parse(frame, WS)
        assert told.rejects == []
        info = told.observations[1]
        assert isinstance(info, InstrumentInfo)
        assert (info.tick_size, info.lot_size, info.price_precision) == (None, None, 1)
    for nothing in (None, ""):
        [_, info] = KRAKEN.parse(pairs_frame({**row, "status": nothing}), WS).observations
        assert isinstance(info, InstrumentInfo)
        assert info.status == "trading"


@pytest.mark.parametrize("bad", [None, 7, {}, {"symbol": None}])
def test_one_bad_row_of_a_frame_costs_that_row_alone(bad: Any) -> None:
    for frame, made in ((trade(1, 2), 1), (text(TICKER), 2)):
        decoded = json.loads(frame)
        decoded["data"].insert(1, bad)
        told = KRAKEN.parse(text(decoded), WS)
        assert len(told.observations) == len(json.loads(frame)["data"]) * made
        assert [reject.reject_class for reject in told.rejects] == ["malformed"]


def test_one_bad_trade_of_the_older_protocol_costs_that_trade_alone() -> None:
    row = ["1.0", "1.0", "1618678133.365913", "b", "l", ""]
    for bad in (None, [], ["0", *row[1:]], [*row[:2], None, *row[3:]]):
        told = KRAKEN.parse(text([1, [row, bad, row], "trade", "XBT/USD"]), WS)
        assert (len(told.observations), len(told.rejects)) == (2, 1)


def test_one_bad_bar_costs_that_bar_alone_and_the_last_stays_the_forming_one() -> None:
    rows = [[RECV // 10**9 - 600 + 60 * each, "1", "2", "1", "2", "1.5", "3", 4] for each in range(4)]
    told = answered(REST + "OHLC?pair=XBTUSD&interval=1", {"XXBTZUSD": [rows[0], None, *rows[1:]], "last": 1})
    bars = [each for each in told.observations if isinstance(each, Bar)]
    assert [bar.closed for bar in bars] == [True, True, True, False]
    assert len(told.rejects) == 1


@pytest.mark.parametrize(
    ("text_of_venue", "status"),
    [
        ("online", "trading"),
        ("limit_only", "trading"),
        ("post_only", "halted"),
        ("cancel_only", "halted"),
        ("maintenance", "halted"),
        ("delisted", "closed"),
    ],
)
def test_a_pair_is_trading_where_takers_can_trade(text_of_venue: str, status: str) -> None:
    row = json.loads(instrument(status=text_of_venue))
    [ws] = KRAKEN.parse(text(row), WS).observations
    [rest] = answered(REST + "AssetPairs", {"XXBTZUSD": {**PAIR, "status": text_of_venue}}).observations
    assert isinstance(ws, InstrumentInfo)
    assert (ws.status, rest.status) == (status, status)
