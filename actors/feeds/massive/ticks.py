"""Trades, quotes and rates. Times of shares are those of the consolidated tape (`t`, `sip_timestamp`)."""

from __future__ import annotations

from actors.feeds.massive.symbols import PROVIDER, asked_for, instrument_of, pair_of, results_of
from actors.feeds.rest import numbers
from actors.feeds.rest.days import epoch_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.clock import from_epoch
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.observations import BookSnapshot, FxRate, Level, Quote, Ticker, Trade

TRADES = r"v3/trades/(?P<ticker>[^/]+)"
QUOTES = r"v3/quotes/(?P<ticker>[^/]+)"
LAST = r"v2/last/(?:trade|nbbo)/(?P<ticker>[^/]+)"
TICKS = r"v2/ticks/stocks/(?:trades|nbbo)/(?P<ticker>[^/]+)/[^/]+"


def trades(reading: Reading, value: object) -> None:
    rows = results_of(value)
    if rows:
        reading.each(rows, _trade, reading, asked_for(reading, TRADES))


def quotes(reading: Reading, value: object) -> None:
    rows = results_of(value)
    if rows:
        reading.each(rows, _quote, reading, asked_for(reading, QUOTES))


def _trade(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Coins have no tape: theirs is the exchange's time."""
    reading.add(
        Trade(
            PROVIDER,
            instrument,
            row.must_epoch("ns", "sip_timestamp", "participant_timestamp"),
            reading.recv,
            row.must_price("price"),
            row.must_amount("size"),
            trade_id=_id(row, "id"),
            conditions=_conditions(row, "conditions"),
        )
    )


def _quote(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    at = row.must_epoch("ns", "sip_timestamp", "participant_timestamp")
    sides = [row.price("bid_price"), row.amount("bid_size"), row.price("ask_price"), row.amount("ask_size")]
    reading.add(_checked(Quote(PROVIDER, instrument, at, reading.recv, *sides)))


def _checked(quote: Quote) -> Quote:
    if quote.bid is None and quote.ask is None:
        raise Malformed("a quote with neither bid nor ask")
    return quote


def last(reading: Reading, value: object) -> None:
    """`/v2/last/trade`, `/v2/last/nbbo`: an object whose letters tell which of the two it is."""
    row = Row(value).row("results")
    if list(row):
        ticker = row.letters("T")
        tick(reading, instrument_of(ticker) if ticker else asked_for(reading, LAST), row)


def ticks(reading: Reading, value: object) -> None:
    """`/v2/ticks/stocks/...`, which is older than v3 and has the letters of `last`."""
    body = Row(value)
    ticker = body.letters("ticker")
    instrument = instrument_of(ticker) if ticker else asked_for(reading, TICKS)
    reading.each(body.items("results"), tick, reading, instrument)


def tick(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    at, recv = row.must_epoch("ns", "t"), reading.recv
    if "P" in row or "S" in row:
        sides = row.price("p"), row.amount("s"), row.price("P"), row.amount("S")
        reading.add(_checked(Quote(PROVIDER, instrument, at, recv, *sides)))
    else:
        price, size = row.must_price("p"), row.must_amount("s")
        told = _id(row, "i"), _conditions(row, "c")
        reading.add(Trade(PROVIDER, instrument, at, recv, price, size, None, *told))


def last_of_pair(reading: Reading, value: object) -> None:
    """`/v1/last/crypto` (a trade) and `/v1/last_quote/currencies`."""
    body = Row(value)
    row = body.row("last")
    instrument = pair_of(body.must_letters("symbol"))
    at, recv = row.must_epoch("ms", "timestamp"), reading.recv
    if "price" in row:
        price, size = row.must_price("price"), row.must_amount("size")
        told = _conditions(row, "conditions")
        reading.add(Trade(PROVIDER, instrument, at, recv, price, size, conditions=told))
    else:
        sides = row.price("bid"), row.amount("bid_size"), row.price("ask"), row.amount("ask_size")
        reading.add(_checked(Quote(PROVIDER, instrument, at, recv, *sides)))


def conversion(reading: Reading, value: object) -> None:
    """The rate is what one unit was converted to; the quote beside it names its pair either way round."""
    row = Row(value)
    base, quote = row.must_letters("from"), row.must_letters("to")
    given = row.must_price("initialAmount")
    at = row.row("last").must_epoch("ms", "timestamp")
    rate = row.must_price("converted") / given
    reading.add(FxRate(PROVIDER, pair_of(f"{base}/{quote}"), at, reading.recv, rate))


def historic(reading: Reading, value: object) -> None:
    """`/v1/historic/crypto` and `/v1/historic/forex`: ticks of a day."""
    body = Row(value)
    instrument = pair_of(body.must_letters("symbol", "pair"))
    reading.each(body.items("ticks"), _historic, reading, instrument)


def _historic(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    at, recv = row.must_epoch("ms", "t"), reading.recv
    if "ap" in row or "bp" in row:
        sides = row.price("bp"), None, row.price("ap"), None
        reading.add(_checked(Quote(PROVIDER, instrument, at, recv, *sides)))
    else:
        price, size = row.must_price("p"), row.must_amount("s")
        told = _conditions(row, "c")
        reading.add(Trade(PROVIDER, instrument, at, recv, price, size, conditions=told))


def trade_event(reading: Reading, row: Row) -> None:
    """`T` of shares and options, `XT` of coins."""
    symbol = row.letters("sym")
    instrument = instrument_of(symbol) if symbol else pair_of(row.must_letters("pair"))
    price, size = row.must_price("p"), row.must_amount("s")
    told = _id(row, "i"), _conditions(row, "c")
    at = row.must_epoch("ms", "t")
    reading.add(Trade(PROVIDER, instrument, at, reading.recv, price, size, None, *told))


def quote_event(reading: Reading, row: Row) -> None:
    """`Q` of shares and options, `XQ` of coins."""
    symbol = row.letters("sym")
    instrument = instrument_of(symbol) if symbol else pair_of(row.must_letters("pair"))
    sides = row.price("bp"), row.amount("bs"), row.price("ap"), row.amount("as")
    at = row.must_epoch("ms", "t")
    reading.add(_checked(Quote(PROVIDER, instrument, at, reading.recv, *sides)))


def currency_event(reading: Reading, row: Row) -> None:
    """`C`: bid and ask of two currencies."""
    at = row.must_epoch("ms", "t")
    sides = row.price("b"), None, row.price("a"), None
    instrument = pair_of(row.must_letters("p"))
    reading.add(_checked(Quote(PROVIDER, instrument, at, reading.recv, *sides)))


def value_event(reading: Reading, row: Row) -> None:
    """`V` of an index, `LV` and `FMV`: a value without anything else, at a time in ms or ns."""
    instrument = instrument_of(row.must_letters("sym", "T"))
    reading.add(Ticker(PROVIDER, instrument, any_epoch(row, "t"), reading.recv, row.must_price("val", "fmv")))


def book_event(reading: Reading, row: Row) -> None:
    """`XL2`: the levels of one exchange of a coin."""
    at = row.must_epoch("ms", "t")
    bids, asks = (_levels(row.items(side)) for side in "ba")
    bids = tuple(sorted(bids, reverse=True))
    instrument = pair_of(row.must_letters("pair"))
    reading.add(BookSnapshot(PROVIDER, instrument, at, reading.recv, bids, tuple(sorted(asks))))


def _levels(rows: list[object]) -> tuple[Level, ...]:
    levels = []
    for row in rows:
        if not isinstance(row, list) or len(row) < 2:
            raise Malformed("a level is no pair of price and size")
        at, size = numbers.price(row[0]), numbers.amount(row[1])
        if at is None or size is None:
            raise Malformed("a level without price or size")
        if size > 0.0:
            levels.append((at, size))
    return tuple(levels)


def any_epoch(row: Row, name: str) -> int:
    """A time whose unit is told by its magnitude. Raises Malformed."""
    value = row.whole(name)
    if value is None:
        raise Malformed(f"{name} is missing")
    return epoch_ns(from_epoch(value), "ns")


def _id(row: Row, name: str) -> str | None:
    value = row.raw(name)
    return str(value) if isinstance(value, str | int) and value != "" and value is not True else None


def _conditions(row: Row, name: str) -> tuple[str, ...]:
    return tuple(str(each) for each in row.items(name))
