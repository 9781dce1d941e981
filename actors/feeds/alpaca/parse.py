"""Messages of the socket (arrays of `{"T": kind, "S": symbol}`) and bodies of REST. Pure; raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.alpaca import rows
from actors.feeds.alpaca.rows import PROVIDER
from actors.feeds.base import Origin, Parsed, RejectClass
from actors.feeds.rest.endpoints import subject
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

ReadRow = Callable[[Reading, str, Row], None]

WORDS: Words = (
    ("does not permit", "entitlement"),
    ("not authorized", "auth"),
    ("forbidden", "auth"),
    ("connection limit", "throttled"),
    ("symbol limit", "throttled"),
    ("slow client", "throttled"),
)
_CODES: dict[int, RejectClass] = {
    400: "bad_request", 401: "auth", 402: "auth", 403: "bad_request", 404: "auth", 405: "throttled",
    406: "throttled", 407: "throttled", 408: "entitlement", 409: "entitlement", 410: "bad_request",
    500: "upstream",
}  # fmt: skip
"""Of the socket: they look like HTTP's and are not (402 is a wrong key, 406 a second socket)."""
SYMBOL_IN_PATH = r"stocks/(?P<symbol>[^/]+)/(?:bars|trades|quotes)(?:/latest)?"


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _body(reading: Reading, value: object) -> None:
    if isinstance(value, list):
        reading.each(value, _message, reading)
        return
    body = Row(value)
    status = reading.origin.status
    if "T" in body:
        _message(reading, body)
    elif "message" in body and not {"bars", "trades", "quotes"} & set(body):
        reading.reject_as(refusal(body.text("message") or "", reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_rest, reading, body)
    else:
        _rest(reading, body)


def _minute(reading: Reading, symbol: str, row: Row) -> None:
    rows.bar(reading, "1m", True, False, symbol, row)


def _day(reading: Reading, symbol: str, row: Row) -> None:
    """The day so far."""
    rows.bar(reading, "1d", False, False, symbol, row)


_MESSAGES: dict[str, ReadRow] = {
    "t": rows.trade, "q": rows.quote, "b": _minute, "u": _minute, "d": _day, "o": rows.book,
}  # fmt: skip
_WELL = frozenset({"success", "subscription"})
_UNREAD = frozenset({"s", "l", "c", "x", "i", "n"})


def _message(reading: Reading, row: Row) -> None:
    kind = row.must_letters("T")
    if kind == "error":
        _error(reading, row)
    elif kind in _MESSAGES:
        _MESSAGES[kind](reading, row.must_letters("S"), row)
    elif kind in _UNREAD:
        reading.reject("unsupported", f"messages {kind!r} are not read")
    elif kind not in _WELL:
        raise Malformed(f"message {kind[:20]!r} is not known")


def _error(reading: Reading, row: Row) -> None:
    code, said = row.whole("code"), row.text("msg") or "error without a word"
    found = _CODES.get(code or 0) or class_of(said, WORDS) or "bad_request"
    reading.reject_as(refuse(found, f"{said} ({code})", reading.origin))


def _bars(reading: Reading, symbol: str, row: Row) -> None:
    interval = rows.interval_of(reading.where.get("timeframe"))
    adjusted = (reading.where.get("adjustment") or "raw") in ("split", "all")
    rows.bar(reading, interval, True, adjusted, symbol, row)


_FIELDS: dict[str, ReadRow] = {
    "bars": _bars, "trades": rows.trade, "quotes": rows.quote, "bar": _minute, "trade": rows.trade,
    "quote": rows.quote,
}  # fmt: skip


def _rest(reading: Reading, body: Row) -> None:
    """Rows under their symbols, or of one symbol that the body or its address names."""
    name = next((each for each in _FIELDS if each in body), None)
    if name is None:
        raise Malformed(f"no payload of Alpaca's has the fields {', '.join(sorted(body))[:120]}")
    value, read_row = body.raw(name), _FIELDS[name]
    if isinstance(value, dict) and name.endswith("s"):
        for symbol, inside in value.items():
            reading.one(symbol[:40], _of_symbol, reading, name, read_row, symbol, inside)
    elif value is not None:
        found = reading.where.match(SYMBOL_IN_PATH)
        named = body.letters("symbol") or (found["symbol"] if found is not None else None)
        symbol = named or subject(reading.origin, reading.where, "symbol", "symbols")
        _of_symbol(reading, name, read_row, symbol, value)


def _of_symbol(reading: Reading, name: str, read_row: ReadRow, symbol: str, value: object) -> None:
    """A list of rows, or the latest one, which for bars is that of the last minute."""
    one = _minute if name == "bars" and isinstance(value, dict) else read_row
    reading.each(value if isinstance(value, list) else [value], one, reading, symbol)
