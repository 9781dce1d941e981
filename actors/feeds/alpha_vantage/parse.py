"""Which payload it is: all have one path, so their fields tell. Pure; raises nothing."""

from __future__ import annotations

from collections.abc import Callable

from actors.feeds.alpha_vantage import company, economy, market, series
from actors.feeds.alpha_vantage.names import PROVIDER
from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.failures import Words, refusal
from actors.feeds.rest.reading import Reading, read_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed

Read = Callable[[Reading, object], None]

WORDS: Words = (
    ("sparingly", "throttled"),
    ("demo purposes", "auth"),
    ("claim your free api key", "auth"),
)
_SAID = ("Error Message", "Information", "Note")
_NOTHING_KNOWN = frozenset(
    {"OVERVIEW", "ETF_PROFILE", "INCOME_STATEMENT", "BALANCE_SHEET", "CASH_FLOW", "EARNINGS"}
)
"""Functions that answer an unknown symbol with an empty object."""


def read(payload: str | bytes, origin: Origin) -> Parsed:
    reading = Reading(PROVIDER, origin)
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
    if _is_table(text):
        reading.one("table", series.table, reading, text.lstrip("\ufeff"))
        return reading.end()
    return read_json(reading, payload, lambda value: _body(reading, value), WORDS)


def _is_table(text: str) -> bool:
    head = text.lstrip("\ufeff")[:200].partition("\n")[0].strip().lower()
    return head.count(",") >= 4 and "open" in head.split(",")


def _body(reading: Reading, value: object) -> None:
    said = next((value[name] for name in _SAID if name in value), None) if isinstance(value, dict) else None
    status = reading.origin.status
    if said is not None:
        reading.reject_as(refusal(str(said), reading.origin, WORDS))
    elif status is not None and status >= 400:
        reading.despite_status(_data, reading, value)
    else:
        _data(reading, value)


def _data(reading: Reading, value: object) -> None:
    _choose(reading, Row(value))(reading, value)


def _unsupported(reading: Reading, value: object) -> None:
    reading.reject("unsupported", "indicators are computed here, not taken from a provider")


def _unknown(reading: Reading, value: object) -> None:
    reading.reject("not_found", f"{reading.where.get('symbol') or 'the symbol'} is not known")


_SHAPES: tuple[tuple[frozenset[str], Read], ...] = (
    (frozenset({"Global Quote"}), market.quote),
    (frozenset({"Global Quote - DATA DELAYED BY 15 MINUTES"}), market.quote),
    (frozenset({"Realtime Currency Exchange Rate"}), market.rate),
    (frozenset({"Crypto Rating (FCAS)"}), market.coin_rating),
    (frozenset({"Rank A: Real-Time Performance"}), market.sectors),
    (frozenset({"bestMatches"}), company.matches),
    (frozenset({"feed"}), company.news),
    (frozenset({"markets"}), market.hours),
    (frozenset({"top_gainers"}), market.movers),
    (frozenset({"annualReports"}), company.statements),
    (frozenset({"quarterlyReports"}), company.statements),
    (frozenset({"annualEarnings"}), company.earnings),
    (frozenset({"quarterlyEarnings"}), company.earnings),
    (frozenset({"endpoint", "data"}), market.bulk),
    (frozenset({"symbol", "data"}), company.events),
    (frozenset({"interval", "data"}), economy.series),
    (frozenset({"Symbol", "AssetType"}), company.overview),
    (frozenset({"Symbol", "MarketCapitalization"}), company.overview),
)


def _choose(reading: Reading, body: Row) -> Read:
    names = set(body)
    found = next((each for fields, each in _SHAPES if fields <= names), None)
    if found is not None:
        return found
    if any(name.startswith("Technical Analysis") for name in names):
        return _unsupported
    title = series.title_of(body)
    if title is not None:
        return market.points if "digital currency intraday" in title.lower() else series.bars
    if not names and (reading.where.get("function") or "").upper() in _NOTHING_KNOWN:
        return _unknown
    raise Malformed(f"no payload of Alpha Vantage's has the fields {', '.join(sorted(names))[:120]}")
