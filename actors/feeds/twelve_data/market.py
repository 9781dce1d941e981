"""Prices. Times of bars are those of the exchange's clocks; the address may ask for another zone."""

from __future__ import annotations

from actors.feeds.rest import listings
from actors.feeds.rest.days import NEW_YORK, UTC, local_ns
from actors.feeds.rest.failures import refuse
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.twelve_data.symbols import PROVIDER, asked_for, describe, instrument_of
from domain.errors import Malformed
from domain.ids import InstrumentId, venue_of
from domain.market.observations import Bar, FxRate, Quote, Ticker

INTERVALS = {
    "1min": "1m", "5min": "5m", "15min": "15m", "30min": "30m", "45min": "45m", "1h": "1h", "2h": "2h",
    "4h": "4h", "8h": "8h", "1day": "1d", "1week": "1w", "1month": "1mo",
}  # fmt: skip
_AROUND_THE_CLOCK = frozenset({"FX", "CRYPTO", "BINANCE", "COINBASE", "KRAKEN"})


def time_series(reading: Reading, value: object) -> None:
    body = Row(value)
    meta = body.row("meta")
    instrument = instrument_of(meta) if meta.letters("symbol") else asked_for(reading)
    interval = _interval(meta.letters("interval") or reading.where.get("interval"))
    zone = _zone(reading, instrument, meta)
    describe(reading, instrument, meta)
    adjusted = venue_of(instrument) not in _AROUND_THE_CLOCK
    adjusted = adjusted and (reading.where.get("adjust") or "splits").lower() != "none"
    reading.each(body.items("values"), _bar, reading, instrument, interval, zone, adjusted)


def _interval(name: str | None) -> str:
    if name is None:
        raise Malformed("the series names no interval")
    if name not in INTERVALS:
        raise Malformed(f"interval {name[:20]!r} is none of {', '.join(INTERVALS)}")
    return INTERVALS[name]


def _zone(reading: Reading, instrument: InstrumentId, meta: Row) -> str:
    """What was asked for, else the exchange's, else UTC for what no exchange has. Raises Malformed."""
    asked = reading.where.get("timezone")
    if asked is not None and asked.lower() != "exchange":
        return asked
    zone = meta.letters("exchange_timezone")
    if zone is None and venue_of(instrument) not in _AROUND_THE_CLOCK:
        raise Malformed("the series names no time zone")
    return zone or UTC


def _bar(
    reading: Reading, instrument: InstrumentId, interval: str, zone: str, adjusted: bool, row: Row
) -> None:
    prices = [row.price(name) for name in ("open", "high", "low", "close")]
    if all(each is None for each in prices) and "open" in row:
        return
    first, high, low, close = (_price(each) for each in prices)
    start = local_ns(row.must_letters("datetime"), zone)
    volume = row.volume("volume")
    recv = reading.recv
    reading.add(
        Bar(PROVIDER, instrument, start, recv, interval, first, high, low, close, volume, adjusted=adjusted)
    )


def _price(value: float | None) -> float:
    if value is None:
        raise Malformed("a price is missing")
    return value


def cross(reading: Reading, value: object) -> None:
    """One instrument in units of another, both in one currency: `JPY/USD` over `BTC/USD` is JPY in BTC."""
    body = Row(value)
    meta = body.row("meta")
    base, _, first = meta.must_letters("base_instrument").partition("/")
    quote, _, second = meta.must_letters("quote_instrument").partition("/")
    if first != second:
        raise Malformed("the two instruments are in different currencies")
    asked = reading.where.get("timezone")
    zone = asked if asked and asked.lower() != "exchange" else UTC
    interval = _interval(meta.letters("interval"))
    reading.each(body.items("values"), _bar, reading, listings.pair(base, quote), interval, zone, False)


def quote(reading: Reading, value: object) -> None:
    row = Row(value)
    instrument = instrument_of(row)
    describe(reading, instrument, row)
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            row.must_epoch("s", "last_quote_at", "timestamp"),
            reading.recv,
            row.must_price("close"),
            row.price("open"),
            row.price("high"),
            row.price("low"),
            row.amount("volume"),
            change_pct=row.percent("percent_change"),
        )
    )


def close(reading: Reading, value: object) -> None:
    """`eod`: the price that a day ended with, dated by the day alone."""
    row = Row(value)
    instrument = instrument_of(row)
    zone = NEW_YORK if venue_of(instrument) == "US" else UTC
    at = local_ns(row.must_letters("datetime"), zone)
    describe(reading, instrument, row)
    reading.add(Ticker(PROVIDER, instrument, at, reading.recv, row.must_price("close")))


def price(reading: Reading, value: object, name: str | None = None) -> None:
    """A number alone: its time is that of its receipt."""
    last = Row(value).must_price("price")
    reading.add(Ticker(PROVIDER, asked_for(reading, name), reading.recv, reading.recv, last))


def rate(reading: Reading, value: object) -> None:
    row = Row(value)
    base, mark, quote_of = row.must_letters("symbol").partition("/")
    if not mark:
        raise Malformed("symbol is no pair")
    instrument = listings.pair(base, quote_of)
    at = row.must_epoch("s", "timestamp")
    reading.add(FxRate(PROVIDER, instrument, at, reading.recv, row.must_price("rate")))


def mover(reading: Reading, row: Row) -> None:
    """Of those that moved most. Its time is on the clocks of its exchange, of which the US ones are known."""
    instrument = instrument_of(row)
    at = local_ns(row.must_letters("datetime"), NEW_YORK) if venue_of(instrument) == "US" else reading.recv
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            at,
            reading.recv,
            row.must_price("last"),
            None,
            row.price("high"),
            row.price("low"),
            row.amount("volume"),
            change_pct=row.percent("percent_change"),
        )
    )


def frame(reading: Reading, value: object) -> None:
    """Of the socket: prices, and what became of a subscription."""
    row = Row(value)
    match row.letters("event"):
        case "price":
            _price_event(reading, row)
        case "subscribe-status" | "unsubscribe-status" | "reset-status":
            _status(reading, row)
        case "heartbeat":
            return
        case other:
            raise Malformed(f"event {str(other)[:40]!r} is not known")


def _price_event(reading: Reading, row: Row) -> None:
    """A price of the day so far: how much was traded at it is not said."""
    instrument, at = instrument_of(row), row.must_epoch("s", "timestamp")
    last, volume = row.must_price("price"), row.amount("day_volume")
    describe(reading, instrument, row)
    reading.add(Ticker(PROVIDER, instrument, at, reading.recv, last, volume=volume))
    bid, ask = row.price("bid"), row.price("ask")
    if bid is not None or ask is not None:
        reading.add(Quote(PROVIDER, instrument, at, reading.recv, bid, None, ask, None))


def _status(reading: Reading, row: Row) -> None:
    fails = row.items("fails")
    for each in fails:
        symbol = Row(each).letters("symbol") if isinstance(each, dict) else str(each)
        reading.reject_as(refuse("not_found", f"{symbol} was not subscribed", reading.origin))
    if row.letters("status") == "error" and not fails:
        reading.reject("bad_request", row.text("message") or "nothing was subscribed")
