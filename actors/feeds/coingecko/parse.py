"""Bytes from CoinGecko -> facts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors.feeds.base import Origin, Parsed, Reject, RejectClass
from actors.feeds.coingecko import charts, figures, lists, markets, prices, routes
from actors.feeds.coingecko.subjects import Named
from actors.feeds.rest.failures import Words, class_of, refusal, refuse
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest_calls import reject_class

PROVIDER = "coingecko"
_CLASS: dict[int, RejectClass] = {
    10002: "auth",
    10010: "auth",
    10011: "auth",
    10005: "entitlement",
    10012: "entitlement",
    1020: "upstream",
}
"""docs.coingecko.com/docs/common-errors-rate-limit; 1020: its firewall, 10012: a range beyond the plan."""
WORDS: Words = (
    ("missing parameter", "bad_request"),
    ("invalid vs_currency", "bad_request"),
    ("could not find coin", "not_found"),
    ("coin not found", "not_found"),
    ("throttled", "throttled"),
    ("exceeded the rate", "throttled"),
    ("allowed time range", "entitlement"),
    ("exclusive to", "entitlement"),
    ("api key missing", "auth"),
)

Read = Callable[[Reading, object, Named], None]


def _nothing(_reading: Reading, _value: object, _named: Named) -> None:
    """`ping`."""


PARTS: dict[str, Read] = {
    "ping": _nothing,
    "names": lists.names,
    "simple_price": prices.simple_price,
    "coin_markets": prices.coin_markets,
    "coin": prices.coin,
    "history": prices.history,
    "market_chart": charts.market_chart,
    "ohlc": charts.ohlc,
    "coins": lists.coins,
    "category_names": lists.named_things("CATEGORY", "category_id"),
    "categories": lists.categories,
    "exchange_names": lists.named_things("EXCHANGE", "id"),
    "exchanges": lists.exchanges,
    "exchange": lists.one_exchange,
    "derivative_exchanges": lists.exchanges,
    "derivative_exchange": lists.derivative_exchange,
    "asset_platforms": lists.named_things("PLATFORM", "id"),
    "finance_platforms": lists.named_things("PLATFORM", "name"),
    "finance_products": lists.finance_products,
    "tickers": markets.tickers,
    "derivatives": markets.derivatives,
    "indexes": markets.indexes,
    "index": markets.index,
    "index_names": lists.names,
    "global": figures.market,
    "defi": figures.market,
    "volume_chart": figures.volume_chart,
    "treasuries": figures.treasuries,
    "trending": figures.trending,
    "status_updates": figures.status_updates,
    "exchange_rates": figures.exchange_rates,
}


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """Never raises."""
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, partial(_read, reading), WORDS)


def _read(reading: Reading, value: object) -> None:
    error = _error(value, reading.origin)
    if error is not None:
        reading.reject_as(error)
        return
    if reading.where:
        part, named = routes.by_address(reading.where)
        if part is None:
            reading.reject("unsupported", f"address {reading.where.path[:120]!r} is not read")
            return
    else:
        part, named = routes.by_shape(value), {}
        if part is None:
            reading.reject("malformed", f"{_look(value)} is none of CoinGecko's bodies that name themselves")
            return
    PARTS[part](reading, value, named)


def _error(value: object, origin: Origin) -> Reject | None:
    """What an error body says; a coin may be named `status` or `error` as well."""
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    holder = inner if isinstance(inner, dict) else value
    status = holder.get("status")
    said = status if isinstance(status, dict) else holder
    code = said.get("error_code", value.get("error_code", status))
    text = (
        said.get("error_message") or (inner if isinstance(inner, str) else "") or value.get("message") or ""
    )
    if not isinstance(text, str) or not (text or "error_code" in said or "error_code" in value):
        return None
    number = code if isinstance(code, int) else int(code) if isinstance(code, str) and code.isdecimal() else 0
    found = _CLASS.get(number)
    reason = f"{number or ''} {text}".strip()
    if found is not None:
        return refuse(found, reason, origin)
    if class_of(text, WORDS) is None and 400 <= number < 600:
        return refuse(reject_class(number), reason, origin)
    return refusal(reason, origin, WORDS)


def _look(value: object) -> str:
    if isinstance(value, list):
        first = next((each for each in value if isinstance(each, dict)), {})
        return f"an array of objects with {', '.join(sorted(first)[:8])[:200] or 'no fields'}"
    if isinstance(value, dict):
        return f"an object with {', '.join(sorted(value)[:8])[:200] or 'no fields'}"
    return f"a {type(value).__name__}"
