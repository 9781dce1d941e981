"""One Kraken payload (WebSocket v2 or v1, REST) -> facts, rejects, and what only the session needs.

Pure; never raises on bad input. v2 rests on the documented frames alone; v1 see `v1.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.feeds.absent import amount, blank, moment, price, priced, required_moment, side
from actors.feeds.base import Origin, Parsed
from actors.feeds.kraken import rest, v1
from actors.feeds.kraken.checksum import TextLevel, text_level
from actors.feeds.kraken.facts import UNREADABLE, Ack, BookText, Fact, Reading, class_of
from actors.feeds.kraken.names import PROVIDER, instrument_of, instrument_of_rest_pair, old_asset
from actors.feeds.kraken.wire import (
    CHANNELS,
    ROWS,
    BookFrame,
    BookRow,
    HeartbeatFrame,
    InstrumentFrame,
    OhlcFrame,
    OhlcRow,
    PairRow,
    RawLevel,
    StatusFrame,
    TickerFrame,
    TickerRow,
    TradeFrame,
    TradeRow,
    answers,
    frames,
    loose_frames,
)
from domain.errors import Malformed
from domain.market.observations import Bar, InstrumentInfo, Quote, Ticker, Trade

MAX_CHECKSUM = 1 << 32
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=str)
"""Numbers with a fraction stay text: times of REST bodies are exact."""
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])


def observe(payload: str | bytes, origin: Origin) -> Parsed:
    """What `Adapter.parse` answers."""
    reading = read(payload, origin)
    facts = [fact.observation() if isinstance(fact, BookText) else fact for fact in reading.facts]
    return Parsed(facts, reading.rejects)


def read(
    payload: str | bytes, origin: Origin, resolve: Callable[[str], str] = instrument_of_rest_pair
) -> Reading:
    """A frame of either protocol, a REST body, or an array of frames.

    `resolve`: a pair as REST names it -> its id.
    """
    reading = Reading()
    if origin.status is not None and not 200 <= origin.status < 400:
        rest.refuse(payload, origin.status, reading)
    elif rest.HOSTS.foreign(origin.endpoint):
        reading.reject("unsupported", f"address {origin.endpoint[:80]!r}")
    elif origin.source == "http" and rest.HOSTS.is_address(origin.endpoint):
        _read_body(payload, origin, reading, resolve)
    elif _opening(payload) == "[":
        _read_array(payload, origin, reading)
    else:
        _read_object(payload, origin, reading, resolve)
    return reading


def _read_body(payload: str | bytes, origin: Origin, reading: Reading, resolve: Callable[[str], str]) -> None:
    try:
        body = _any.decode(payload)
    except UNREADABLE as error:
        reading.reject("malformed", f"not JSON: {error}")
        return
    if isinstance(body, dict):
        rest.read_body(body, origin, reading, resolve)
    else:
        reading.reject("malformed", f"a {type(body).__name__} is no answer of this venue")


def _opening(payload: str | bytes) -> str:
    """The first character that is no white space."""
    head = payload[:64].lstrip()[:1]
    return head if isinstance(head, str) else head.decode("ascii", "replace")


def _read_array(payload: str | bytes, origin: Origin, reading: Reading) -> None:
    if v1.read_array(payload, origin, reading):
        return
    try:
        parts = _raw_list.decode(payload)
    except UNREADABLE as error:
        reading.reject("malformed", f"not JSON: {error}")
        return
    for part in parts:
        text = bytes(part)
        if text.startswith(b"{"):
            _read_object(text, origin, reading)
        elif not v1.read_array(text, origin, reading):
            reading.reject("malformed", "element of an array is no frame of this venue")


def _read_object(
    payload: str | bytes,
    origin: Origin,
    reading: Reading,
    resolve: Callable[[str], str] = instrument_of_rest_pair,
) -> None:
    try:
        frame = frames.decode(payload)
    except UNREADABLE as error:
        _read_other(payload, origin, str(error), reading, resolve)
        return
    handler = _HANDLERS[type(frame)]
    handler(frame, origin, reading)


def _book(frame: BookFrame, origin: Origin, reading: Reading) -> None:
    for row in frame.data:
        _read_book_row(row, frame.type, origin, reading)


def _read_book_row(row: BookRow, kind: str, origin: Origin, reading: Reading) -> None:
    try:
        reading.facts.append(_book_text(row, kind, origin))
    except UNREADABLE as error:
        reading.reject("malformed", f"book {row.symbol[:40]}: {error}")
        _lose_book(row.symbol, reading)


def _book_text(row: BookRow, kind: str, origin: Origin) -> BookText:
    if row.checksum is not None and not 0 <= row.checksum < MAX_CHECKSUM:
        raise Malformed(f"checksum {str(row.checksum)[:20]} is no 32-bit number")
    if row.bids is None and row.asks is None:
        raise Malformed("missing field `bids` or `asks`")
    return BookText(
        instrument_of(row.symbol),
        moment(row.timestamp) or origin.ts_recv,
        origin.ts_recv,
        kind == "snapshot",
        _levels(row.bids or []),
        _levels(row.asks or []),
        row.checksum,
    )


def _levels(levels: list[RawLevel]) -> list[TextLevel]:
    texts = [(_text(level.price), _text(level.qty)) for level in levels]
    return [text_level(*each) for each in texts if not (blank(each[0]) and blank(each[1]))]


def _text(raw: msgspec.Raw) -> str:
    """A number's own text, out of its quotes if it has some."""
    return str(raw, "utf-8").strip('"')


def _lose_book(symbol: object, reading: Reading) -> None:
    """A book message that cannot be used leaves a hole in that book."""
    if isinstance(symbol, str):
        try:
            reading.lost_books.append(instrument_of(symbol))
        except Malformed:
            return


def _trades(frame: TradeFrame, origin: Origin, reading: Reading) -> None:
    reading.first_trades = frame.type == "snapshot"
    _each(frame.data, _trade, origin, reading)


def _each(
    rows: list[Any], make: Callable[[Any, Origin], list[Fact]], origin: Origin, reading: Reading
) -> None:
    for row in rows:
        try:
            reading.facts += make(row, origin)
        except Malformed as error:
            reading.reject("malformed", str(error))


def _trade(row: TradeRow, origin: Origin) -> list[Fact]:
    ts_event = required_moment(row.timestamp)
    instrument, trade_id = instrument_of(row.symbol), str(row.trade_id) if row.trade_id else None
    return [Trade(PROVIDER, instrument, ts_event, origin.ts_recv, row.price, row.qty, row.side, trade_id)]


def _tickers(frame: TickerFrame, origin: Origin, reading: Reading) -> None:
    _each(frame.data, _ticker, origin, reading)


def _ticker(row: TickerRow, origin: Origin) -> list[Fact]:
    recv, instrument = origin.ts_recv, instrument_of(row.symbol)
    ts_event = moment(row.timestamp) or recv
    facts: list[Fact] = []
    (bid, bid_size), (ask, ask_size) = side(row.bid, row.bid_qty), side(row.ask, row.ask_qty)
    if bid is not None or ask is not None:
        facts.append(Quote(PROVIDER, instrument, ts_event, recv, bid, bid_size, ask, ask_size))
    last, high, low, day = price(row.last), price(row.high), price(row.low), amount(row.volume)
    moved = row.change_pct if row.change_pct != "" else None
    if last is not None:
        facts.append(
            Ticker(
                PROVIDER, instrument, ts_event, recv, last, high=high, low=low, volume=day, change_pct=moved
            )
        )
    return facts


def _bars(frame: OhlcFrame, origin: Origin, reading: Reading) -> None:
    _each(frame.data, _bar, origin, reading)


def _bar(row: OhlcRow, origin: Origin) -> list[Fact]:
    """Never closed: the venue repeats a bar until the next one begins and does not say which was last."""
    interval = v1.INTERVALS_MIN.get(row.interval)
    if interval is None:
        raise Malformed(f"interval {row.interval} min is none of {sorted(v1.INTERVALS_MIN)}")
    if not priced(row.open, row.high, row.low, row.close):
        return []
    bar = Bar(
        PROVIDER,
        instrument_of(row.symbol),
        required_moment(row.interval_begin),
        origin.ts_recv,
        interval,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        row.trades,
        price(row.vwap) if row.trades else None,
        closed=False,
    )
    return [bar]


def _instruments(frame: InstrumentFrame, origin: Origin, reading: Reading) -> None:
    for raw in frame.data.pairs:
        try:
            row = msgspec.json.decode(raw, type=PairRow, strict=False)
            reading.facts += _instrument(row, origin)
        except UNREADABLE as error:
            reading.reject("malformed", f"instrument: {error}")


def _instrument(row: PairRow, origin: Origin) -> list[Fact]:
    info = InstrumentInfo(
        PROVIDER,
        instrument_of(row.symbol),
        origin.ts_recv,
        origin.ts_recv,
        row.symbol,
        old_asset(row.base) or None,
        old_asset(row.quote) or None,
        price_precision=row.price_precision,
        size_precision=row.qty_precision,
        tick_size=price(row.price_increment),
        lot_size=price(row.qty_increment),
        status=rest.status_of(row.status),
    )
    return [info]


def _nothing(frame: object, origin: Origin, reading: Reading) -> None:
    """A sign of life."""


_HANDLERS: dict[type, Callable[[Any, Origin, Reading], None]] = {
    BookFrame: _book,
    TradeFrame: _trades,
    TickerFrame: _tickers,
    OhlcFrame: _bars,
    InstrumentFrame: _instruments,
    HeartbeatFrame: _nothing,
    StatusFrame: _nothing,
}
_ROW_MAKERS: dict[str, Callable[[Any, Origin], list[Fact]]] = {
    "trade": _trade,
    "ticker": _ticker,
    "ohlc": _bar,
}


def _read_other(
    payload: str | bytes, origin: Origin, why: str, reading: Reading, resolve: Callable[[str], str]
) -> None:
    """An object that is no sound frame of v2: an answer, an event of v1, a REST body, or a reject."""
    try:
        value = _any.decode(payload)
    except UNREADABLE as error:
        reading.reject("malformed", f"not JSON: {error}")
        return
    if not isinstance(value, dict):
        reading.reject("malformed", f"a {type(value).__name__} is no message of this venue")
        return
    try:
        if isinstance(value.get("channel"), str):
            _read_loose(payload, value["channel"], why, origin, reading)
        elif "event" in value:
            v1.read_event(payload, reading)
        elif "method" in value or isinstance(value.get("error", value.get("Error")), str):
            _read_answer(payload, value, reading)
        elif origin.source == "ws":
            reading.reject("malformed", "a message of the feed without `channel`, `event` or `method`")
        else:
            rest.read_body(value, origin, reading, resolve)
    except UNREADABLE as error:
        reading.reject("malformed", str(error))


def _read_loose(payload: str | bytes, channel: str, why: str, origin: Origin, reading: Reading) -> None:
    """A frame with something wrong in it: what is sound is taken."""
    if channel not in CHANNELS:
        reading.reject("unsupported", f"channel {channel[:40]!r}")
        return
    row_type = ROWS.get(channel)
    if row_type is None:
        reading.reject("malformed", f"{channel}: {why}")
        return
    try:
        frame = loose_frames.decode(payload)
    except UNREADABLE:
        reading.reject("malformed", f"{channel}: {why}")
        return
    reading.first_trades = channel == "trade" and frame.type == "snapshot"
    for part in frame.data:
        try:
            row: Any = msgspec.json.decode(part, type=row_type, strict=False)
            if channel == "book":
                _read_book_row(row, frame.type, origin, reading)
            else:
                reading.facts += _ROW_MAKERS[channel](row, origin)
        except UNREADABLE as error:
            reading.reject("malformed", f"{channel}: {error}")
            if channel == "book":
                _lose_book(_symbol_in(part), reading)


def _symbol_in(part: msgspec.Raw) -> object:
    value = _any.decode(part)
    return value.get("symbol") if isinstance(value, dict) else None


def _read_answer(payload: str | bytes, value: dict[str, Any], reading: Reading) -> None:
    answer = answers.decode(payload)
    error = answer.error or value.get("Error")
    if answer.success is False or error is not None:
        text = str(error or "refused without a reason")
        reading.reject(class_of(text), text[:200])
        reading.acks.append(_ack(answer, text))
    elif answer.method == "subscribe":
        reading.acks.append(_ack(answer, None))


def _ack(answer: Any, error: str | None) -> Ack:
    result = answer.result
    symbol = answer.symbol or (result.symbol if result else None)
    try:
        instrument = instrument_of(symbol) if symbol else None
    except Malformed:
        instrument = None
    kind = class_of(error) if error else "bad_request"
    channel, depth = (result.channel, result.depth) if result else ("", None)
    return Ack(channel, instrument, depth, error, kind, symbol)
