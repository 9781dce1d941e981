"""Binance's venues: hosts, paths, limits and request weights, and what an address says.

Limits are those of Binance's public API documentation (spot 2025, derivatives 2025, Binance.US 2024).
Where a venue publishes none (Binance TR) the lowest known one stands.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

Resource = Literal[
    "exchangeInfo",
    "depth",
    "klines",
    "trades",
    "aggTrades",
    "ticker/24hr",
    "ticker/price",
    "ticker/bookTicker",
    "other",
]


class Venue(Struct, frozen=True):
    """One market. `hosts` are the ends of its host names; `depths` rise: (levels up to, weight)."""

    name: str
    ws_url: str
    rest_url: str
    api: str
    hosts: tuple[str, ...]
    weight_per_min: int
    streams_per_connection: int
    depths: tuple[tuple[int, int], ...]
    info_weight: int
    klines_weight: int
    trades_weight: int
    spot: bool = True

    def depth(self, levels: int) -> tuple[int, int]:
        """The smallest offered depth of at least `levels` a side (or the largest), and its weight.

        Spot venues take any number up to a band's end, derivatives only the numbers listed.
        """
        for upto, weight in self.depths:
            if levels <= upto:
                return (max(1, levels) if self.spot else upto), weight
        return self.depths[-1]


_SPOT_DEPTHS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
_US_DEPTHS = ((100, 1), (500, 5), (1000, 10), (5000, 50))
_FUTURES_DEPTHS = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))

BINANCE = Venue(
    name="BINANCE",
    ws_url="wss://stream.binance.com:9443",
    rest_url="https://api.binance.com",
    api="/api/v3",
    hosts=("binance.com", "binance.vision"),
    weight_per_min=6000,
    streams_per_connection=1024,
    depths=_SPOT_DEPTHS,
    info_weight=20,
    klines_weight=2,
    trades_weight=4,
)
BINANCE_US = Venue(
    name="BINANCE_US",
    ws_url="wss://stream.binance.us:9443",
    rest_url="https://api.binance.us",
    api="/api/v3",
    hosts=("binance.us",),
    weight_per_min=1200,
    streams_per_connection=1024,
    depths=_US_DEPTHS,
    info_weight=10,
    klines_weight=1,
    trades_weight=1,
)
BINANCE_TR = Venue(
    name="BINANCE_TR",
    ws_url="wss://stream-cloud.trbinance.com",
    rest_url="https://api.binance.me",
    api="/api/v3",
    hosts=("trbinance.com", "binance.tr", "binance.me"),
    weight_per_min=1200,
    streams_per_connection=1024,
    depths=_SPOT_DEPTHS,
    info_weight=20,
    klines_weight=2,
    trades_weight=4,
)
BINANCE_USDM = Venue(
    name="BINANCE_USDM",
    ws_url="wss://fstream.binance.com",
    rest_url="https://fapi.binance.com",
    api="/fapi/v1",
    hosts=("fstream.binance.com", "fapi.binance.com"),
    weight_per_min=2400,
    streams_per_connection=1024,
    depths=_FUTURES_DEPTHS,
    info_weight=1,
    klines_weight=5,
    trades_weight=20,
    spot=False,
)
BINANCE_COINM = Venue(
    name="BINANCE_COINM",
    ws_url="wss://dstream.binance.com",
    rest_url="https://dapi.binance.com",
    api="/dapi/v1",
    hosts=("dstream.binance.com", "dapi.binance.com"),
    weight_per_min=2400,
    streams_per_connection=200,
    depths=_FUTURES_DEPTHS,
    info_weight=1,
    klines_weight=5,
    trades_weight=20,
    spot=False,
)
VENUES = {venue.name: venue for venue in (BINANCE, BINANCE_US, BINANCE_TR, BINANCE_USDM, BINANCE_COINM)}

_DERIVATIVES_PATH = re.compile(r"/(fapi|dapi|futures/um|futures/cm)/")
_BY_PATH = {
    "fapi": BINANCE_USDM,
    "futures/um": BINANCE_USDM,
    "dapi": BINANCE_COINM,
    "futures/cm": BINANCE_COINM,
}
_FUTURES_TEST_HOST = "binancefuture.com"
_API_VERSION = re.compile(r"v\d+")
_RESOURCES: dict[str, Resource] = {
    "exchangeInfo": "exchangeInfo",
    "depth": "depth",
    "klines": "klines",
    "trades": "trades",
    "historicalTrades": "trades",
    "aggTrades": "aggTrades",
    "24hr": "ticker/24hr",
    "price": "ticker/price",
    "bookTicker": "ticker/bookTicker",
}
_KLINE_FILE = re.compile(r"([A-Za-z0-9_]{2,30})-(\d{1,2}[smhdwM]|1mo)-\d{4}(?:-\d\d)*.*\.csv.*")


class Address(Struct, frozen=True):
    """What an endpoint or a file name says about the payloads that come from it; None: nothing."""

    venue: Venue | None = None
    resource: Resource = "other"
    symbol: str | None = None
    interval: str | None = None
    stream: str | None = None
    """The only stream of a socket, as in `/ws/btcusdt@depth5`."""
    limit: int | None = None
    from_id: int | None = None


NOWHERE = Address()


@lru_cache(maxsize=1024)
def read_address(endpoint: str) -> Address:
    """URL or file name -> what it says. Unusable text says nothing."""
    if not endpoint:
        return NOWHERE
    try:
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").lower()
        query = parse_qs(parts.query, max_num_fields=64)
    except ValueError:
        return NOWHERE
    name = parts.path.rsplit("/", 1)[-1]
    file = _KLINE_FILE.fullmatch(name)
    symbol = file[1] if file else _first(query, "symbol")
    return Address(
        venue=_venue(host, parts.path),
        resource="klines" if file else _resource(parts.path),
        symbol=symbol.upper() if symbol else None,
        interval=file[2] if file else _first(query, "interval"),
        stream=_only_stream(parts.path, query),
        limit=_number(_first(query, "limit")),
        from_id=_number(_first(query, "fromId")),
    )


def _venue(host: str, path: str) -> Venue | None:
    derivative = _DERIVATIVES_PATH.search(path)
    if derivative:
        return _BY_PATH[derivative[1]]
    if _within(host, _FUTURES_TEST_HOST):
        return BINANCE_COINM if host.startswith("dstream") else BINANCE_USDM
    for venue in (BINANCE_USDM, BINANCE_COINM, BINANCE_US, BINANCE_TR, BINANCE):
        if any(_within(host, end) for end in venue.hosts):
            return venue
    return None


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _resource(path: str) -> Resource:
    return _RESOURCES.get(path.rstrip("/").rsplit("/", 1)[-1], "other")


def _only_stream(path: str, query: dict[str, list[str]]) -> str | None:
    named = path.partition("/ws/")[2]
    streams = named or _first(query, "streams") or ""
    return streams if "@" in streams and "/" not in streams else None


def _first(query: dict[str, list[str]], name: str) -> str | None:
    values = query.get(name)
    return values[0] if values else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def same_question(asked: str, recorded: str) -> bool:
    """Whether two REST addresses ask for the same thing: path (but for its version) and symbol."""
    if read_address(asked).symbol != read_address(recorded).symbol:
        return False
    return _path_key(asked) == _path_key(recorded)


@lru_cache(maxsize=1024)
def _path_key(endpoint: str) -> tuple[str, ...]:
    try:
        path = urlsplit(endpoint).path
    except ValueError:
        return (endpoint,)
    return tuple(part for part in path.split("/") if part and not _API_VERSION.fullmatch(part))
