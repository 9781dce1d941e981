"""Companies: profile, statements, earnings, dividends, splits, figures, news, and lists of symbols."""

from __future__ import annotations

from typing import Literal

from actors.feeds.iex.symbols import PROVIDER, STREAM, asked_for, instrument_of
from actors.feeds.rest import numbers
from actors.feeds.rest.days import NEW_YORK, day_ns, day_of
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.observations import InstrumentInfo, SplitAnnounced
from domain.market.reference import Dividend, Earnings, Metric, NewsItem, Profile, Recommendation, Statement

Kind = Literal["income", "balance", "cash_flow", "facts"]
STATEMENTS: dict[str, Kind] = {
    "income": "income", "balancesheet": "balance", "cashflow": "cash_flow", "financials": "facts",
}  # fmt: skip
FIGURE = r"stock/[^/]+/(?:stats|advanced-stats)/(?P<name>[^/]+)"
_PERIODS = {"quarter": "quarterly", "quarterly": "quarterly", "annual": "annual"}
_NO_LINES = frozenset({
    "reportDate", "fiscalDate", "currency", "symbol", "filingType", "key", "subkey", "id", "date", "updated",
    "fiscalQuarter", "fiscalYear",
})  # fmt: skip
_PAYMENTS = {"annual": 1, "semi-annual": 2, "semiannual": 2, "quarterly": 4, "monthly": 12, "weekly": 52}
_NO_SUMMARY = "no summary available."


def profile(reading: Reading, value: object) -> None:
    row = Row(value)
    symbol = row.letters("symbol")
    reading.add(
        Profile(
            PROVIDER,
            instrument_of(symbol) if symbol else asked_for(reading),
            reading.recv,
            reading.recv,
            row.text("companyName"),
            symbol,
            row.text("exchange"),
            None,
            row.text("country"),
            row.text("sector"),
            row.text("industry"),
            employees=row.whole("employees"),
            website=row.text("website"),
            description=row.text("description"),
        )
    )


def logo(reading: Reading, value: object) -> None:
    url = Row(value).text("url")
    told = {"logo": url} if url else {}
    about = asked_for(reading)
    reading.add(Profile(PROVIDER, about, reading.recv, reading.recv, None, identifiers=told))


def statements(reading: Reading, value: object) -> None:
    """By the quarter unless the address asks for years. An empty object is a company without any."""
    body = Row(value)
    name = next((each for each in STATEMENTS if each in body), None)
    if name is None:
        if list(body):
            raise Malformed("no statement in it")
        return
    symbol = body.letters("symbol")
    instrument = instrument_of(symbol) if symbol else asked_for(reading)
    asked = (reading.where.get("period") or "quarter").lower()
    period = _PERIODS.get(asked)
    if period is None:
        raise Malformed(f"period {asked[:20]!r} is neither quarter nor annual")
    reading.each(body.items(name), _statement, reading, instrument, STATEMENTS[name], period)


def _statement(
    reading: Reading,
    instrument: InstrumentId,
    kind: Kind,
    period: str,
    row: Row,
) -> None:
    """`fiscalDate` is the last day that it covers, `reportDate` was the same in older answers."""
    end = row.must_day("fiscalDate", "reportDate")
    quarter = row.whole("fiscalQuarter")
    reading.add(
        Statement(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            kind,
            period,
            end,
            row.letters("currency"),
            {name: numbers.number(row.raw(name)) for name in row if name not in _NO_LINES},
            row.whole("fiscalYear"),
            None if quarter is None else f"Q{quarter}",
        )
    )


def earnings(reading: Reading, value: object) -> None:
    body = Row(value)
    symbol = body.letters("symbol")
    instrument = instrument_of(symbol) if symbol else asked_for(reading)
    reading.each(body.items("earnings"), _earnings, reading, instrument)


def _earnings(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """`Q4 2018`; a year has no Q."""
    end = row.must_day("fiscalEndDate")
    quarter, _, year = (row.text("fiscalPeriod") or "").partition(" ")
    reading.add(
        Earnings(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            "quarterly" if quarter.startswith("Q") else "annual",
            end,
            row.letters("currency"),
            row.number("actualEPS"),
            row.number("consensusEPS"),
            row.number("EPSSurpriseDollar"),
            reported_on=row.day("EPSReportDate", "reportDate"),
            fiscal_year=numbers.whole(year or None),
            fiscal_period=quarter or None,
        )
    )


def estimates(reading: Reading, value: object) -> None:
    body = Row(value)
    symbol = body.letters("symbol")
    instrument = instrument_of(symbol) if symbol else asked_for(reading)
    reading.each(body.items("estimates"), _earnings, reading, instrument)


def dividend(reading: Reading, row: Row) -> None:
    symbol = row.letters("symbol")
    day = row.must_day("exDate")
    frequency = (row.text("frequency") or "").lower()
    reading.add(
        Dividend(
            PROVIDER,
            instrument_of(symbol) if symbol else asked_for(reading),
            day_ns(day, NEW_YORK),
            reading.recv,
            day,
            row.must("amount"),
            row.letters("currency"),
            row.day("paymentDate"),
            row.day("recordDate"),
            row.day("declaredDate"),
            _PAYMENTS.get(frequency),
            row.text("flag", "type"),
        )
    )


def split(reading: Reading, row: Row) -> None:
    """`fromFactor` old shares become `toFactor` new ones."""
    symbol = row.letters("symbol")
    effective = day_ns(row.must_day("exDate"), NEW_YORK)
    about = instrument_of(symbol) if symbol else asked_for(reading)
    parts = row.must_price("fromFactor"), row.must_price("toFactor")
    reading.add(SplitAnnounced(PROVIDER, about, reading.recv, reading.recv, effective, *parts))


def figures(reading: Reading, value: object) -> None:
    """Every number of `stats` and `advanced-stats`; days and names are none."""
    row = Row(value)
    instrument = asked_for(reading)
    for name in row:
        if not isinstance(row.raw(name), str) and not name.endswith("Date"):
            reading.one(f"figure {name[:40]!r}", _figure, reading, instrument, name, row.raw(name))


def figure(reading: Reading, value: object) -> None:
    """One of them, named by the address alone."""
    found = reading.where.match(FIGURE)
    if found is None:
        raise Malformed("the figure has no name")
    _figure(reading, asked_for(reading), found["name"], value)


def _figure(reading: Reading, instrument: InstrumentId, name: str, value: object) -> None:
    number = numbers.number(value)
    period = "ttm" if name.startswith("ttm") else None
    reading.add(Metric(PROVIDER, instrument, reading.recv, reading.recv, name, number, period))


def peers(reading: Reading, value: object) -> None:
    names = reading.names(value if isinstance(value, list) else [])
    if names:
        about = asked_for(reading)
        reading.add(Profile(PROVIDER, about, reading.recv, reading.recv, None, peers=names))


def recommendation(reading: Reading, row: Row) -> None:
    """Analysts' counts from a day on: 5 classes from best to worst."""
    symbol = row.letters("symbol")
    at = row.must_epoch("ms", "consensusStartDate")
    names = ("ratingBuy", "ratingOverweight", "ratingHold", "ratingUnderweight", "ratingSell")
    counts = [row.whole(name) for name in names]
    about = instrument_of(symbol) if symbol else asked_for(reading)
    reading.add(Recommendation(PROVIDER, about, at, reading.recv, day_of(at), *counts))


def news(reading: Reading, row: Row) -> None:
    title, url = row.text("headline"), row.text("url")
    if title is None and url is None:
        raise Malformed("an item with neither title nor link")
    at = row.epoch("ms", "datetime")
    summary = row.text("summary")
    related = (row.text("related") or "").split(",")
    reading.add(
        NewsItem(
            PROVIDER,
            STREAM,
            at or reading.recv,
            reading.recv,
            url or title or "",
            title,
            None if summary is None or summary.lower() == _NO_SUMMARY else summary,
            url,
            row.text("source"),
            at,
            tuple(_named(each) for each in related if each.strip()),
        )
    )


def _named(symbol: str) -> str:
    try:
        return instrument_of(symbol)
    except Malformed:
        return symbol.strip()


def instrument(reading: Reading, row: Row, isin: str | None = None) -> None:
    """Of a list of an exchange, or of an ISIN."""
    symbol = row.must_letters("symbol")
    aliases = (isin,) if isin else ()
    reading.add(
        InstrumentInfo(
            PROVIDER,
            instrument_of(symbol, row.letters("exchange")),
            reading.recv,
            reading.recv,
            symbol,
            quote=row.letters("currency"),
            asset_class="equity",
            status="closed" if row.raw("isEnabled") is False else "trading",
            aliases=aliases,
        )
    )


def isins(reading: Reading, value: object) -> None:
    """Symbols of one ISIN, which its address names, or of several."""
    if isinstance(value, list):
        asked = reading.where.get("isin")
        one = asked if asked and "," not in asked else None
        for number, each in enumerate(value):
            reading.one(f"row {number}", _of_isin, reading, one, each)
        return
    body = Row(value)
    for isin in body:
        rows = body.raw(isin)
        if rows is None:
            reading.reject("not_found", f"{isin[:40]} is not known")
        for each in rows if isinstance(rows, list) else ():
            reading.one(isin[:40], _of_isin, reading, isin, each)


def _of_isin(reading: Reading, isin: str | None, value: object) -> None:
    instrument(reading, Row(value), isin)
