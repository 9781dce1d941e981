"""Where the columns of an input table are, by what exports call them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from domain.errors import Malformed

PRICES = ("open", "high", "low", "close")
_TIME_NAMES = (
    *("time", "timestamp", "datetime", "date", ""),
    *("gmt time", "local time", "open_time", "open time", "window_start", "sip_timestamp"),
    *("date/time", "date_time", "unix", "unix_timestamp", "unix time", "ts", "dt", "day", "trade_date"),
)
"""Beside the plain ones: Dukascopy's charts, Binance's archive of klines, Polygon's flat files."""
_ORDERS = {
    "dtyyyymmdd": "ymd",
    "yyyymmdd": "ymd",
    "dtyymmdd": "ymd",
    "yymmdd": "ymd",
    "ddmmyyyy": "dmy",
    "ddmmyy": "dmy",
    "mmddyyyy": "mdy",
    "mmddyy": "mdy",
}
"""Names that say in which order a date is written: MetaStock, Forexite, Finam."""
_DATE_NAMES = ("date", *_ORDERS)
_VOLUME_NAMES = (
    *("volume", "vol", "real_volume", "real volume", "realvol", "base_volume", "volume_base"),
    *("tickvol", "tick_volume", "tick volume", "tickvolume", "tick_vol"),
)
"""Best first: traded volume, then numbers of price changes, which MetaTrader has where nothing is traded."""
_SYMBOL_NAMES = (
    *("symbol", "ticker", "sym", "instrument", "act_symbol", "ts_code", "tic", "pair", "coin", "stock"),
    *("asset", "security", "isin", "name"),
)
_SYMBOL_NAMES_OF_BARS = ("market", "code", "contract", "product", "product_id")
"""Of trades these may be where or how each was made."""


class Layout(Struct, frozen=True):
    """Where the columns are; `time` may be two of them (date, time of day) or none.

    `order` of day, month and year where the header says it. `volumes`, the best first, of which the first one
    that holds a number is read. `idle`: columns that look like volume and are none of these.
    """

    kind: str
    time: tuple[int, ...]
    prices: tuple[int, ...]
    volumes: tuple[int, ...]
    side: int | None = None
    symbol: int | None = None
    order: str = ""
    idle: tuple[int, ...] = ()


def layout_of(names: Sequence[str]) -> Layout:
    """From the header. Raises Malformed where it fits neither bars nor trades."""
    places: dict[str, int] = {}
    for place, name in enumerate(map(plain, names)):
        if name in places and name in (*PRICES, "price", "size", "volume"):
            raise Malformed(f"two columns are called {name!r}")
        if name or place == 0:
            places.setdefault(name, place)
    time, order = _times(places)
    symbol = next((places[name] for name in _SYMBOL_NAMES if name in places), None)
    if all(name in places for name in PRICES):
        of_bars = (places[name] for name in _SYMBOL_NAMES_OF_BARS if name in places)
        symbol = next(of_bars, None) if symbol is None else symbol
        prices = tuple(places[name] for name in PRICES)
        volumes, idle = _volumes(places)
        return Layout("bars", time, prices, volumes, symbol=symbol, order=order, idle=idle)
    if "price" in places and "size" in places:
        prices = (places["price"],) * 4
        return Layout("trades", time, prices, (places["size"],), places.get("side"), symbol, order)
    shown = ", ".join(repr(name[:20]) for name in names[:12])
    raise Malformed(
        f"columns open, high, low, close (or price, size) expected in the header, which has {shown}"
    )


def plain(name: str) -> str:
    """A column's name without the signs that exports put around it."""
    return name.strip().strip("<>\"'").strip().lower()


def _times(places: dict[str, int]) -> tuple[tuple[int, ...], str]:
    """(columns, order of day, month and year)."""
    dated = next((name for name in _DATE_NAMES if name in places), None)
    order = _ORDERS.get(dated or "", "")
    clock = next((name for name in ("time", "hhmmss", "hhmm") if name in places), None)
    if dated is not None and clock is not None:
        return (places[dated], places[clock]), order
    found = next((name for name in _TIME_NAMES if name in places), None)
    if dated is not None and found in (None, ""):
        return (places[dated],), order
    return (() if found is None else (places[found],)), ""


def _volumes(places: dict[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(columns to read, further ones that look like volume). One alone with a unit, `Volume BTC`, is read."""
    named = tuple(places[name] for name in _VOLUME_NAMES if name in places)
    if "volume" in places:
        return named, ()
    similar = tuple(place for name, place in places.items() if "vol" in name and "volat" not in name)
    with_unit = [place for name, place in places.items() if name.startswith(("volume", "vol."))]
    if not named and len(with_unit) == 1:
        named = (with_unit[0],)
    return named, tuple(place for place in similar if place not in named)
