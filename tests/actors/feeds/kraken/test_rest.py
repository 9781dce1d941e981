"""Kraken REST bodies as documented, pair names, and which recorded line answers which request."""

from __future__ import annotations

from typing import Any

import pytest

from actors.feeds.base import HttpRequest, Origin
from actors.feeds.kraken import adapter
from actors.feeds.kraken.names import instrument_of_rest_pair, rest_pair, v1_pair, v2_symbol
from domain.clock import NS_PER_S
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Quote, Ticker, Trade
from tests.actors.feeds.kraken.frames import RECV, REST, text

KRAKEN = adapter()
COMMON = ("kraken", "BTC-USDT.KRAKEN")
TRADES = """{"error":[],"result":{"XBTUSDT":[
  ["105433.60000","0.00027625",1762795433.9717445,"b","l","",10218208],
  ["105410.10000","0.00005000",1762795457.84673741234,"s","m","",10218209]],"last":"1762795457846737412"}}"""
OHLC = {
    "error": [],
    "result": {
        "XBTUSDT": [
            [1762777140, "106038.3", "106044.3", "106038.1", "106040.1", "106039.6", "0.08317981", 3],
            [1762777200, "106040.1", "106040.1", "106040.1", "106040.1", "0.0", "0.00000000", 0],
        ],
        "last": 1762777140,
    },
}
DEPTH = {
    "error": [],
    "result": {
        "XBTUSDT": {
            "asks": [["105944.30000", "0.136", 1762820248], ["105946.90000", "0.095", 1762820191]],
            "bids": [["105944.20000", "0.002", 1762820233]],
        }
    },
}
TICKER = {
    "error": [],
    "result": {
        "XBTUSDT": {
            "a": ["105944.30000", "1", "1.500"],
            "b": ["105944.20000", "1", "1.000"],
            "c": ["105899.40000", "0.00009443"],
            "v": ["0.78648221", "163.28908096"],
            "p": ["105960.64756", "105904.39279"],
            "t": [35, 3276],
            "l": ["105853.50000", "104711.00000"],
            "h": ["106112.00000", "106613.10000"],
            "o": "106021.60000",
        }
    },
}
PAIRS = {
    "error": [],
    "result": {
        "XXBTZUSD": {
            "altname": "XBTUSD",
            "wsname": "XBT/USD",
            "base": "XXBT",
            "quote": "ZUSD",
            "pair_decimals": 1,
            "lot_decimals": 8,
            "tick_size": "0.1",
            "status": "online",
        }
    },
}


def parsed(body: Any, endpoint: str) -> list[Any]:
    payload = body if isinstance(body, str) else text(body)
    answer = KRAKEN.parse(payload, Origin("http", RECV, REST + endpoint, "KRAKEN", 200))
    assert answer.rejects == []
    return answer.observations


def test_trades_are_exact_to_the_digits_on_the_wire() -> None:
    first, second = parsed(TRADES, "Trades?pair=XBTUSDT")
    assert first == Trade(*COMMON, 1_762_795_433_971_744_500, RECV, 105433.6, 0.00027625, "buy", "10218208")
    assert (second.ts_event, second.side) == (1_762_795_457_846_737_412, "sell")


def test_bars_end_with_the_one_that_is_still_forming() -> None:
    done, forming = parsed(OHLC, "OHLC?pair=XBTUSDT&interval=1")
    assert done == Bar(
        *COMMON,
        1762777140 * NS_PER_S,
        RECV,
        "1m",
        106038.3,
        106044.3,
        106038.1,
        106040.1,
        0.08317981,
        3,
        106039.6,
    )
    assert (forming.closed, forming.vwap, forming.trades) == (False, None, 0)
    assert parsed(OHLC, "OHLC?pair=XBTUSDT&interval=60")[0].interval == "1h"


def test_depth_is_a_snapshot_without_a_checksum() -> None:
    assert parsed(DEPTH, "Depth?pair=XBTUSDT") == [
        BookSnapshot(
            *COMMON, 1762820248 * NS_PER_S, RECV, ((105944.2, 0.002),), ((105944.3, 0.136), (105946.9, 0.095))
        )
    ]


def test_the_days_opening_price_is_not_that_of_24_hours_ago() -> None:
    assert parsed(TICKER, "Ticker?pair=XBTUSDT") == [
        Quote(*COMMON, RECV, RECV, 105944.2, 1.0, 105944.3, 1.5),
        Ticker(*COMMON, RECV, RECV, 105899.4, None, 106613.1, 104711.0, 163.28908096),
    ]


def test_asset_pairs_are_instruments_with_the_venues_other_names() -> None:
    assert parsed(PAIRS, "AssetPairs") == [
        InstrumentInfo(
            "kraken",
            "BTC-USD.KRAKEN",
            RECV,
            RECV,
            "BTC/USD",
            "BTC",
            "USD",
            price_precision=1,
            size_precision=8,
            tick_size=0.1,
            lot_size=1e-8,
            aliases=("XBTUSD", "XXBTZUSD"),
        )
    ]


@pytest.mark.parametrize("body", [TRADES, OHLC, DEPTH, TICKER, PAIRS])
def test_a_body_is_recognised_by_its_shape(body: Any) -> None:
    payload = body if isinstance(body, str) else text(body)
    answer = KRAKEN.parse(payload, Origin("file", RECV))
    assert answer.rejects == []
    assert answer.observations


@pytest.mark.parametrize(
    ("pair", "instrument"),
    [
        ("XXBTZUSD", "BTC-USD.KRAKEN"),
        ("XETHXXBT", "ETH-BTC.KRAKEN"),
        ("XXDGZEUR", "DOGE-EUR.KRAKEN"),
        ("XBTUSDT", "BTC-USDT.KRAKEN"),
        ("ADAEUR", "ADA-EUR.KRAKEN"),
        ("XDGUSD", "DOGE-USD.KRAKEN"),
        ("XBT/USD", "BTC-USD.KRAKEN"),
        ("FOOBAR", "FOOBAR.KRAKEN"),
    ],
)
def test_run_together_pairs_are_split_where_that_is_certain(pair: str, instrument: str) -> None:
    assert instrument_of_rest_pair(pair) == instrument


def test_the_endpoints_own_separator_comes_first() -> None:
    body = text({"error": [], "result": {"WEIRDETH": DEPTH["result"]["XBTUSDT"]}})  # type: ignore[index]
    [book] = parsed(body, "Depth?pair=WEI/RDETH")
    assert book.instrument == "WEI-RDETH.KRAKEN"


def test_instruments_have_names_in_every_dialect() -> None:
    assert (v2_symbol("BTC-USD.KRAKEN"), v1_pair("BTC-USD.KRAKEN"), rest_pair("DOGE-BTC.KRAKEN")) == (
        "BTC/USD",
        "XBT/USD",
        "XDGXBT",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("EAPI:Rate limit exceeded", "throttled"),
        ("EGeneral:Too many requests", "throttled"),
        ("EQuery:Unknown asset pair", "not_found"),
        ("EGeneral:Invalid arguments", "bad_request"),
        ("EService:Unavailable", "upstream"),
        ("EService:Busy", "upstream"),
        ("EAPI:Invalid key", "auth"),
        ("EGeneral:Internal error", "upstream"),
    ],
)
def test_an_error_in_the_body_is_a_reject_even_with_status_200(error: str, kind: str) -> None:
    answer = KRAKEN.parse(text({"error": [error]}), Origin("http", RECV, REST + "Depth", None, 200))
    assert [(each.reject_class, each.reason) for each in answer.rejects] == [(kind, error)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "throttled"), (403, "entitlement"), (404, "not_found"), (520, "upstream"), (0, "upstream")],
)
def test_an_http_error_is_a_reject_of_its_class(status: int, kind: str) -> None:
    answer = KRAKEN.parse("<html>", Origin("http", RECV, REST + "Depth", None, status))
    assert [each.reject_class for each in answer.rejects] == [kind]


def test_a_bad_row_rejects_itself_alone() -> None:
    good = ["1", "1", "1762795433.5", "b", "l", "", 1]
    bad = [["1"], ["nan", *good[1:]], [*good[:2], None, *good[3:]], [*good[:3], "x", *good[4:]], "row"]
    body = {"error": [], "result": {"XBTUSD": [good, *bad, good[:6]]}}
    answer = KRAKEN.parse(text(body), Origin("http", RECV, REST + "Trades?pair=XBTUSD", None, 200))
    assert [each.trade_id for each in answer.observations if isinstance(each, Trade)] == ["1", None]
    assert [each.reason.split(":")[0] for each in answer.rejects] == [
        f"trades row {each}" for each in range(1, 6)
    ]


@pytest.mark.parametrize("kind", ["Trades", "OHLC", "Depth", "Ticker", "AssetPairs"])
@pytest.mark.parametrize("value", [None, 1, "x", {}, [1], [[1]], {"altname": 1}, {"asks": 1, "bids": []}])
def test_wrong_shapes_are_rejected_at_every_endpoint(kind: str, value: Any) -> None:
    body = text({"error": [], "result": {"XBTUSD": value}})
    answer = KRAKEN.parse(body, Origin("http", RECV, f"{REST}{kind}", None, 200))
    assert answer.observations == []
    assert {each.reject_class for each in answer.rejects} == {"malformed"}


@pytest.mark.parametrize("body", ['{"error":[]}', '{"error":[],"result":1}', '{"result":[]}'])
def test_a_body_without_a_result_is_malformed(body: str) -> None:
    assert [each.reject_class for each in KRAKEN.parse(body, Origin("file", RECV)).rejects] == ["malformed"]


def test_an_empty_result_says_nothing() -> None:
    assert parsed({"error": [], "result": {"XBTUSD": [], "last": "0"}}, "Trades?pair=XBTUSD") == []
    assert parsed({"error": [], "result": {}}, "Trades") == []


@pytest.mark.parametrize(
    ("ours", "recorded", "same"),
    [
        (
            "Trades?pair=XBTUSD&since=5&count=1000",
            "https://futures.example/0/public/Trades?pair=XXBTZUSD",
            True,
        ),
        ("Trades?pair=XBTUSD", REST + "Trades?pair=XBT/USD&since=9", True),
        ("Trades?pair=XBTUSD", REST + "Trades?pair=ETHUSD", False),
        ("Trades?pair=XBTUSD", REST + "Depth?pair=XBTUSD", False),
        ("OHLC?pair=XBTUSD&interval=1&since=1", REST + "OHLC?pair=XBTUSD", True),
        ("OHLC?pair=XBTUSD&interval=1", REST + "OHLC?pair=XBTUSD&interval=5", False),
        ("AssetPairs", "/0/public/AssetPairs", True),
        ("AssetPairs", REST + "Assets", False),
    ],
)
def test_a_recorded_line_answers_the_request_for_the_same_resource(
    ours: str, recorded: str, same: bool
) -> None:
    assert KRAKEN.match(HttpRequest(REST + ours, "p"), recorded) is same
