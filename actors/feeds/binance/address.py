"""What an address or a stream's name says about the payloads that come from it.

The address decides what a payload is, its shape only where there is none: the candles of a mark price have
the shape of those of trades, and a book with hidden orders the shape of the book. What an address of
Binance's names and this adapter does not use has a `refusal`, and nothing is read from it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from actors.feeds.binance.venues import BINANCE_COINM, BINANCE_USDM, VENUES, Venue

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
_RESOURCES: dict[str, Resource] = {
    "exchangeInfo": "exchangeInfo",
    "depth": "depth",
    "klines": "klines",
    "trades": "trades",
    "historicalTrades": "trades",
    "aggTrades": "aggTrades",
    "ticker/24hr": "ticker/24hr",
    "ticker/price": "ticker/price",
    "ticker/bookTicker": "ticker/bookTicker",
    "ping": "other",
    "time": "other",
}
_DOMAINS = ("binance.com", "binance.vision", "binance.us", "trbinance.com", "binance.tr", "binance.me")
_FILES_HOST = "data.binance.vision"
_FUTURES_TEST_DOMAIN = "binancefuture.com"
_HOSTS = [(venue, re.compile(venue.hosts)) for venue in VENUES.values()]
_DERIVATIVES_PATH = re.compile(r"/(fapi|dapi|futures/um|futures/cm)/")
_BY_PATH = {
    "fapi": BINANCE_USDM,
    "futures/um": BINANCE_USDM,
    "dapi": BINANCE_COINM,
    "futures/cm": BINANCE_COINM,
}
_API_PATH = re.compile(r"/(?:api|fapi|dapi)/v\d+/(.+?)/?$")
_OTHER_MARKET = re.compile(r"/(eapi|papi|sapi|wapi|bapi|eoptions|data/option)(?:/|$)")
_OTHER_KLINES = re.compile(r"/(markPriceKlines|indexPriceKlines|premiumIndexKlines)(?:/|$)")
_API_VERSION = re.compile(r"v\d+")
_KLINE_FILE = re.compile(r"([A-Za-z0-9_]{2,30})-(\d{1,2}[smhdwM]|1mo)-\d{4}(?:-\d\d)*.*\.csv.*")


class Address(Struct, frozen=True):
    """What an endpoint or a file name says about the payloads that come from it; None: nothing.

    `streams`: those of a socket whose frames may not name them, as in `/ws/btcusdt@depth5`. `refusal`: why
    nothing that comes from here is used.
    """

    venue: Venue | None = None
    resource: Resource = "other"
    symbol: str | None = None
    interval: str | None = None
    streams: tuple[str, ...] = ()
    limit: int | None = None
    from_id: int | None = None
    refusal: str | None = None


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
    file = _KLINE_FILE.fullmatch(parts.path.rsplit("/", 1)[-1])
    symbol = file[1] if file else _first(query, "symbol")
    venue = _venue(host, parts.path)
    api = _API_PATH.search(parts.path)
    return Address(
        venue=venue,
        resource="klines" if file else _RESOURCES.get(_resource_path(parts.path), "other"),
        symbol=symbol.upper() if symbol else None,
        interval=file[2] if file else _first(query, "interval"),
        streams=_streams(parts.path, query),
        limit=_number(_first(query, "limit")),
        from_id=_number(_first(query, "fromId")),
        refusal=_refusal(parts.scheme, host, parts.path, venue, None if api is None else api[1])
        or _zoned_bars(_first(query, "timeZone"), _first(query, "interval")),
    )


def _resource_path(path: str) -> str:
    """The end of a path by which a resource is known: `ticker/24hr`, but `depth` alone."""
    *_, before, last = ["", "", *path.rstrip("/").split("/")]
    return f"ticker/{last}" if before == "ticker" else last


def _venue(host: str, path: str) -> Venue | None:
    derivative = _DERIVATIVES_PATH.search(path)
    if derivative:
        return _BY_PATH[derivative[1]]
    return next((venue for venue, hosts in _HOSTS if hosts.fullmatch(host)), None)


def _refusal(scheme: str, host: str, path: str, venue: Venue | None, api: str | None) -> str | None:
    if _is_binance(host) and venue is None:
        return f"host {host} is none of a market that is used"
    for pattern in (_OTHER_MARKET, _OTHER_KLINES):
        if (found := pattern.search(path)) is not None:
            return f"{found[1]} is not used"
    if api is not None:
        return None if _resource_path("/" + api) in _RESOURCES else f"resource {api[:60]!r} is not used"
    if scheme in ("http", "https") and _is_binance(host) and host != _FILES_HOST:
        return f"path {path[:60]!r} is not used"
    return None


def _is_binance(host: str) -> bool:
    return any(host == end or host.endswith("." + end) for end in (*_DOMAINS, _FUTURES_TEST_DOMAIN))


def _streams(path: str, query: dict[str, list[str]]) -> tuple[str, ...]:
    named = path.partition("/ws/")[2] or _first(query, "streams") or ""
    return tuple(name for name in named.split("/") if "@" in name or name.startswith("!"))


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


class Stream(Struct, frozen=True):
    """A stream that is used: the message it carries, and the symbol (None: all of the market).

    `levels`: of a partial book; its messages are snapshots, whatever they call themselves.
    """

    event: str
    symbol: str | None = None
    levels: int | None = None


_EVENT_OF = {
    "aggTrade": "aggTrade",
    "trade": "trade",
    "bookTicker": "bookTicker",
    "ticker": "24hrTicker",
    "miniTicker": "24hrMiniTicker",
}
_ALL_MARKET = {
    "!ticker@arr": "24hrTicker",
    "!miniTicker@arr": "24hrMiniTicker",
    "!bookTicker": "bookTicker",
}
_DEPTH = re.compile(r"depth(\d{1,4})?(?:@\d{2,4}ms)?")
_KLINE = re.compile(r"kline_(\d{1,2}[smhdwM])(?:@([+-]\d{1,2}:\d\d))?")
DEPTH_UPDATE = "depthUpdate"


@lru_cache(maxsize=16_384)
def read_stream(name: str) -> Stream | None:
    """`btcusdt@depth5@100ms` -> what it carries; None for a stream that is not used."""
    if name in _ALL_MARKET:
        return Stream(_ALL_MARKET[name])
    symbol, _, channel = name.partition("@")
    event = None if name.startswith("!") else _EVENT_OF.get(channel)
    if event is not None:
        return Stream(event, symbol.upper())
    if (depth := _DEPTH.fullmatch(channel)) is not None:
        return Stream(DEPTH_UPDATE, symbol.upper(), int(depth[1]) if depth[1] else None)
    kline = _KLINE.fullmatch(channel)
    if kline is None or _zoned_bars(kline[2], kline[1]):
        return None
    return Stream("kline", symbol.upper())


def carries_changes(name: str) -> bool:
    """Whether a stream's messages are changes of the book: neither a partial book nor another one."""
    stream = read_stream(name)
    return stream is not None and stream.event == DEPTH_UPDATE and stream.levels is None


def _zoned_bars(zone: str | None, interval: str | None) -> str | None:
    """Hours and days of another time zone begin elsewhere than those of UTC: they are other bars."""
    if not zone or not zone.strip("+-0:") or (interval or "1d")[-1] in "sm":
        return None
    return f"bars of time zone {zone[:8]!r} are not used"
