"""Which payload it is: by its address, else by its shape. Pure; raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.base import Origin, Parsed
from actors.feeds.iex import company, market
from actors.feeds.iex.symbols import PROVIDER
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, first_match, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

Read = Callable[[Reading, object], None]

WORDS: Words = (
    ("supplied invalid values", "bad_request"),
    ("is not allowed", "bad_request"),
    ("api key is required", "auth"),
    ("test tokens", "auth"),
    ("not available to your", "entitlement"),
    ("allotted", "throttled"),
)


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _body(reading: Reading, value: object) -> None:
    status = reading.origin.status
    said = _error(value)
    if said is not None:
        reading.reject_as(refusal(said, reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    _choose(reading, value)(reading, value)


def _error(value: object) -> str | None:
    """`{"error": ...}`, or a sentence in quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) <= 3 and (value.get("error") or value.get("errorMessage")):
        return str(value.get("error") or value.get("errorMessage"))
    return None


def _rows(read_row: Callable[[Reading, Row], None]) -> Read:
    """An array, or one object."""

    def rows(reading: Reading, value: object) -> None:
        if not isinstance(value, dict | list):
            raise Malformed("no list where one was expected")
        reading.each(value if isinstance(value, list) else [value] if value else [], read_row, reading)

    return rows


def _nothing(reading: Reading, value: object) -> None:
    """Understood, and nothing in it."""


ROUTES: tuple[tuple[str, Read], ...] = (
    (r"stock/market/batch", lambda reading, value: _batches(reading, value)),
    (r"stock/market/ohlc", market.open_close),
    (r"stock/market/list/[^/]+", _rows(market.quote)),
    (r"stock/market/sector-performance", _rows(market.sector)),
    (market.CHART, market.chart),
    (r"(?:stock|crypto)/[^/]+/quote", _rows(market.quote)),
    (r"crypto/[^/]+/price", _rows(market.coin_price)),
    (r"stock/[^/]+/price", market.price),
    (r"stock/[^/]+/previous", lambda reading, value: market.chart(reading, [value] if value else [])),
    (r"stock/[^/]+/delayed-quote", _rows(market.delayed)),
    (r"stock/[^/]+/peers", company.peers),
    (r"stock/[^/]+/recommendation-trends", _rows(company.recommendation)),
    (r"stock/[^/]+/price-target", company.figures),
    (r"stock/[^/]+/ohlc", market.open_close),
    (r"stock/[^/]+/largest-trades", _rows(market.trade)),
    (r"stock/[^/]+/company", company.profile),
    (r"stock/[^/]+/logo", company.logo),
    (r"stock/[^/]+/(?:income|balance-sheet|cash-flow|financials)(?:/[^/]+)*", company.statements),
    (r"stock/[^/]+/earnings(?:/[^/]+)*", company.earnings),
    (r"stock/[^/]+/estimates(?:/[^/]+)*", company.estimates),
    (r"stock/market/collection/[^/]+", _rows(market.quote)),
    (r"tops", _rows(market.top)),
    (r"tops/last", _rows(market.last_sale)),
    (r"stock/[^/]+/dividends(?:/[^/]+)?", _rows(company.dividend)),
    (r"stock/[^/]+/splits(?:/[^/]+)?", _rows(company.split)),
    (r"stock/[^/]+/(?:stats|advanced-stats)", company.figures),
    (company.FIGURE, company.figure),
    (r"stock/[^/]+/news(?:/.*)?", _rows(company.news)),
    (r"stock/[^/]+/batch", lambda reading, value: _batch(reading, value)),
    (r"fx/(?:latest|historical|convert)", market.rates),
    (r"ref-data/(?:sectors|tags|.*exchanges)", _nothing),
    (r"ref-data/isin", company.isins),
    (r"ref-data/.*symbols", _rows(company.instrument)),
)
_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"latestPrice", "symbol"}), _rows(market.quote)),
    *((frozenset({name, "symbol"}), company.statements) for name in company.STATEMENTS),
    (frozenset({"earnings", "symbol"}), company.earnings),
    (frozenset({"estimates", "symbol"}), company.estimates),
    (frozenset({"companyName", "securityName"}), company.profile),
    (frozenset({"companyName", "symbol", "industry"}), company.profile),
    (frozenset({"open", "close", "high", "low", "symbol"}), market.open_close),
    (frozenset({"week52high", "week52low"}), company.figures),
    (frozenset({"range", "data"}), market.chart),
)
_ROWS: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"latestPrice", "symbol"}), _rows(market.quote)),
    (frozenset({"date", "close"}), market.chart),
    (frozenset({"exDate", "amount"}), _rows(company.dividend)),
    (frozenset({"exDate", "ratio"}), _rows(company.split)),
    (frozenset({"headline"}), _rows(company.news)),
    (frozenset({"rate", "symbol"}), _rows(market.rate)),
    (frozenset({"bidPrice", "askPrice", "lastSalePrice"}), _rows(market.top)),
    (frozenset({"price", "size", "time", "symbol"}), _rows(market.last_sale)),
    (frozenset({"price", "size", "time"}), _rows(market.trade)),
    (frozenset({"performance", "name"}), _rows(market.sector)),
    (frozenset({"symbol", "iexId"}), _rows(company.instrument)),
)


def _choose(reading: Reading, value: object) -> Read:
    routed = first_match(reading.where, ROUTES)
    return routed or _by_shape(value)


def _by_shape(value: object) -> Read:
    if isinstance(value, list):
        first = next((each for each in value if isinstance(each, dict)), {})
        found = next((each for fields, each in _ROWS if fields <= first.keys()), None)
        if found is None and value:
            raise Malformed("a list whose rows are nothing that is known")
        return found or _nothing
    if not isinstance(value, dict):
        raise Malformed(f"a {type(value).__name__} without an address that says what it is")
    found = next((each for fields, each in _SHAPES if fields <= value.keys()), None)
    if found is not None:
        return found
    if value and all(
        isinstance(each, dict) and "close" in each and "open" in each for each in value.values()
    ):
        return market.open_close
    if value and all(_is_isin(name) for name in value):
        return company.isins
    raise Malformed(f"no payload of IEX's has the fields {', '.join(sorted(value))[:120]}")


def _is_isin(text: str) -> bool:
    return len(text) >= 10 and text.isalnum() and text.isupper() and text[:2].isalpha()


_PARTS: dict[str, Read] = {
    "quote": _rows(market.quote), "news": _rows(company.news), "company": company.profile,
    "earnings": company.earnings, "income": company.statements, "balance-sheet": company.statements,
    "cash-flow": company.statements,
}  # fmt: skip


def _batches(reading: Reading, value: object) -> None:
    """An object per symbol, with an object per kind inside."""
    body = Row(value)
    for symbol in body:
        reading.one(symbol[:40], _batch, reading, body.raw(symbol))


def _batch(reading: Reading, value: object) -> None:
    """Kinds that name their symbol; of the others nothing says whose they are."""
    body = Row(value)
    for kind in body:
        if kind in _PARTS:
            reading.one(kind, _PARTS[kind], reading, body.raw(kind))
        else:
            reading.reject("unsupported", f"{kind[:40]} in a batch does not name its symbol")
