"""Venues that play a recording as if live: they keep their own books, so a client may come at any time.

`advance` moves the venue's state by one recorded frame and returns it; whether anybody gets to see it
is the test's business. What a client asks for (snapshots, missed trades) is answered from that state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Levels = dict[str, str]
"""price text -> size text"""


def recorded(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def apply_levels(side: Levels, rows: list[list[str]]) -> None:
    for price, size, *_ in rows:
        if float(size) == 0:
            side.pop(price, None)
        else:
            side[price] = size


class RecordedBinance:
    """Spot or futures: combined streams, `depth`, `aggTrades`, `exchangeInfo`, `klines`."""

    def __init__(self, capture: Path) -> None:
        self.books: dict[str, tuple[Levels, Levels]] = {}
        self.ids: dict[str, int] = {}
        self.trades: dict[str, list[dict[str, Any]]] = {}
        self._exchange_info = "{}"
        self._frames: list[str] = []
        self._position = 0
        for line in recorded(capture):
            if line["source"] == "ws":
                self._frames.append(line["frame"])
            elif "/depth" in line["endpoint"]:
                self._load(line["endpoint"], json.loads(line["frame"]))
            else:
                self._exchange_info = line["frame"]

    @property
    def remaining(self) -> int:
        return len(self._frames) - self._position

    def advance(self) -> str:
        frame = self._frames[self._position]
        self._position += 1
        data = json.loads(frame)["data"]
        if data.get("e") == "depthUpdate":
            self._apply(data)
        elif data.get("e") == "aggTrade":
            self.trades.setdefault(data["s"], []).append(data)
        return frame

    def _load(self, endpoint: str, snapshot: dict[str, Any]) -> None:
        symbol = endpoint.split("symbol=")[1].split("&")[0]
        bids: Levels = {}
        asks: Levels = {}
        apply_levels(bids, snapshot["bids"])
        apply_levels(asks, snapshot["asks"])
        self.books[symbol] = bids, asks
        self.ids[symbol] = snapshot["lastUpdateId"]

    def _apply(self, diff: dict[str, Any]) -> None:
        symbol = diff["s"]
        if diff["u"] > self.ids[symbol]:
            bids, asks = self.books[symbol]
            apply_levels(bids, diff["b"])
            apply_levels(asks, diff["a"])
            self.ids[symbol] = diff["u"]

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]:
        return []

    def on_frame(self, frame: str) -> list[str]:
        return [json.dumps({"result": None, "id": json.loads(frame).get("id")})]

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        if path.endswith("/exchangeInfo"):
            return 200, self._exchange_info
        if path.endswith("/depth"):
            return 200, json.dumps(self._depth(query["symbol"]))
        if path.endswith("/aggTrades"):
            first = int(query.get("fromId", 0))
            return 200, json.dumps([row for row in self.trades.get(query["symbol"], []) if row["a"] >= first])
        if path.endswith("/klines"):
            return 200, "[]"
        return 404, '{"code": -1, "msg": "no such endpoint"}'

    def _depth(self, symbol: str) -> dict[str, Any]:
        bids, asks = self.books[symbol]
        return {
            "lastUpdateId": self.ids[symbol],
            "bids": sorted(bids.items(), key=lambda level: -float(level[0])),
            "asks": sorted(asks.items(), key=lambda level: float(level[0])),
        }


class RecordedKraken:
    """WebSocket v1 frames. Starts where every recorded pair has had its snapshot."""

    def __init__(self, capture: Path) -> None:
        self.books: dict[str, tuple[Levels, Levels]] = {}
        self._frames = [line["frame"] for line in recorded(capture)]
        self._position = 0
        snapshots = [n for n, frame in enumerate(self._frames) if '"as":' in frame]
        while self._position <= snapshots[-1]:
            self.advance()

    @property
    def remaining(self) -> int:
        return len(self._frames) - self._position

    def advance(self) -> str:
        frame = self._frames[self._position]
        self._position += 1
        said = json.loads(frame)
        if isinstance(said, list) and said[-2].startswith("book"):
            bids, asks = self.books.setdefault(said[-1], ({}, {}))
            for body in said[1:-2]:
                apply_levels(bids, body.get("bs", body.get("b", [])))
                apply_levels(asks, body.get("as", body.get("a", [])))
            self._cut(said[-1])
        return frame

    def _cut(self, pair: str) -> None:
        """To the subscribed depth, as the venue does."""
        bids, asks = self.books[pair]
        for side, sign in ((bids, -1), (asks, 1)):
            if len(side) <= 1000:
                continue
            for price in sorted(side, key=lambda text: sign * float(text))[1000:]:
                del side[price]

    def on_connect(self, path: str, query: Mapping[str, str]) -> list[str]:
        return []

    def on_frame(self, frame: str) -> list[str]:
        """Subscribing to books, in either protocol, gives snapshots."""
        said = json.loads(frame)
        params = said.get("params", {})
        if said.get("method") == "subscribe" and params.get("channel") == "book":
            return [self._snapshot(symbol.replace("BTC", "XBT")) for symbol in params["symbol"]]
        if said.get("event") == "subscribe" and said["subscription"]["name"] == "book":
            return [self._snapshot(pair) for pair in said["pair"]]
        return []

    def _snapshot(self, pair: str) -> str:
        bids, asks = self.books[pair]
        body = {
            "as": [[p, s, "1618678132.0"] for p, s in sorted(asks.items(), key=lambda x: float(x[0]))],
            "bs": [[p, s, "1618678132.0"] for p, s in sorted(bids.items(), key=lambda x: -float(x[0]))],
        }
        return json.dumps([1, body, "book-1000", pair])

    def on_get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        return 200, '{"error": [], "result": {}}'
