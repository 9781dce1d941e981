"""Which payload it is: by its shape, and by its address where that is not enough. Pure; raises nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from actors.feeds.base import Origin, Parsed, Reject
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.reading import Reading, first_match, read_json
from actors.feeds.rest.rows import Row
from actors.feeds.rest_calls import reject_class
from actors.feeds.twelve_data import company, lists, market
from actors.feeds.twelve_data.symbols import PROVIDER
from domain.errors import Malformed

Read = Callable[[Reading, object], None]

WORDS: Words = (
    ("api credits", "throttled"),
    ("for the current minute", "throttled"),
    ("for the day", "throttled"),
    ("exclusively with", "entitlement"),
    ("available starting with", "entitlement"),
    ("available with", "entitlement"),
    ("no data is available", "not_found"),
)
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.:/^=\-]{0,29}", re.ASCII)


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _body(reading: Reading, value: object) -> None:
    status = reading.origin.status
    if isinstance(value, dict) and _is_error(value):
        reading.reject_as(_refusal(value, reading.origin))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    _choose(reading, value)(reading, value)


def _is_error(value: dict[str, object]) -> bool:
    return value.get("status") == "error" and "event" not in value


def _refusal(value: dict[str, object], origin: Origin) -> Reject:
    """By its words, else by the code that stands in the body, else by the status."""
    said = str(value.get("message") or "error without a word")
    code = value.get("code")
    found = class_of(said, WORDS)
    if found is None and isinstance(code, int) and not isinstance(code, bool) and code >= 400:
        found = reject_class(code)
    return refusal(said, origin, WORDS) if found is None else refuse(found, said, origin)


def _nothing(reading: Reading, value: object) -> None:
    """Understood, and nothing in it: a provider's list of its own words."""


def _unsupported(reading: Reading, value: object) -> None:
    reading.reject("unsupported", "indicators are computed here, not taken from a provider")


def _rows(read_row: Callable[[Reading, Row], None], *names: str) -> Read:
    def rows(reading: Reading, value: object) -> None:
        reading.each(lists.rows_of(value, *names), read_row, reading)

    return rows


_instruments = _rows(lists.instrument, "data", "result")
ROUTES: tuple[tuple[str, Read], ...] = (
    ("price", market.price),
    ("eod", market.close),
    ("market_state", _rows(lists.market_state)),
    ("quote", market.quote),
    ("market_movers/[^/]+", _rows(market.mover, "values")),
    ("dividends_calendar", _rows(lists.planned_dividend)),
    ("splits_calendar", _rows(lists.planned_split)),
    ("ipo_calendar", lists.listings_planned),
    ("symbol_search|stocks|forex_pairs|cryptocurrencies|etfs?|funds|indices|commodities|bonds", _instruments),
    ("cross_listings|etfs/list|mutual_funds/list", _instruments),
    ("exchange_schedule", _rows(lists.session, "data")),
)
"""Bodies of one shape and several meanings. Elsewhere the shape says it all, errors of a batch included."""
_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"event"}), market.frame),
    (frozenset({"close", "percent_change", "symbol"}), market.quote),
    (frozenset({"symbol", "rate", "timestamp"}), market.rate),
    *((frozenset({name}), company.statements) for name in company.STATEMENTS),
    (frozenset({"symbol", "close", "datetime"}), market.close),
    (frozenset({"meta", "url"}), company.logo),
    (frozenset({"insider_transactions"}), company.insiders),
    (frozenset({"key_executives"}), _nothing),
    (frozenset({"current_usage"}), _nothing),
    (frozenset({"unix_time", "datetime"}), _nothing),
    (frozenset({"trends"}), company.recommendations),
    (frozenset({"ratings", "meta"}), company.ratings),
    (frozenset({"market_cap", "meta"}), company.market_caps),
    *((frozenset({name}), company.figures) for name in company.FIGURES),
    (frozenset({"etf"}), company.fund),
    (frozenset({"mutual_fund"}), company.fund),
    (frozenset({"dividends"}), lists.dividends),
    (frozenset({"splits"}), lists.splits),
    (frozenset({"earnings"}), lists.earnings),
    (frozenset({"symbol", "description", "industry"}), company.profile),
    (frozenset({"symbol", "sector", "website"}), company.profile),
    (frozenset({"sanctions"}), _nothing),
)
_ROWS: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"ex_date", "amount"}), _rows(lists.planned_dividend)),
    (frozenset({"from_factor", "to_factor"}), _rows(lists.planned_split)),
    (frozenset({"is_market_open"}), _rows(lists.market_state)),
)
_DATA: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"sessions"}), _rows(lists.session, "data")),
    (frozenset({"symbol", "last_change"}), _nothing),
    (frozenset({"symbol", "exchange"}), _instruments),
    (frozenset({"symbol", "mic_code"}), _instruments),
    (frozenset({"symbol", "currency_base"}), _instruments),
    (frozenset({"symbol", "category"}), _instruments),
    (frozenset({"symbol", "name"}), _instruments),
    (frozenset({"iso2", "currency"}), _nothing),
    (frozenset({"name"}), _nothing),
)


def _choose(reading: Reading, value: object) -> Read:
    if isinstance(value, dict) and (found := _by_meta(value)) is not None:
        return found
    found = next(
        (each for fields, each in _SHAPES if isinstance(value, dict) and fields <= value.keys()), None
    )
    if found is not None:
        return found
    if isinstance(value, dict) and _is_batch(value):
        return _batch
    routed = first_match(reading.where, ROUTES) if reading.origin.source != "ws" else None
    return routed or _by_shape(value)


def _by_meta(value: dict[str, object]) -> Read | None:
    """Series: of an indicator, of filings, of prices."""
    meta, rows = value.get("meta"), value.get("values")
    if not isinstance(meta, dict):
        return None
    if "indicator" in meta:
        return _unsupported
    if "base_instrument" in meta:
        return market.cross
    if isinstance(rows, list):
        first = rows[0] if rows else None
        return company.filings if isinstance(first, dict) and "form_type" in first else market.time_series
    return _nothing if "tax_indicator" in str(value.get("data")) else None


def _by_shape(value: object) -> Read:
    if isinstance(value, list):
        return _by_first(value, _ROWS) if value else _nothing
    if not isinstance(value, dict):
        raise Malformed(f"a {type(value).__name__} is no payload of Twelve Data's")
    if "price" in value and len(value) <= 2:
        return market.price
    if isinstance(value.get("values"), list):
        return _rows(market.mover, "values")
    data, result = value.get("data"), value.get("result")
    if isinstance(data, list):
        return _by_first(data, _DATA) if data else _nothing
    if isinstance(result, dict) and isinstance(result.get("list"), list):
        return _instruments
    if result is not None or (isinstance(data, dict) and data):
        return _nothing
    if value and all(re.fullmatch(r"\d{4}-\d\d-\d\d", key) for key in value):
        return lists.listings_planned
    raise Malformed(f"no payload of Twelve Data's has the fields {', '.join(sorted(value))[:120]}")


def _by_first(rows: list[object], shapes: tuple[tuple[frozenset[str], Read], ...]) -> Read:
    first = next((each for each in rows if isinstance(each, dict)), {})
    found = next((each for fields, each in shapes if fields <= first.keys()), None)
    if found is None:
        raise Malformed("a list whose rows are nothing that is known")
    return found


def _is_batch(value: dict[str, object]) -> bool:
    """An object per symbol or per request: series, quotes, prices and errors side by side."""
    inside = value.get("data") if value.get("status") in ("success", "ok") and "code" in value else value
    if not isinstance(inside, dict) or not inside:
        return False
    return all(isinstance(each, dict) and _is_answer(each) for each in inside.values())


def _is_answer(value: dict[str, object]) -> bool:
    inside = value.get("response")
    return (
        isinstance(inside, dict)
        or _is_error(value)
        or ("meta" in value and "values" in value)
        or {"symbol", "close"} <= value.keys()
        or ("price" in value and len(value) <= 2)
    )


def _batch(reading: Reading, value: object) -> None:
    body = Row(value)
    answers = body.row("data") if "code" in body else body
    asked = {each.strip() for each in (reading.where.get("symbol") or "").split(",")}
    for name in answers:
        reading.one(name[:60], _answer, reading, name, answers.raw(name), asked)


def _answer(reading: Reading, name: str, value: object, asked: set[str]) -> None:
    """One of a batch. A price alone is of the symbol that is its key, where that is one."""
    inside = value.get("response", value) if isinstance(value, dict) else value
    if isinstance(inside, dict) and _is_error(inside):
        reading.reject_as(_refusal(inside, reading.origin))
    elif isinstance(inside, dict) and "price" in inside and len(inside) <= 2:
        if name not in asked and not _SYMBOL.fullmatch(name):
            raise Malformed("a price without a symbol")
        market.price(reading, inside, name)
    elif isinstance(inside, dict) and "meta" in inside:
        _choose(reading, inside)(reading, inside)
    else:
        market.quote(reading, inside)
