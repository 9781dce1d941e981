"""Snapshots: the day of a ticker so far, its best bid and ask, option contracts, a book."""

from __future__ import annotations

from typing import Literal

from actors.feeds.massive.symbols import PROVIDER, asked_for, instrument_of, results_of
from actors.feeds.massive.ticks import any_epoch
from actors.feeds.rest import numbers
from actors.feeds.rest.failures import class_of
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.observations import BookSnapshot, Level, Quote, Ticker
from domain.market.reference import OptionQuote

CHAIN = r"v3/snapshot/options/(?P<ticker>[^/]+)(?:/[^/]+)?"


def tickers(reading: Reading, value: object) -> None:
    """`/v2/snapshot/...`: one ticker or a list of them."""
    body = Row(value)
    one = body.raw("ticker")
    reading.each(body.items("tickers") if one is None else [one], _ticker, reading)


def _ticker(reading: Reading, row: Row) -> None:
    instrument = instrument_of(row.must_letters("ticker"))
    day, quote = row.row("day"), row.row("lastQuote")
    last = row.row("lastTrade").price("p") or row.row("min").price("c") or day.price("c")
    if last is None:
        raise Malformed("a snapshot without a price")
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            any_epoch(row, "updated") if row.raw("updated") else reading.recv,
            reading.recv,
            last,
            day.price("o"),
            day.price("h"),
            day.price("l"),
            day.amount("v"),
            change_pct=row.number("todaysChangePerc"),
        )
    )
    _quote(reading, instrument, quote)


def _quote(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Shares have `p s P S`, currencies `b a`, v3 whole words."""
    bid, ask = row.price("p", "b", "bid"), row.price("P", "a", "ask")
    if bid is None and ask is None:
        return
    at = any_epoch(row, "t") if "t" in row else any_epoch(row, "last_updated")
    sizes = row.amount("s", "bid_size"), row.amount("S", "ask_size")
    reading.add(Quote(PROVIDER, instrument, at, reading.recv, bid, sizes[0], ask, sizes[1]))


def universal(reading: Reading, value: object) -> None:
    """`/v3/snapshot`, `/v3/snapshot/indices`, `/v1/summaries`: every kind of ticker, errors among them."""
    for number, each in enumerate(results_of(value)):
        reading.one(f"row {number}", _universal, reading, each)


def _universal(reading: Reading, value: object) -> None:
    row = Row(value)
    ticker = row.letters("ticker")
    error = row.letters("error")
    if error is not None:
        said = f"{ticker or ''} {row.text('message') or error}".strip()
        reading.reject("entitlement" if "ENTITLED" in error else class_of(error) or "bad_request", said)
        return
    kind = row.letters("type")
    if kind == "options" or "details" in row or "options" in row:
        _contract(reading, row)
        return
    instrument = instrument_of(row.must_letters("ticker"), kind)
    session, trade = row.row("session"), row.row("last_trade")
    last = trade.price("price") or row.price("value", "price") or session.price("close")
    if last is None:
        raise Malformed("a snapshot without a price")
    reading.add(
        Ticker(
            PROVIDER,
            instrument,
            _updated(row, trade) or reading.recv,
            reading.recv,
            last,
            session.price("open"),
            session.price("high"),
            session.price("low"),
            session.amount("volume"),
            change_pct=session.number("change_percent"),
        )
    )
    _quote(reading, instrument, row.row("last_quote"))


def _updated(row: Row, trade: Row) -> int | None:
    """When a summary was made: by itself, else by its last trade."""
    if row.raw("last_updated"):
        return any_epoch(row, "last_updated")
    name = next((name for name in ("sip_timestamp", "last_updated") if trade.raw(name)), None)
    return any_epoch(trade, name) if name else None


def options(reading: Reading, value: object) -> None:
    """`/v3/snapshot/options/...`: one contract or the chain of an underlying."""
    results = Row(value).raw("results")
    reading.each(results if isinstance(results, list) else [results] if results else [], _contract, reading)


def contracts(reading: Reading, value: object) -> None:
    """`/v3/reference/options/contracts`: what there is, without prices."""
    results = Row(value).raw("results")
    reading.each(results if isinstance(results, list) else [results] if results else [], _listed, reading)


def _listed(reading: Reading, row: Row) -> None:
    reading.add(
        _option(reading, row, row.must_letters("ticker"), row.must_letters("underlying_ticker"), None)
    )


def _contract(reading: Reading, row: Row) -> None:
    details = row.row("details", "options")
    ticker = details.letters("ticker") or row.must_letters("ticker")
    named = details.letters("underlying_ticker") or row.row("underlying_asset").letters("ticker")
    underlying = named or asked_for(reading, CHAIN)
    reading.add(_option(reading, details, ticker, underlying, row))


def _option(reading: Reading, details: Row, ticker: str, underlying: str, prices: Row | None) -> OptionQuote:
    told = prices or Row({})
    quote, trade, greeks = told.row("last_quote"), told.row("last_trade"), told.row("greeks")
    day = told.row("day", "session")
    at = next(
        (any_epoch(each, name) for each, name in _times(quote, trade, day) if each.raw(name)), reading.recv
    )
    return OptionQuote(
        PROVIDER,
        instrument_of(ticker, "options"),
        at,
        reading.recv,
        instrument_of(underlying) if "." not in underlying else underlying,
        details.must_day("expiration_date"),
        details.must_price("strike_price"),
        _right(details),
        details.letters("exercise_style"),
        details.number("shares_per_contract"),
        quote.price("bid"),
        quote.amount("bid_size"),
        quote.price("ask"),
        quote.amount("ask_size"),
        trade.price("price") or told.price("price") or day.price("close"),
        day.amount("volume"),
        told.amount("open_interest"),
        told.number("implied_volatility"),
        greeks.number("delta"),
        greeks.number("gamma"),
        greeks.number("theta"),
        greeks.number("vega"),
    )


def _times(quote: Row, trade: Row, day: Row) -> tuple[tuple[Row, str], ...]:
    return (quote, "last_updated"), (trade, "sip_timestamp"), (day, "last_updated")


def _right(details: Row) -> Literal["call", "put"]:
    match (details.letters("contract_type") or "").lower():
        case "call":
            return "call"
        case "put":
            return "put"
    raise Malformed("contract_type is neither call nor put")


def book(reading: Reading, value: object) -> None:
    """The levels of all exchanges together: `x` has the size at each."""
    row = Row(value).row("data")
    at = any_epoch(row, "updated")
    bids, asks = (tuple(_level(each) for each in row.items(side)) for side in ("bids", "asks"))
    bids = tuple(sorted(bids, reverse=True))
    instrument = instrument_of(row.must_letters("ticker"))
    reading.add(BookSnapshot(PROVIDER, instrument, at, reading.recv, bids, tuple(sorted(asks))))


def _level(value: object) -> Level:
    row = Row(value)
    at_exchanges = row.row("x")
    sizes = [numbers.amount(at_exchanges.raw(name)) or 0.0 for name in at_exchanges]
    return row.must_price("p"), sum(sizes)
