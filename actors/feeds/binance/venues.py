"""Binance's venues: addresses, limits and request weights, and which derivative a symbol is.

Limits are those of Binance's public API documentation (spot 2025, derivatives 2025, Binance.US 2024).
Where a venue publishes none (Binance TR) the lowest known one stands.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

PUBLIC, MARKET = "public", "market"
"""The two routes of the USD-M streams: books and best prices, and everything else."""
DERIVATIVES = "derivatives"


class Venue(Struct, frozen=True):
    """One market. `depths` rise: (levels up to, weight).

    `hosts` is a pattern of its host names. Venues of the same `budget` share one request weight per
    address. `routes`: channel -> the part of the path over which its stream is sent; "" where there is one
    for all.
    """

    name: str
    ws_url: str
    rest_url: str
    api: str
    hosts: str
    weight_per_min: int
    streams_per_connection: int
    depths: tuple[tuple[int, int], ...]
    info_weight: int
    klines_weight: int
    trades_weight: int
    budget: str
    routes: tuple[tuple[str, str], ...] = ()
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
    hosts=(  # `data` came before `data-api.binance.vision`; `www` serves `/api/v3` beside its pages
        r"(?:demo-)?(?:api|stream|ws-api|data-api|data-stream|stream-sbe)\d*\.binance\.com|api-gcp\.binance\.com"
        r"|(?:data|www)\.binance\.com"
        r"|(?:data|data-api|data-stream)\.binance\.vision|(?:[a-z-]+\.)?testnet\.binance\.vision"
    ),
    weight_per_min=6000,
    streams_per_connection=1024,
    depths=_SPOT_DEPTHS,
    info_weight=20,
    klines_weight=2,
    trades_weight=4,
    budget="BINANCE",
)
BINANCE_US = Venue(
    name="BINANCE_US",
    ws_url="wss://stream.binance.us:9443",
    rest_url="https://api.binance.us",
    api="/api/v3",
    hosts=r"(?:api|stream|ws-api|data-api|data-stream)\d*\.binance\.us",
    weight_per_min=1200,
    streams_per_connection=1024,
    depths=_US_DEPTHS,
    info_weight=10,
    klines_weight=1,
    trades_weight=1,
    budget="BINANCE_US",
)
BINANCE_TR = Venue(
    name="BINANCE_TR",
    ws_url="wss://stream-cloud.trbinance.com",
    rest_url="https://api.binance.me",
    api="/api/v3",
    hosts=r"(?:www|api|stream|stream-cloud)\d*\.(?:trbinance\.com|binance\.tr|binance\.me)",
    weight_per_min=1200,
    streams_per_connection=1024,
    depths=_SPOT_DEPTHS,
    info_weight=20,
    klines_weight=2,
    trades_weight=4,
    budget="BINANCE_TR",
)
_USDM_ROUTES = (
    ("book", PUBLIC),
    ("quotes", PUBLIC),
    ("trades", MARKET),
    ("raw_trades", MARKET),
    ("bars", MARKET),
    ("ticker", MARKET),
)
"""Since 2026-04-23; the old path acknowledges all of them and sends the public ones alone."""

BINANCE_USDM = Venue(
    name="BINANCE_USDM",
    ws_url="wss://fstream.binance.com",
    rest_url="https://fapi.binance.com",
    api="/fapi/v1",
    hosts=r"(?:demo-|ws-)?f(?:api|stream)\d*(?:-[a-z0-9-]+)?\.binance\.com|(?:fstream|stream|testnet)\.binancefuture\.com",
    weight_per_min=2400,
    streams_per_connection=1024,
    depths=_FUTURES_DEPTHS,
    info_weight=1,
    klines_weight=5,
    trades_weight=20,
    budget=DERIVATIVES,
    routes=_USDM_ROUTES,
    spot=False,
)
BINANCE_COINM = Venue(
    name="BINANCE_COINM",
    ws_url="wss://dstream.binance.com",
    rest_url="https://dapi.binance.com",
    api="/dapi/v1",
    hosts=r"(?:demo-|ws-)?d(?:api|stream)\d*(?:-[a-z0-9-]+)?\.binance\.com|dstream\.binancefuture\.com",
    weight_per_min=2400,
    streams_per_connection=200,
    depths=_FUTURES_DEPTHS,
    info_weight=1,
    klines_weight=5,
    trades_weight=20,
    budget=DERIVATIVES,
    spot=False,
)
VENUES = {venue.name: venue for venue in (BINANCE, BINANCE_US, BINANCE_TR, BINANCE_USDM, BINANCE_COINM)}

_COINM_LETTERS = re.compile(r"[A-Z0-9]{1,20}USD_(?:PERP|\d{6})")
_USDM_LETTERS = re.compile(r"(?:BTC|ETH)BUSD_\d{6}|[A-Z0-9]{1,20}USD[TC](?:_\d{6})?")
"""The dated contracts in BUSD, gone since 2023, look like COIN-M contracts of the coins BTCB and ETHB."""
_BY_SYMBOL_TYPE = {1: BINANCE_USDM, 2: BINANCE_COINM}


def market_of(venue: Venue, symbol: str, symbol_type: int | None = None) -> Venue:
    """The derivatives venue that a symbol belongs to, by the message's `st`, else by its letters.

    Since the two venues were merged each of their hosts sends both. Where neither tells it is `venue`.
    """
    if venue.spot:
        return venue
    told = _BY_SYMBOL_TYPE.get(symbol_type or 0)
    return told or _by_letters(venue.name, symbol)


@lru_cache(maxsize=16_384)
def _by_letters(venue: str, symbol: str) -> Venue:
    if _USDM_LETTERS.fullmatch(symbol):
        return BINANCE_USDM
    return BINANCE_COINM if _COINM_LETTERS.fullmatch(symbol) else VENUES[venue]
