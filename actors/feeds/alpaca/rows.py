"""Trades, quotes, bars and books. Times are RFC 3339 to the nanosecond; a bar's is its start."""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.endpoints import Address
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.observations import Bar, BookDelta, BookSnapshot, Level, Quote, Side, Trade

PROVIDER = "alpaca"
IEX, OWN, TEST = "IEXG", "ALPACA", "ALPACA_TEST"
VENUES = (IEX, listings.US, OWN, TEST)
_SIP = frozenset({"sip", "delayed_sip"})
_TIMEFRAMES = {"min": "m", "t": "m", "hour": "h", "h": "h", "day": "d", "d": "d", "week": "w", "w": "w",
               "month": "mo", "m": "mo"}  # fmt: skip
_LONGER = {"60m": "1h", "24h": "1d", "12mo": "1y"}


def instrument_of(reading: Reading, symbol: str) -> InstrumentId:
    """Coins are of Alpaca's own exchange. Raises Malformed."""
    if "/" in symbol:
        return make_instrument_id(symbol, OWN)
    return make_instrument_id(symbol.replace("/", "."), reading.origin.venue or _feed(reading.where))


def _feed(where: Address) -> str:
    """By the last part of the socket's path, or the parameter `feed`."""
    name = (where.get("feed") or where.path.rpartition("/")[2]).lower()
    if name in _SIP:
        return listings.US
    return TEST if name == "test" else IEX


def trade(reading: Reading, symbol: str, row: Row) -> None:
    number = row.raw("i")
    reading.add(
        Trade(
            PROVIDER,
            instrument_of(reading, symbol),
            _time(row),
            reading.recv,
            row.must_price("p"),
            row.must_amount("s"),
            _taker(row.letters("tks")),
            str(number) if isinstance(number, int | str) and number is not True else None,
            tuple(str(each) for each in row.items("c")),
        )
    )


def _taker(letter: str | None) -> Side | None:
    """Of coins alone."""
    return {"B": "buy", "S": "sell"}.get(letter or "")  # type: ignore[return-value]


def quote(reading: Reading, symbol: str, row: Row) -> None:
    """A side without a price has no size."""
    bid, ask = row.price("bp"), row.price("ap")
    if bid is None and ask is None:
        raise Malformed("a quote with neither bid nor ask")
    sizes = row.amount("bs") if bid is not None else None, row.amount("as") if ask is not None else None
    about, at = instrument_of(reading, symbol), _time(row)
    reading.add(Quote(PROVIDER, about, at, reading.recv, bid, sizes[0], ask, sizes[1]))


def bar(reading: Reading, interval: str, closed: bool, adjusted: bool, symbol: str, row: Row) -> None:
    first, high, low, close = (row.must_price(name) for name in "ohlc")
    reading.add(
        Bar(
            PROVIDER,
            instrument_of(reading, symbol),
            _time(row),
            reading.recv,
            interval,
            first,
            high,
            low,
            close,
            row.volume("v"),
            row.whole("n"),
            row.price("vw"),
            closed,
            adjusted,
        )
    )


def book(reading: Reading, symbol: str, row: Row) -> None:
    """`r` says that the book begins anew; else levels change, and a size of 0 deletes."""
    bids, asks = (tuple(_level(each) for each in row.items(side)) for side in "ba")
    about, at = instrument_of(reading, symbol), _time(row)
    if row.raw("r") is True:
        bids = tuple(sorted((each for each in bids if each[1] > 0.0), reverse=True))
        asks = tuple(sorted(each for each in asks if each[1] > 0.0))
        reading.add(BookSnapshot(PROVIDER, about, at, reading.recv, bids, asks))
    else:
        reading.add(BookDelta(PROVIDER, about, at, reading.recv, bids, asks))


def _level(value: object) -> Level:
    row = Row(value)
    return row.must_price("p"), row.must_amount("s")


def _time(row: Row) -> int:
    value = row.raw("t")
    if value is None:
        raise Malformed("t is missing")
    return zoned_ns(value)


def interval_of(timeframe: str | None) -> str:
    """`1Min`, `1Hour`, `1D` -> `1m`, `1h`, `1d`. Raises Malformed."""
    text = (timeframe or "").lower()
    count = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _TIMEFRAMES.get(text.removeprefix(count)) if count else None
    if unit is None or not count.isascii() or not count.isdigit() or not 0 < int(count[:4]) < 1000:
        raise Malformed("the bars do not name their interval: it stands in their address alone")
    name = f"{int(count)}{unit}"
    return _LONGER.get(name, name)
