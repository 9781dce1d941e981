"""Bytes from CoinMarketCap -> facts. Pure. The status in the body decides, also with HTTP 200."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from actors.feeds.base import Origin, Parsed, Reject, RejectClass
from actors.feeds.coinmarketcap import coins, figures
from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.endpoints import Address
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.reading import Reading, first_match, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from domain.errors import Malformed

PROVIDER = "coinmarketcap"
_CLASS: dict[int, RejectClass] = {
    1001: "auth",
    1002: "auth",
    1003: "entitlement",
    1004: "entitlement",
    1005: "auth",
    1006: "entitlement",
    1007: "auth",
    1008: "throttled",
    1009: "throttled",
    1010: "throttled",
    1011: "throttled",
}
"""https://coinmarketcap.com/api/documentation/v1/#section/Errors-and-Rate-Limits"""
WORDS: Words = (
    ("invalid value for", "bad_request"),
    ("plan doesn't support", "entitlement"),
    ("api key is invalid", "auth"),
    ("api key missing", "auth"),
    ("exceeded your", "throttled"),
)
_PATHS = (
    ("cryptocurrency/map", "listed"),
    ("cryptocurrency/info", "described"),
    ("cryptocurrency/listings/latest", "quotes"),
    ("cryptocurrency/quotes/latest", "quotes"),
    ("global-metrics/quotes/latest", "market"),
)
_READERS: dict[str, Callable[[Reading, int, Row], None]] = {
    "listed": coins.listed,
    "described": coins.described,
    "quotes": coins.quotes,
}


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, partial(_read, reading), WORDS)


def _read(reading: Reading, value: object) -> None:
    """Raises Malformed."""
    body = Row(value)
    error = _error(body, reading.origin)
    if error is not None:
        reading.reject_as(error)
        return
    if "data" not in body:
        raise Malformed("no `data` beside the status")
    data = body.raw("data")
    part = _by_address(reading.where) if reading.where else _by_shape(data)
    if part is None and reading.where:
        reading.reject("unsupported", f"address {reading.where.path[:120]!r} is not read")
        return
    if part is None and list(_entries(data)):
        raise Malformed("data is none of those that are known: coins, their prices, figures of the market")
    answered = _answered(body, reading.recv)
    if part == "market":
        figures.market(reading, Row(data), answered)
    elif part is not None:
        reading.each(_entries(data), _READERS[part], reading, answered)


def _answered(body: Row, otherwise: int) -> int:
    """When the provider answered."""
    stamp = body.row("status").text("timestamp")
    return otherwise if stamp is None else zoned_ns(stamp)


def _by_address(where: Address) -> str | None:
    return first_match(where, _PATHS)


def _by_shape(data: object) -> str | None:
    if isinstance(data, dict) and "quote" in data and "symbol" not in data:
        return "market"
    first = next((each for each in _entries(data) if isinstance(each, dict)), None)
    if first is None:
        return None
    if "quote" in first:
        return "quotes"
    if "urls" in first or "logo" in first:
        return "described"
    return "listed" if {"id", "symbol"} <= first.keys() else None


def _entries(data: object) -> Iterator[object]:
    """Coins of a list, of a map by number or ticker, or of a map of lists (v2 by ticker)."""
    if data is None:
        return
    if isinstance(data, list):
        values: list[object] = data
    elif isinstance(data, dict):
        values = [data] if {"id", "symbol"} <= data.keys() else list(data.values())
    else:
        raise Malformed(f"data is a {type(data).__name__}")
    for each in values:
        if isinstance(each, list):
            yield from each
        else:
            yield each


def _error(body: Row, origin: Origin) -> Reject | None:
    """By the code, which is text in answers without a key; else by the words."""
    found = body.raw("status")
    status = Row(found) if isinstance(found, dict) else body
    code, text = status.raw("error_code", "statusCode"), status.raw("error_message", "message", "error")
    number = _code(code)
    if number == 0 and (not isinstance(text, str) or not text.strip() or "data" in body):
        return None
    reason = f"{code if code is not None else ''} {text if isinstance(text, str) else ''}".strip()
    if number in _CLASS:
        return refuse(_CLASS[number], reason, origin)
    if class_of(reason, WORDS) is None and 400 <= number < 600:
        return refuse(reject_class(number), reason, origin)
    return refusal(reason, origin, WORDS)


def _code(code: object) -> int:
    """0: all is well. A code that is no number is an error as well."""
    if code is None or code is False:
        return 0
    if isinstance(code, int):
        return code
    text = str(code).strip()
    return int(text[:9]) if text.isdecimal() else -1
