"""Which payload it is: by its address, else by its shape. Pure; raises nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from actors.feeds.base import Origin, Parsed
from actors.feeds.massive import aggregates, figures, reference, snapshots, statements, ticks
from actors.feeds.massive.symbols import PROVIDER, results_of
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, first_match, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

Read = Callable[[Reading, object], None]
ReadRow = Callable[[Reading, Row], None]

WORDS: Words = (
    ("maximum requests", "throttled"),
    ("max_connections", "throttled"),
    ("maximum number of connections", "throttled"),
    ("max connections", "throttled"),
)
_FAILED = frozenset({"ERROR", "NOT_AUTHORIZED", "NOT_FOUND", "BAD_REQUEST", "AUTH_ERROR", "UNAUTHORIZED"})
_SAVED_PATH = re.compile(r"(?:[a-z-]+__)*v[\dX]__[^/]+\.json(?:l|\.gz|\.zst)?", re.ASCII)
_SAVED_PREFIX = re.compile(r"(?<=/)([OXCI])_(?=[A-Z0-9])")


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, _addressed(origin))
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _addressed(origin: Origin) -> Origin:
    """A file that has a path of this API for its name, as the official client's samples do, has an address:

    `v2__last__trade__AAPL.json`, `v3__trades__AAPL+limit-2.json`.
    """
    if origin.source != "file" or not _SAVED_PATH.fullmatch(origin.endpoint):
        return origin
    path, *parameters = origin.endpoint.partition(".json")[0].split("+")
    query = "&".join(each.replace("-", "=", 1) for each in parameters)
    return replace(origin, endpoint=_SAVED_PREFIX.sub(r"\1:", f"/{path.replace('__', '/')}?{query}"))


def _body(reading: Reading, value: object) -> None:
    status = reading.origin.status
    if isinstance(value, dict) and (said := _error(value)) is not None:
        reading.reject_as(refusal(said, reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    elif isinstance(value, list) and any(isinstance(each, dict) and "ev" in each for each in value):
        reading.each(value, _event, reading)
    elif isinstance(value, dict) and "ev" in value:
        _event(reading, Row(value))
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    _choose(reading, value)(reading, value)


def _error(value: dict[str, object]) -> str | None:
    """`{"status": "ERROR", "error": ...}`; a status alone may be all there is."""
    state = value.get("status")
    said = value.get("error") or value.get("message")
    if isinstance(state, str) and state.upper() in _FAILED:
        return f"{said or 'no reason'} ({state})"
    if value.get("error") and "results" not in value:
        return str(value["error"])
    return None


def _nothing(reading: Reading, value: object) -> None:
    """Understood, and nothing in it: a provider's list of its own codes."""


def _unsupported(reading: Reading, value: object) -> None:
    reading.reject("unsupported", "indicators are computed here, not taken from a provider")


def _rows(read_row: ReadRow) -> Read:
    """`results`, or the array itself."""

    def rows(reading: Reading, value: object) -> None:
        values = value if isinstance(value, list) else results_of(value)
        reading.each(values, read_row, reading)

    return rows


def _statements(kind: statements.Kind) -> Read:
    def rows(reading: Reading, value: object) -> None:
        reading.each(results_of(value), statements.statement, reading, kind)

    return rows


ROUTES: tuple[tuple[str, Read], ...] = (
    (aggregates.RANGE, aggregates.aggregates),
    (aggregates.PREVIOUS, aggregates.aggregates),
    (aggregates.GROUPED, aggregates.aggregates),
    (aggregates.DAY, aggregates.open_close),
    (ticks.TRADES, ticks.trades),
    (ticks.QUOTES, ticks.quotes),
    (ticks.LAST, ticks.last),
    (ticks.TICKS, ticks.ticks),
    (r"v1/last/crypto/[^/]+/[^/]+", ticks.last_of_pair),
    (r"v1/last_quote/currencies/[^/]+/[^/]+", ticks.last_of_pair),
    (r"v1/conversion/[^/]+/[^/]+", ticks.conversion),
    (r"v1/historic/(?:crypto|forex)/[^/]+/[^/]+/[^/]+", ticks.historic),
    (r"v2/snapshot/.*/tickers/[^/]+/book", snapshots.book),
    (r"v2/snapshot/.+", snapshots.tickers),
    (snapshots.CHAIN, snapshots.options),
    (r"v3/snapshot(?:/indices)?", snapshots.universal),
    (r"v1/summaries", snapshots.universal),
    (r"reference/options/contracts(?:/[^/]+)?", snapshots.contracts),
    (r"reference/tickers/(?:types|taxonomies)", _nothing),
    (reference.TICKER_EVENTS, reference.ticker_events),
    (r"reference/tickers(?:/[^/]+)?", reference.tickers),
    (r"meta/symbols/[^/]+/company", reference.company),
    (reference.RELATED, reference.related),
    (r"(?:reference|stocks/v1)/dividends", _rows(reference.dividend)),
    (r"(?:reference|stocks/v1)/splits", _rows(reference.split)),
    (r"reference/exchanges", _rows(reference.exchange)),
    (r"reference/conditions", _nothing),
    (r"reference/ipos", _rows(reference.listing)),
    (r"reference/news", _rows(reference.news)),
    (r"marketstatus/now", reference.market_status),
    (r"marketstatus/upcoming", _rows(reference.holiday)),
    (r"reference/financials", _rows(statements.report)),
    *((rf"stocks/financials/v1/{name}", _statements(kind)) for name, kind in statements.KINDS.items()),
    (figures.ECONOMY, _rows(figures.economy)),
    (figures.COMPANIES, _rows(figures.company)),
    (r"v1/indicators/[^/]+/[^/]+", _unsupported),
)
_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"tickers"}), snapshots.tickers),
    (frozenset({"last", "converted"}), ticks.conversion),
    (frozenset({"last", "symbol"}), ticks.last_of_pair),
    (frozenset({"ticks"}), ticks.historic),
    (frozenset({"open", "close", "symbol"}), aggregates.open_close),
    (frozenset({"serverTime", "market"}), reference.market_status),
    (frozenset({"stock_symbol", "results"}), reference.related),
    (frozenset({"symbol", "exchangeSymbol"}), reference.company),
    (frozenset({"queryCount", "results"}), aggregates.aggregates),
)
_ROWS: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"execution_date"}), _rows(reference.split)),
    (frozenset({"ex_dividend_date"}), _rows(reference.dividend)),
    (frozenset({"financials"}), _rows(statements.report)),
    (frozenset({"published_utc"}), _rows(reference.news)),
    (frozenset({"listing_date", "issuer_name"}), _rows(reference.listing)),
    (frozenset({"strike_price", "ticker"}), snapshots.contracts),
    (frozenset({"break_even_price", "details"}), snapshots.universal),
    (frozenset({"session"}), snapshots.universal),
    (frozenset({"operating_mic", "participant_id"}), _rows(reference.exchange)),
    (frozenset({"mic", "asset_class"}), _rows(reference.exchange)),
    (frozenset({"sip_timestamp", "bid_price"}), ticks.quotes),
    (frozenset({"participant_timestamp", "bid_price"}), ticks.quotes),
    (frozenset({"participant_timestamp", "price"}), ticks.trades),
    (frozenset({"ticker", "market"}), reference.tickers),
    (frozenset({"date", "exchange", "status"}), _rows(reference.holiday)),
    (frozenset({"o", "h", "l", "c", "t"}), aggregates.aggregates),
    (frozenset({"p", "t", "y"}), ticks.last),
    (frozenset({"update_rules"}), _nothing),
    (frozenset({"code", "asset_class"}), _nothing),
    (frozenset({"values", "underlying"}), _unsupported),
    (frozenset({"events"}), reference.ticker_events),
)


def _choose(reading: Reading, value: object) -> Read:
    routed = first_match(reading.where, ROUTES) if reading.origin.source != "ws" else None
    return routed or _by_shape(value)


def _by_shape(value: object) -> Read:
    if isinstance(value, list):
        return _by_row(value) if value else _nothing
    if not isinstance(value, dict):
        raise Malformed(f"a {type(value).__name__} is no payload of Massive's")
    if isinstance(value.get("data"), dict) and {"bids", "asks"} <= value["data"].keys():
        return snapshots.book
    if isinstance(value.get("ticker"), dict):
        return snapshots.tickers
    found = next((each for fields, each in _SHAPES if fields <= value.keys()), None)
    if found is not None:
        return found
    results = value.get("results")
    if results in ([], {}) or (results is None and "results" not in value and value.get("status") == "OK"):
        return _nothing
    return _by_row([results] if isinstance(results, dict) else results)


def _by_row(rows: object) -> Read:
    first = next((each for each in rows if isinstance(each, dict)), None) if isinstance(rows, list) else None
    found = next((each for fields, each in _ROWS if first is not None and fields <= first.keys()), None)
    if found is None:
        raise Malformed("no payload of Massive's has these fields")
    return found


_EVENTS: dict[str, ReadRow] = {
    "T": ticks.trade_event, "XT": ticks.trade_event, "Q": ticks.quote_event, "XQ": ticks.quote_event,
    "C": ticks.currency_event, "V": ticks.value_event, "LV": ticks.value_event, "FMV": ticks.value_event,
    "XL2": ticks.book_event, **dict.fromkeys(aggregates.INTERVAL_OF_EVENT, aggregates.event),
}  # fmt: skip
_UNREAD = frozenset({"LULD", "NOI"})
_WELL = frozenset({"connected", "auth_success", "success"})


def _event(reading: Reading, row: Row) -> None:
    """An element of a message of the socket."""
    kind = row.must_letters("ev")
    if kind == "status":
        if row.letters("status") not in _WELL:
            said = f"{row.text('message') or 'no reason'} ({row.text('status') or 'no status'})"
            reading.reject_as(refusal(said, reading.origin, WORDS))
    elif kind in _EVENTS:
        _EVENTS[kind](reading, row)
    elif kind in _UNREAD:
        reading.reject("unsupported", f"events {kind} are not read")
    else:
        raise Malformed(f"event {kind[:20]!r} is not known")
