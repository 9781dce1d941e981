"""Hand-written frames in Binance's documented forms."""

from __future__ import annotations

import json
from typing import Any

from actors.feeds.base import Origin

NOW = 1_700_000_000_000_000_000
"""ts_recv of the tests, ns."""
NOW_MS = NOW // 1_000_000

SPOT_WS = "wss://stream.binance.com:9443/stream"
US_WS = "wss://stream.binance.us:9443/stream"
USDM_WS = "wss://fstream.binance.com/stream"
COINM_WS = "wss://dstream.binance.com/stream"


def ws(endpoint: str = SPOT_WS, venue: str | None = None) -> Origin:
    return Origin("ws", NOW, endpoint, venue)


def http(endpoint: str, status: int | None = 200) -> Origin:
    return Origin("http", NOW, endpoint, None, status)


def combined(stream: str, data: object) -> str:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":"))


def raw(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def agg_trade(trade_id: int = 7, symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    return {
        "e": "aggTrade", "E": NOW_MS, "s": symbol, "a": trade_id, "p": "100.5", "q": "0.25",
        "f": 11, "l": 12, "T": NOW_MS - 5, "m": False, "M": True,
    } | changes  # fmt: skip


def book_ticker(symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    return {"u": 400, "s": symbol, "b": "25.35", "B": "31.21", "a": "25.36", "A": "40.66"} | changes


def depth(first: int, last: int, symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    return {
        "e": "depthUpdate", "E": NOW_MS, "s": symbol, "U": first, "u": last,
        "b": [["100.0", "1.5"]], "a": [["101.0", "0"]],
    } | changes  # fmt: skip


def depth_frame(first: int, last: int, symbol: str = "BTCUSDT", **changes: Any) -> str:
    return combined(f"{symbol.lower()}@depth@100ms", depth(first, last, symbol, **changes))


def trade_frame(trade_id: int, symbol: str = "BTCUSDT", **changes: Any) -> str:
    return combined(f"{symbol.lower()}@aggTrade", agg_trade(trade_id, symbol, **changes))


def snapshot_body(last: int) -> str:
    return raw({"lastUpdateId": last, "bids": [["99.0", "1"]], "asks": [["102.0", "1"]]})


def kline(*, closed: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "e": "kline", "E": NOW_MS, "s": "BTCUSDT",
        "k": {
            "t": NOW_MS - 60_000, "T": NOW_MS - 1, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2,
            "o": "10", "c": "12", "h": "13", "l": "9", "v": "4", "n": 2, "x": closed,
            "q": "44", "V": "1", "Q": "11", "B": "0",
        } | changes,
    }  # fmt: skip


def exchange_info(symbol: str = "BTCUSDT", base: str = "BTC", quote: str = "USDT", **changes: Any) -> str:
    listed = {
        "symbol": symbol, "status": "TRADING", "baseAsset": base, "quoteAsset": quote,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00100000"},
        ],
    } | changes  # fmt: skip
    return raw({"timezone": "UTC", "serverTime": NOW_MS, "symbols": [listed]})


def rest_agg_trades(*trade_ids: int) -> str:
    rows = [
        {"a": each, "p": "100", "q": "1", "f": 1, "l": 1, "T": NOW_MS, "m": True, "M": True}
        for each in trade_ids
    ]
    return raw(rows)
