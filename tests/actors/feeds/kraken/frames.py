"""Kraken's documented frames (docs.kraken.com) and a venue that computes true checksums for its books."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zlib import crc32

from actors.feeds.base import Origin
from domain.clock import parse_time

RECV = parse_time("2026-01-01T00:00:00Z")
WS = Origin("ws", RECV)
REST = "https://api.kraken.com/0/public/"
TIME = "2023-10-06T17:35:55.440295Z"
AT = parse_time(TIME)

GUIDE_CHECKSUM = 3310070434
"""Of GUIDE_SNAPSHOT, as printed in the guide "Book checksum (WebSocket v2)"."""
GUIDE_BIDS = (
    "45283.5 0.10000000, 45283.4 1.54582015, 45282.1 0.10000000, 45281.0 0.10000000, 45280.3 1.54592586, "
    "45279.0 0.07990000, 45277.6 0.03310103, 45277.5 0.30000000, 45277.3 1.54602737, 45276.6 0.15445238"
)
GUIDE_ASKS = (
    "45285.2 0.00100000, 45286.4 1.54571953, 45286.6 1.54571109, 45289.6 1.54560911, 45290.2 0.15890660, "
    "45291.8 1.54553491, 45294.7 0.04454749, 45296.1 0.35380000, 45297.5 0.09945542, 45299.5 0.18772827"
)


def levels(line: str) -> list[tuple[str, str]]:
    """`1.0 2.0, 3.0 4.0` -> pairs of texts."""
    return [(price, size) for price, size in (each.split() for each in line.split(", ") if each)]


def book(
    kind: str,
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    checksum: int | None,
    symbol: str = "BTC/USD",
) -> str:
    """A v2 book frame with the numbers' own digits."""

    def side(pairs: list[tuple[str, str]]) -> str:
        return "[" + ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in pairs) + "]"

    proof = "" if checksum is None else f',"checksum":{checksum}'
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{side(bids)},'
        f'"asks":{side(asks)}{proof},"timestamp":"{TIME}"}}]}}'
    )


def guide_snapshot() -> str:
    return book("snapshot", levels(GUIDE_BIDS), levels(GUIDE_ASKS), GUIDE_CHECKSUM)


def instrument(symbol: str = "BTC/USD", price: int = 1, size: int = 8, **change: Any) -> str:
    base, _, quote = symbol.partition("/")
    pair = {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "status": "online",
        "qty_precision": size,
        "qty_increment": float(Decimal(1).scaleb(-size)),
        "price_precision": price,
        "price_increment": float(Decimal(1).scaleb(-price)),
        "cost_precision": 5,
        "marginable": True,
        **change,
    }
    return text({"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": [pair]}})


def trade(*ids: int, kind: str = "update", symbol: str = "BTC/USD") -> str:
    rows = [
        {
            "symbol": symbol,
            "side": "sell",
            "price": 105910.5,
            "qty": 0.0001246,
            "ord_type": "market",
            "trade_id": each,
            "timestamp": TIME,
        }
        for each in ids
    ]
    return text({"channel": "trade", "type": kind, "data": rows})


TICKER = {
    "channel": "ticker",
    "type": "snapshot",
    "data": [
        {
            "symbol": "BTC/USD",
            "bid": 105944.20,
            "bid_qty": 2.5,
            "ask": 105944.30,
            "ask_qty": 3.2,
            "last": 105899.40,
            "volume": 163.28908096,
            "vwap": 105904.39279,
            "low": 104711.00,
            "high": 106613.10,
            "change": 250.00,
            "change_pct": 0.24,
            "timestamp": "2022-12-25T09:30:59.123456Z",
        }
    ],
}
OHLC = {
    "channel": "ohlc",
    "type": "update",
    "timestamp": "2023-10-04T16:26:30.524394914Z",
    "data": [
        {
            "symbol": "MATIC/USD",
            "open": 0.5624,
            "high": 0.5628,
            "low": 0.5622,
            "close": 0.5627,
            "trades": 12,
            "volume": 30927.68066226,
            "vwap": 0.5626,
            "interval_begin": "2023-10-04T16:25:00.000000000Z",
            "interval": 5,
            "timestamp": "2023-10-04T16:30:00.000000Z",
        }
    ],
}
STATUS = {
    "channel": "status",
    "type": "update",
    "data": [{"version": "2.0.0", "system": "online", "api_version": "v2", "connection_id": 12834687}],
}
PONG = {"method": "pong", "req_id": 42, "time_in": TIME, "time_out": TIME}
ACK = {
    "method": "subscribe",
    "result": {"channel": "book", "depth": 10, "snapshot": True, "symbol": "BTC/USD"},
    "success": True,
    "time_in": TIME,
    "time_out": TIME,
    "req_id": 1,
}


def refusal(error: str, symbol: str = "XXX/USD") -> str:
    body = {"error": error, "method": "subscribe", "success": False, "symbol": symbol, "time_in": TIME}
    return text(body)


def text(value: Any) -> str:
    return json.dumps(value)


class Venue:
    """A book as Kraken keeps it, with Decimal prices and a plain, slow checksum of its own."""

    def __init__(self, price_decimals: int = 1, size_decimals: int = 8, depth: int = 10) -> None:
        self.price_decimals, self.size_decimals, self.depth = price_decimals, size_decimals, depth
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def set(self, side: str, price: str, size: str) -> None:
        if Decimal(size) == 0:
            self.sides[side].pop(Decimal(price), None)
        else:
            self.sides[side][Decimal(price)] = Decimal(size)

    def best(self, side: str, count: int) -> list[tuple[str, str]]:
        ordered = sorted(self.sides[side].items(), reverse=side == "bids")[:count]
        return [
            (f"{price:.{self.price_decimals}f}", f"{size:.{self.size_decimals}f}") for price, size in ordered
        ]

    def checksum(self) -> int:
        pairs = self.best("asks", 10) + self.best("bids", 10)
        digits = [number.replace(".", "").lstrip("0") for pair in pairs for number in pair]
        return crc32("".join(digits).encode())

    def snapshot(self, symbol: str = "BTC/USD") -> str:
        sides = self.best("bids", self.depth), self.best("asks", self.depth)
        return book("snapshot", *sides, self.checksum(), symbol)
