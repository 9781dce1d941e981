"""What a table of data.binance.vision is, told by its name, its folders and its header.

    data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip
    data/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01-15.zip
    data/futures/cm/daily/bookTicker/BTCUSD_PERP/BTCUSD_PERP-bookTicker-2024-01-15.zip

https://github.com/binance/binance-public-data. Older tables have no header; a name may be all that is left.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from actors.feeds.base import Origin
from actors.feeds.binance.venues import BINANCE, BINANCE_COINM, BINANCE_USDM, VENUES, Venue

Kind = Literal["klines", "aggTrades", "trades", "bookTicker", "depth"]

REFUSED = {
    "markPriceKlines": "bars of the mark price, which no trade made",
    "indexPriceKlines": "bars of an index of other venues' prices",
    "premiumIndexKlines": "bars of the premium over the index, no prices",
    "bookDepth": "sums over a percentage of the price, no order book",
    "metrics": "open interest and ratios of positions, no market data we have",
    "fundingRate": "funding rates, no market data we have",
    "liquidationSnapshot": "liquidation orders, which are no trades",
    "BVOLIndex": "an index of volatility",
    "EOHSummary": "hourly summaries of options, which we do not have",
}
"""Kind of table -> why it gives no observations."""
_READ: tuple[Kind, ...] = ("klines", "aggTrades", "trades", "bookTicker")

KLINE_COLUMNS = 12
_FUTURES_TRADE_COLUMNS = {"trades": 6, "aggTrades": 7}
"""Spot tables say besides whether the trade was the best match."""
_HEADERS: dict[str, Kind | str] = {
    "open_time": "klines",
    "agg_trade_id": "aggTrades",
    "id,price,qty": "trades",
    "update_id,best_bid_price": "bookTicker",
    "symbol,timestamp,first_update_id": "depth",
    "timestamp,percentage": "bookDepth",
    "create_time,symbol": "metrics",
    "calc_time": "fundingRate",
    "time,symbol,side,order_type": "liquidationSnapshot",
    "time,side,order_type": "liquidationSnapshot",
    "calc_time,symbol,base_asset": "BVOLIndex",
    "date,hour,symbol": "EOHSummary",
}
"""Beginning of a header -> kind; the longest that fits counts."""

_PLAIN = {name.lower(): name for name in (*_READ, *REFUSED)}
_WORDS = "|".join(sorted(_PLAIN, key=len, reverse=True))
_NAME = re.compile(rf"([^-/\\\s]{{2,40}})-(?:({_WORDS})|(\d{{1,2}}[smhdwM]|1mo))(?:[-_.].*)?", re.IGNORECASE)
_WORD = re.compile(rf"(?<![a-z])({_WORDS})(?![a-z])", re.IGNORECASE)
_MARKET = re.compile(r"(?:^|/)(spot|futures/um|futures/cm)(?=/|$)", re.IGNORECASE)
_VENUE_OF = {"spot": BINANCE, "futures/um": BINANCE_USDM, "futures/cm": BINANCE_COINM}
_COIN_MARGINED = re.compile(r"[A-Z0-9]+USD_(PERP|\d{6})")
_CHECKSUM = re.compile(r".*\.checksum", re.IGNORECASE)
_MONTH = "1mo"
"""How the archive writes the interval that the API calls 1M: some file systems take 1m for 1M."""


class Table(Struct, frozen=True):
    """`kind` is one of `Kind` or of REFUSED, None where nothing tells it; `venue` None likewise."""

    kind: str | None
    symbol: str | None
    interval: str | None
    venue: Venue | None


def identify(origin: Origin, first_row: list[str]) -> Table:
    """The address decides first, then what the caller assumes, then the columns."""
    folder, name = place(origin)
    named = _NAME.fullmatch(name)
    symbol = named[1] if named else (origin.symbol or "").replace("-", "").replace("/", "")
    symbol = symbol.upper() or None
    interval = named[3] if named else None
    kind = _told_kind(folder, name, named) or kind_of_header(first_row)
    if kind is None and len(first_row) == KLINE_COLUMNS:
        kind = "klines"
    venue = _told_venue(folder) or VENUES.get(origin.venue or "") or _hinted(kind, symbol, first_row)
    return Table(kind, symbol, "1M" if interval == _MONTH else interval, venue)


def place(origin: Origin) -> tuple[str, str]:
    """(folders, name)"""
    folder, _, name = f"{origin.folder}/{origin.endpoint}".replace("\\", "/").rpartition("/")
    return folder, name


def is_checksum(name: str) -> bool:
    return bool(_CHECKSUM.fullmatch(name))


def kind_of_header(row: list[str]) -> str | None:
    """None for a row of values, and for a header that none of the tables has."""
    header = ",".join(cell.strip().lower() for cell in row)
    fitting = [begin for begin in _HEADERS if header.startswith(begin)]
    return _HEADERS[max(fitting, key=len)] if fitting else None


def _told_kind(folder: str, name: str, named: re.Match[str] | None) -> str | None:
    """By the name; bars of trades and of other prices have the same names, so there the folders count."""
    words = _WORD.findall(name)
    if not words and named is not None:
        words = [part for part in folder.split("/") if part.lower().endswith("klines")] or ["klines"]
    return _PLAIN.get(words[-1].lower(), "klines") if words else None


def _told_venue(folder: str) -> Venue | None:
    told = _MARKET.findall(folder)
    return _VENUE_OF[told[-1].lower()] if told else None


def _hinted(kind: str | None, symbol: str | None, row: list[str]) -> Venue | None:
    """Contracts by their letters, tables of derivatives by their columns."""
    if symbol is not None and _COIN_MARGINED.fullmatch(symbol):
        return BINANCE_COINM
    is_derivative = kind in ("bookTicker", "depth") or _FUTURES_TRADE_COLUMNS.get(kind or "") == len(row)
    return BINANCE_USDM if is_derivative else None
