"""The modules of `quoteSummary`: each says one sort of thing about a company."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from actors.feeds.rest import numbers
from actors.feeds.rest.days import NEW_YORK, day_ns, day_of, iso_day
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.yahoo.quotes import quote
from actors.feeds.yahoo.symbols import PROVIDER, instrument_of
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.reference import (
    CalendarEvent,
    Earnings,
    Filing,
    Metric,
    Ownership,
    OwnershipChange,
    Profile,
    Recommendation,
    Statement,
)

SUMMARY = r"quoteSummary/(?P<symbol>[^/]+)"
_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)
_FIGURES = ("summaryDetail", "defaultKeyStatistics", "financialData", "majorHoldersBreakdown",
            "netSharePurchaseActivity")  # fmt: skip
_IS_DAY = re.compile(r"(?i)date|epoch|timestamp|^lastFiscalYearEnd$|^nextFiscalYearEnd$|^mostRecentQuarter$")
_NO_FIGURES = frozenset({"maxAge", "priceHint"})
Kind = Literal["income", "balance", "cash_flow"]
_STATEMENTS: dict[str, tuple[str, Kind]] = {
    "incomeStatementHistory": ("incomeStatementHistory", "income"),
    "balanceSheetHistory": ("balanceSheetStatements", "balance"),
    "cashflowStatementHistory": ("cashflowStatements", "cash_flow"),
}


def summaries(reading: Reading, value: object) -> None:
    for each in Row(value).row("quoteSummary").items("result"):
        reading.one("summary", _summary, reading, each)


def _summary(reading: Reading, value: object) -> None:
    body = Row(value)
    named = body.row("price").letters("symbol") or body.row("quoteType").letters("symbol")
    found = reading.where.match(SUMMARY)
    symbol = named or (found["symbol"] if found is not None else reading.origin.symbol)
    if symbol is None:
        raise Malformed("it names no symbol: neither the body nor its address says whose it is")
    kind = body.row("quoteType").letters("quoteType") or body.row("price").letters("quoteType")
    instrument = instrument_of(symbol, kind)
    currency = body.row("financialData").letters("financialCurrency")
    for name in body:
        module = body.raw(name)
        if isinstance(module, dict):
            reading.one(name, _module, reading, instrument, symbol, currency, name, body)


def _module(
    reading: Reading, instrument: InstrumentId, symbol: str, currency: str | None, name: str, body: Row
) -> None:
    module = body.row(name)
    if name in _FIGURES:
        _figures(reading, instrument, module, name, body)
    elif name in ("assetProfile", "summaryProfile") and not (
        name == "summaryProfile" and "assetProfile" in body
    ):
        _profile(reading, instrument, symbol, module, body)
    elif name == "price" and "regularMarketPrice" in module:
        told = {each: module.raw(each) for each in module} | {"symbol": symbol}
        told["regularMarketChangePercent"] = numbers.scaled(module.number("regularMarketChangePercent"), 100)
        quote(reading, Row(told))
    elif name.removesuffix("Quarterly") in _STATEMENTS:
        field, kind = _STATEMENTS[name.removesuffix("Quarterly")]
        period = "quarterly" if name.endswith("Quarterly") else "annual"
        reading.each(module.items(field), _statement, reading, instrument, kind, period, currency)
    elif name in _ROWS:
        field, read = _ROWS[name]
        reading.each(module.items(field), read, reading, instrument)
    elif name == "calendarEvents":
        _calendar(reading, instrument, module)


def _profile(reading: Reading, instrument: InstrumentId, symbol: str, module: Row, body: Row) -> None:
    price, kind = body.row("price"), body.row("quoteType")
    market_cap, currency = price.amount("marketCap"), price.letters("currency")
    reading.add(
        Profile(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            kind.text("longName", "shortName") or price.text("longName"),
            symbol,
            kind.letters("exchange") or price.letters("exchange"),
            currency,
            module.text("country"),
            module.text("sector"),
            module.text("industry"),
            market_cap,
            market_cap if currency == "USD" else None,
            body.row("defaultKeyStatistics").amount("sharesOutstanding"),
            module.whole("fullTimeEmployees"),
            website=module.text("website"),
            description=module.text("longBusinessSummary"),
        )
    )


def _figures(reading: Reading, instrument: InstrumentId, module: Row, name: str, body: Row) -> None:
    """Numbers by their names; what is a day or a word is none. Ratios stay ratios."""
    currency = module.letters("financialCurrency", "currency") or body.row("price").letters("currency")
    for field in module:
        value = module.raw(field)
        if field in _NO_FIGURES or _IS_DAY.search(field) or isinstance(value, str | bool | dict | list):
            continue
        number = numbers.number(value)
        reading.add(
            Metric(
                PROVIDER, instrument, reading.recv, reading.recv, f"{name}.{field}", number, currency=currency
            )
        )


def _statement(
    reading: Reading, instrument: InstrumentId, kind: Kind, period: str, currency: str | None, row: Row
) -> None:
    """Nothing where there is nothing but the day."""
    end = day_of(row.must_epoch("s", "endDate"))
    values = {name: numbers.number(row.raw(name)) for name in row if name not in ("maxAge", "endDate")}
    if any(value is not None for value in values.values()):
        told = kind, period, end, currency, values
        reading.add(Statement(PROVIDER, instrument, day_ns(end), reading.recv, *told))


def _recommendation(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    counts = [row.whole(name) for name in ("strongBuy", "buy", "hold", "sell", "strongSell")]
    period = row.must_letters("period")
    reading.add(Recommendation(PROVIDER, instrument, reading.recv, reading.recv, period, *counts))


def _earnings(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Surprise is a ratio at Yahoo, percent here."""
    end = day_of(row.must_epoch("s", "quarter"))
    reading.add(
        Earnings(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            "quarterly",
            end,
            row.letters("currency"),
            row.number("epsActual"),
            row.number("epsEstimate"),
            row.number("epsDifference"),
            numbers.scaled(row.number("surprisePercent"), 100),
        )
    )


def _filing(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    url = row.text("edgarUrl")
    number = _ACCESSION.search(url or "")
    if number is None:
        raise Malformed("edgarUrl has no accession number in it")
    at = row.must_epoch("s", "epochDate")
    form, title = row.must_letters("type"), row.text("title")
    reading.add(Filing(PROVIDER, instrument, at, reading.recv, form, number[0], at, None, title, url))


def _insider(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Yahoo says in words whether it was a sale; `shares` carry no sign without them."""
    at = row.must_epoch("s", "startDate")
    text = row.text("transactionText") or ""
    shares = row.must_amount("shares")
    sold = text.lower().startswith(("sale", "disposition"))
    code = "S" if sold else text.split(" ")[0] or "?"
    change = OwnershipChange(day_of(at), code, -shares if sold else shares)
    owner = row.must_letters("filerName")
    told = owner, row.text("filerRelation"), (change,)
    reading.add(Ownership(PROVIDER, instrument, at, reading.recv, *told))


def _grade(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    at = row.must_epoch("s", "epochGradeDate")
    names = ("toGrade", "fromGrade", "action")
    told = {name: text for name in names if (text := row.text(name)) is not None}
    day, firm = day_of(at, NEW_YORK), row.text("firm")
    reading.add(CalendarEvent(PROVIDER, instrument, at, reading.recv, "rating", day, firm, details=told))


def _calendar(reading: Reading, instrument: InstrumentId, module: Row) -> None:
    """The next report (its first possible day) and the next dividend."""
    planned = module.row("earnings")
    dates = [("earnings", Row({"at": each})) for each in planned.items("earningsDate")[:1]]
    for event, name in (("ex_dividend", "exDividendDate"), ("dividend", "dividendDate")):
        if module.raw(name):
            dates.append((event, Row({"at": module.raw(name)})))
    names = ("earningsAverage", "earningsLow", "earningsHigh", "revenueAverage")
    told = {name: text for name in names if (text := planned.text(name)) is not None}
    for event, row in dates:
        at = row.must_epoch("s", "at")
        day = iso_day(day_of(at, NEW_YORK if event == "earnings" else "UTC"))
        details = told if event == "earnings" else {}
        reading.add(CalendarEvent(PROVIDER, instrument, at, reading.recv, event, day, details=details))


_ROWS: dict[str, tuple[str, Callable[..., None]]] = {
    "recommendationTrend": ("trend", _recommendation),
    "earningsHistory": ("history", _earnings),
    "secFilings": ("filings", _filing),
    "insiderTransactions": ("transactions", _insider),
    "upgradeDowngradeHistory": ("history", _grade),
}
