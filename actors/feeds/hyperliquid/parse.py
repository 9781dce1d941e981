"""Bytes from Hyperliquid -> observations. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.feeds.base import Origin, Parsed
from actors.feeds.hyperliquid.wire import PROVIDER, instrument_of, interval_of
from actors.feeds.rest.arrays import array
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.numbers import amount, price
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Level, Quote, Side, Trade

DEPTH = 20
"""Levels a side, at most."""
_SIDES: dict[object, Side] = {"B": "buy", "A": "sell"}
"""The aggressor's: B bid, A ask."""
_SILENT = frozenset({"subscriptionResponse", "pong"})
WORDS: Words = (
    ("too many", "throttled"),
    ("failed to deserialize", "bad_request"),
    ("error parsing", "bad_request"),
    ("invalid subscription", "bad_request"),
    ("already subscribed", "bad_request"),
)

Read = Callable[[Reading, object], None]


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, partial(_read, reading), WORDS)


def _read(reading: Reading, value: object) -> None:
    """Raises Malformed."""
    if isinstance(value, dict) and "channel" in value:
        _frame(reading, Row(value))
    elif isinstance(value, dict) and isinstance(value.get("error"), str):
        reading.reject_as(refusal(value["error"], reading.origin, WORDS))
    elif isinstance(value, str):
        reading.reject_as(refusal(value, reading.origin, WORDS))
    else:
        _body(reading, value)


def _frame(reading: Reading, frame: Row) -> None:
    channel, data = frame.must_letters("channel"), frame.raw("data")
    if channel in _SILENT:
        return
    if channel == "error":
        reading.reject_as(refusal(str(data), reading.origin, WORDS))
        return
    read = _CHANNELS.get(channel)
    if read is None:
        reading.reject("unsupported", f"channel {channel[:60]!r} is not read")
    else:
        read(reading, data)


def _body(reading: Reading, value: object) -> None:
    """An answer of `/info`, by its look. Raises Malformed."""
    if value is None:
        reading.reject("not_found", "null: an unknown market is answered so")
        return
    if isinstance(value, list):
        first = next((each for each in value if isinstance(each, dict)), {})
        read = _of_rows(first)
        if read is None and "universe" in first:  # meta, and the state of each market beside it
            read, value = _of_object(Row(first)), first
    else:
        read = _of_object(Row(value))
    if read is not None:
        read(reading, value)
    elif _are_prices(value):
        reading.reject("unsupported", "prices between bid and ask (allMids) are neither trades nor quotes")
    elif value != []:
        raise Malformed("not an answer of /info that is read: l2Book, candleSnapshot, recentTrades, meta")


def _are_prices(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(each, str) for each in value.values())


def _of_rows(first: dict[str, object]) -> Read | None:
    if {"px", "sz", "side"} <= first.keys():
        return _trades
    return _candles if {"t", "s", "i", "o"} <= first.keys() else None


def _of_object(body: Row) -> Read | None:
    if body.has("coin", "levels"):
        return _book
    if body.has("universe", "tokens"):
        return _spot_markets
    return _markets if "universe" in body else None


def _trades(reading: Reading, value: object) -> None:
    reading.each(array(value), _trade, reading)


def _trade(reading: Reading, row: Row) -> None:
    side = _SIDES.get(row.letters("side"))
    if side is None and row.raw("side") is not None:
        raise Malformed(f"side {str(row.raw('side'))[:20]!r} is neither A nor B")
    trade_id = row.whole("tid")
    reading.add(
        Trade(
            reading.provider,
            instrument_of(row.must_letters("coin")),
            row.must_epoch("ms", "time"),
            reading.recv,
            row.must_price("px"),
            row.must_amount("sz"),
            side,
            None if trade_id is None else str(trade_id),
        )
    )


def _book(reading: Reading, value: object) -> None:
    """A level that cannot be read makes the book useless. Raises Malformed."""
    row = Row(value)
    sides = row.items("levels")
    if len(sides) != 2:
        raise Malformed("levels are not two sides")
    bids, asks = (sorted(_levels(each)) for each in sides)
    reading.add(
        BookSnapshot(
            reading.provider,
            instrument_of(row.must_letters("coin")),
            row.must_epoch("ms", "time"),
            reading.recv,
            tuple(reversed(bids)),
            tuple(asks),
            depth=DEPTH,
        )
    )


def _levels(side: object) -> list[Level]:
    rows = [Row(each) for each in array(side)]
    return [(row.must_price("px"), row.must_amount("sz")) for row in rows if row.amount("sz") != 0.0]


def _best(reading: Reading, value: object) -> None:
    """The best of each side; null where a side is empty. Raises Malformed."""
    row = Row(value)
    sides = row.items("bbo")
    if len(sides) != 2:
        raise Malformed("bbo is not two sides")
    bid, ask = (Row({} if each is None else each) for each in sides)
    reading.add(
        Quote(
            reading.provider,
            instrument_of(row.must_letters("coin")),
            row.must_epoch("ms", "time"),
            reading.recv,
            bid.price("px"),
            bid.price("sz"),
            ask.price("px"),
            ask.price("sz"),
        )
    )


def _candles(reading: Reading, value: object) -> None:
    """An array over REST, one or an array in a frame."""
    rows = value if isinstance(value, list) else [value]
    reading.each(rows, _candle, reading)


def _candle(reading: Reading, row: Row) -> None:
    prices = [price(row.raw(name)) for name in ("o", "h", "l", "c")]
    opened, high, low, close = prices
    if prices == [None] * 4:
        return
    if opened is None or high is None or low is None or close is None:
        raise Malformed("a price of the bar is missing")
    volume = amount(row.raw("v"))
    if volume is None:
        raise Malformed("v is missing")
    reading.add(
        Bar(
            reading.provider,
            instrument_of(row.must_letters("s")),
            row.must_epoch("ms", "t"),
            reading.recv,
            interval_of(row.raw("i")),
            opened,
            high,
            low,
            close,
            volume,
            row.whole("n"),
            closed=row.must_epoch("ms", "T") < reading.recv,
        )
    )


def _markets(reading: Reading, value: object) -> None:
    reading.each(Row(value).items("universe"), _market, reading)


def _market(reading: Reading, row: Row) -> None:
    """A perpetual. Prices have five significant digits: there is no tick."""
    name = row.must_letters("name")
    decimals = row.whole("szDecimals")
    if decimals is not None and not 0 <= decimals <= 18:
        raise Malformed(f"szDecimals {decimals} lies outside 0 to 18")
    reading.add(
        InstrumentInfo(
            reading.provider,
            instrument_of(name),
            reading.recv,
            reading.recv,
            name,
            base=name,
            quote="USD",
            asset_class="future",
            size_precision=decimals,
            lot_size=None if decimals is None else float(f"1e-{decimals}"),
            status="closed" if row.raw("isDelisted") is True else "trading",
        )
    )


def _spot_markets(reading: Reading, value: object) -> None:
    """Pairs name their two tokens by number."""
    body = Row(value)
    tokens: dict[object, str] = {}
    for place, each in enumerate(body.items("tokens")):
        reading.one(f"token {place}", _token, each, tokens)
    reading.each(body.items("universe"), _pair, reading, tokens)


def _token(value: object, tokens: dict[object, str]) -> None:
    row = Row(value)
    tokens[row.whole("index")] = row.must_letters("name")


def _pair(reading: Reading, tokens: dict[object, str], row: Row) -> None:
    name = row.must_letters("name")
    base, quote = ([*(tokens.get(_number(each)) for each in row.items("tokens")), None, None])[:2]
    reading.add(
        InstrumentInfo(
            reading.provider,
            instrument_of(name),
            reading.recv,
            reading.recv,
            name,
            base=base,
            quote=quote,
            aliases=(f"{base}-{quote}".upper(),) if base and quote else (),
        )
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


_CHANNELS: dict[str, Read] = {"trades": _trades, "l2Book": _book, "bbo": _best, "candle": _candles}
