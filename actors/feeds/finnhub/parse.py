"""Which payload it is: by its address, else by its shape. Pure; raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.base import Origin, Parsed
from actors.feeds.finnhub import company, market
from actors.feeds.finnhub.symbols import PROVIDER
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, first_match, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

Read = Callable[[Reading, object], None]

WORDS: Words = (
    ("too many symbols", "throttled"),
    ("too many sockets", "throttled"),
    ("api limit", "throttled"),
)


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _body(reading: Reading, value: object) -> None:
    status = reading.origin.status
    if isinstance(value, dict) and (said := _error(value)) is not None:
        reading.reject_as(refusal(said, reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    _choose(reading, value)(reading, value)


def _error(value: dict[str, object]) -> str | None:
    """`{"error": ...}` of REST, `{"type": "error", "msg": ...}` of the socket."""
    said = value.get("msg") if value.get("type") == "error" else value.get("error")
    if not said and value.get("type") != "error":
        return None
    return str(said or "error without a word")


def _rows(read_row: Callable[[Reading, Row], None], inside: str | None = None) -> Read:
    """An array, or the array inside an object."""

    def rows(reading: Reading, value: object) -> None:
        values = Row(value).items(inside) if inside and isinstance(value, dict) else value
        if not isinstance(values, list):
            raise Malformed("no list where one was expected")
        reading.each(values, read_row, reading)

    return rows


def _nothing(reading: Reading, value: object) -> None:
    """Understood, and nothing in it."""


def _unsupported(reading: Reading, value: object) -> None:
    reading.reject("unsupported", "indicators are computed here, not taken from a provider")


ROUTES: tuple[tuple[str, Read], ...] = (
    ("quote", market.quote),
    ("(stock|crypto|forex)/candle", market.candles),
    ("stock/profile2?", company.profile),
    ("stock/metric", company.metrics),
    ("stock/peers", company.peers),
    ("stock/earnings", _rows(company.earnings)),
    ("stock/recommendation", _rows(company.recommendation)),
    ("stock/split", _rows(market.split)),
    ("stock/dividend", _rows(market.dividend)),
    ("(stock|crypto|forex)/symbol", _rows(company.instrument)),
    ("search", _rows(company.instrument, "result")),
    ("company-news", _rows(company.news)),
    ("news", _rows(company.news)),
    ("calendar/ipo", _rows(company.listing, "ipoCalendar")),
    ("calendar/earnings", _rows(company.report, "earningsCalendar")),
    ("indicator", _unsupported),
)
_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"ipoCalendar"}), _rows(company.listing, "ipoCalendar")),
    (frozenset({"earningsCalendar"}), _rows(company.report, "earningsCalendar")),
    (frozenset({"metric", "metricType"}), company.metrics),
    (frozenset({"s", "t", "c"}), market.candles),
    (frozenset({"c", "pc", "t"}), market.quote),
    (frozenset({"marketCapitalization", "ticker"}), company.profile),
    (frozenset({"count", "result"}), _rows(company.instrument, "result")),
)
_ROW_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"strongBuy", "period"}), _rows(company.recommendation)),
    (frozenset({"headline"}), _rows(company.news)),
    (frozenset({"actual", "period"}), _rows(company.earnings)),
    (frozenset({"fromFactor", "toFactor"}), _rows(market.split)),
    (frozenset({"payDate", "amount"}), _rows(market.dividend)),
    (frozenset({"displaySymbol"}), _rows(company.instrument)),
)
_FRAMES: dict[object, Read] = {"trade": market.trades, "ping": _nothing}


def _choose(reading: Reading, value: object) -> Read:
    if isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in _FRAMES:
        return _FRAMES[value["type"]]
    routed = first_match(reading.where, ROUTES) if reading.origin.source != "ws" else None
    if routed is not None:
        return routed
    if isinstance(value, dict):
        if value.get("s") == "no_data":
            return _nothing
        return _by_shape(value, _SHAPES)
    return _list(value)


def _list(value: object) -> Read:
    if not isinstance(value, list):
        raise Malformed(f"a {type(value).__name__} is no payload of Finnhub's")
    if not value:
        return _nothing
    if isinstance(value[0], str):
        return company.peers
    first = next((each for each in value if isinstance(each, dict)), None)
    if first is None:
        raise Malformed("a list of neither objects nor symbols")
    return _by_shape(first, _ROW_SHAPES)


def _by_shape(value: dict[str, object], shapes: tuple[tuple[frozenset[str], Read], ...]) -> Read:
    found = next((each for fields, each in shapes if fields <= value.keys()), None)
    if found is not None:
        return found
    if isinstance(value.get("type"), str) and len(value) <= 3:
        raise Malformed(f"message type {str(value['type'])[:40]!r} is not known")
    raise Malformed(f"no payload of Finnhub's has the fields {', '.join(sorted(map(str, value)))[:120]}")
