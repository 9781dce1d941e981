"""Coinbase Exchange's documented frames and bodies (docs.cdp.coinbase.com/exchange)."""

from __future__ import annotations

import json
from typing import Any

from actors.feeds.base import Origin
from domain.clock import parse_time

RECV = parse_time("2026-01-01T00:00:00Z")
WS = Origin("ws", RECV)
REST = "https://api.exchange.coinbase.com"

MATCH: dict[str, Any] = {
    "type": "match",
    "trade_id": 10,
    "sequence": 50,
    "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
    "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
    "time": "2014-11-07T08:19:27.028459Z",
    "product_id": "BTC-USD",
    "size": "5.23512",
    "price": "400.23",
    "side": "sell",
}
SNAPSHOT: dict[str, Any] = {
    "type": "snapshot",
    "product_id": "BTC-USD",
    "bids": [["10101.10", "0.45054140"], ["10101.00", "2"]],
    "asks": [["10102.55", "0.57753524"], ["10103.00", "1.5"]],
}
L2UPDATE: dict[str, Any] = {
    "type": "l2update",
    "product_id": "BTC-USD",
    "time": "2019-08-14T20:42:27.265Z",
    "changes": [["buy", "10101.80000000", "0.162567"], ["sell", "10102.55", "0.00000000"]],
}
TICKER: dict[str, Any] = {
    "type": "ticker",
    "sequence": 37475248783,
    "product_id": "ETH-USD",
    "price": "1285.22",
    "open_24h": "1310.79",
    "volume_24h": "245532.79269678",
    "low_24h": "1280.52",
    "high_24h": "1313.8",
    "volume_30d": "9788783.60117027",
    "best_bid": "1285.04",
    "best_bid_size": "0.46688654",
    "best_ask": "1285.27",
    "best_ask_size": "1.56637040",
    "side": "buy",
    "time": "2022-10-19T23:28:22.061769Z",
    "trade_id": 370843401,
    "last_size": "11.4396987",
}
HEARTBEAT: dict[str, Any] = {
    "type": "heartbeat",
    "sequence": 90,
    "last_trade_id": 20,
    "product_id": "BTC-USD",
    "time": "2014-11-07T08:19:28.464459Z",
}
SUBSCRIPTIONS: dict[str, Any] = {
    "type": "subscriptions",
    "channels": [{"name": "level2_batch", "product_ids": ["ETH-USD"], "account_ids": None}, "heartbeat"],
}
PRODUCT: dict[str, Any] = {
    "id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "quote_increment": "0.01",
    "base_increment": "0.00000001",
    "display_name": "BTC-USD",
    "min_market_funds": "1",
    "margin_enabled": False,
    "post_only": False,
    "limit_only": False,
    "cancel_only": False,
    "status": "online",
    "status_message": "",
    "trading_disabled": False,
    "fx_stablecoin": False,
    "auction_mode": False,
}
TRADES: list[dict[str, Any]] = [
    {"time": "2014-11-07T22:19:28.578544Z", "trade_id": 74, "price": "10.00", "size": "0.01", "side": "buy"},
    {"time": "2014-11-07T01:08:43.642366Z", "trade_id": 73, "price": "100.0", "size": "0.02", "side": "sell"},
]
CANDLES = [[1415398768, 0.32, 4.2, 0.35, 4.0, 12.3], [1415398708, 0.30, 4.1, 0.31, 0.35, 1]]
BOOK: dict[str, Any] = {
    "bids": [["6247.58", "6.3578146", 2], ["6247.00", "1", 1]],
    "asks": [["6251.52", "2", 1]],
    "sequence": 13051505638,
    "auction_mode": False,
    "auction": None,
    "time": "2021-02-12T01:09:23.334723Z",
}
REST_TICKER: dict[str, Any] = {
    "trade_id": 86326522,
    "price": "6268.48",
    "size": "0.00698254",
    "time": "2020-03-20T00:22:57.833897Z",
    "bid": "6265.15",
    "ask": "6267.71",
    "volume": "53602.03940154",
}
STATS = {
    "open": "5414.18",
    "high": "6441.37",
    "low": "5261.69",
    "last": "6250.02",
    "volume": "53687.7",
    "volume_30day": "7",
}


def text(value: Any) -> str:
    return json.dumps(value)


def without(frame: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name != field}


def http(path: str, status: int = 200) -> Origin:
    return Origin("http", RECV, REST + path, "COINBASE", status)
