"""Prices: the quote, candles, splits and dividends of REST, the trades of the socket."""

from __future__ import annotations

from actors.feeds.finnhub.symbols import PROVIDER, asked_for, instrument_of
from actors.feeds.rest import numbers
from actors.feeds.rest.days import NEW_YORK, day_ns, epoch_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import Bar, SplitAnnounced, Ticker, Trade
from domain.market.reference import Dividend

INTERVALS = {
    "1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "D": "1d", "W": "1w", "M": "1mo",
}  # fmt: skip
ADJUSTED = frozenset({"1d", "1w", "1mo"})
"""Finnhub adjusts these candles for splits, and no shorter ones."""


def quote(reading: Reading, value: object) -> None:
    """All zeros are Finnhub's answer to a symbol that it does not know."""
    row = Row(value)
    last = row.price("c")
    if last is None and not row.number("t"):
        name = reading.where.get("symbol") or reading.origin.symbol or "the symbol"
        reading.reject("not_found", f"{name} is not known: every price and the time are 0")
        return
    reading.add(
        Ticker(
            PROVIDER,
            asked_for(reading),
            row.must_epoch("s", "t"),
            reading.recv,
            row.must_price("c"),
            row.price("o"),
            row.price("h"),
            row.price("l"),
            change_pct=row.number("dp"),
        )
    )


def candles(reading: Reading, value: object) -> None:
    row = Row(value)
    if row.raw("s") == "no_data":
        return
    columns = [row.items(name) for name in "tohlcv"]
    if len({len(column) for column in columns}) != 1:
        raise Malformed("the arrays of the candles are of unequal length")
    resolution = reading.where.get("resolution")
    if resolution is None:
        raise Malformed("the candles do not name their interval: it stands in their address alone")
    interval = INTERVALS.get(resolution.upper())
    if interval is None:
        raise Malformed(f"resolution {resolution[:20]!r} is none of {', '.join(INTERVALS)}")
    instrument = asked_for(reading)
    for number, cells in enumerate(zip(*columns, strict=True)):
        reading.one(f"candle {number}", _candle, reading, instrument, interval, cells)


def _candle(reading: Reading, instrument: str, interval: str, cells: tuple[object, ...]) -> None:
    reading.add(_bar(reading, instrument, interval, cells))


def _bar(reading: Reading, instrument: str, interval: str, cells: tuple[object, ...]) -> Bar | None:
    """None where a price of it is null: nothing was traded."""
    at, *prices, volume = cells
    read = [numbers.price(each) for each in prices]
    if any(each is None for each in read):
        return None
    first, high, low, close = (each or 0.0 for each in read)
    return Bar(
        PROVIDER,
        instrument,
        epoch_ns(at, "s"),
        reading.recv,
        interval,
        first,
        high,
        low,
        close,
        numbers.volume(volume),
        adjusted=interval in ADJUSTED,
    )


def trades(reading: Reading, value: object) -> None:
    """Of the socket: without ids, not in the order of their times; equal ones are different trades."""
    reading.each(Row(value).items("data"), _trade, reading)


def _trade(reading: Reading, row: Row) -> None:
    reading.add(
        Trade(
            PROVIDER,
            instrument_of(row.must_letters("s")),
            row.must_epoch("ms", "t"),
            reading.recv,
            row.must_price("p"),
            row.must_amount("v"),
            conditions=tuple(str(each) for each in row.items("c")),
        )
    )


def split(reading: Reading, row: Row) -> None:
    """`fromFactor` old shares become `toFactor` new ones."""
    reading.add(
        SplitAnnounced(
            PROVIDER,
            instrument_of(row.must_letters("symbol")),
            reading.recv,
            reading.recv,
            day_ns(row.must_day("date"), NEW_YORK),
            row.must_price("fromFactor"),
            row.must_price("toFactor"),
        )
    )


def dividend(reading: Reading, row: Row) -> None:
    ex_date = row.must_day("date")
    reading.add(
        Dividend(
            PROVIDER,
            instrument_of(row.must_letters("symbol")),
            day_ns(ex_date, NEW_YORK),
            reading.recv,
            ex_date,
            row.must("amount"),
            row.letters("currency"),
            row.day("payDate"),
            row.day("recordDate"),
            row.day("declarationDate"),
        )
    )
