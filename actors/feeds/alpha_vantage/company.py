"""Companies: overview, statements, earnings, dividends, splits, news and the list of a search."""

from __future__ import annotations

import re
from typing import Literal

from actors.feeds.alpha_vantage.names import PROVIDER, STREAM, ZONES, instrument_of, plain, whose
from actors.feeds.rest import numbers
from actors.feeds.rest.days import UTC, day_ns, local_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, venue_of
from domain.market.observations import InstrumentInfo, SplitAnnounced
from domain.market.reference import Dividend, Earnings, Metric, NewsItem, Profile, Statement

Kind = Literal["income", "balance", "cash_flow"]
_KIND_OF_FUNCTION: dict[str, Kind] = {
    "INCOME_STATEMENT": "income", "BALANCE_SHEET": "balance", "CASH_FLOW": "cash_flow",
}  # fmt: skip
_KIND_OF_LINE: dict[str, Kind] = {
    "totalAssets": "balance", "operatingCashflow": "cash_flow", "totalRevenue": "income",
    "grossProfit": "income",
}  # fmt: skip
_REPORTS = {"annualReports": "annual", "quarterlyReports": "quarterly"}
_NO_FIGURES = frozenset({
    "Symbol", "AssetType", "Name", "Description", "CIK", "Exchange", "Currency", "Country", "Sector",
    "Industry", "Address", "OfficialSite", "FiscalYearEnd", "LatestQuarter", "FullTimeEmployees",
    "DividendDate", "ExDividendDate", "LastSplitFactor", "LastSplitDate", "MarketCapitalization",
    "SharesOutstanding",
})  # fmt: skip
_PUBLISHED = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?", re.ASCII)


def overview(reading: Reading, value: object) -> None:
    row = Row(value)
    instrument = whose(reading, row, "Symbol")
    currency = row.letters("Currency")
    market_cap = row.amount("MarketCapitalization")
    cik = row.text("CIK")
    reading.add(
        Profile(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            row.text("Name"),
            row.letters("Symbol"),
            row.text("Exchange"),
            currency,
            row.text("Country"),
            row.text("Sector"),
            row.text("Industry"),
            market_cap,
            market_cap if currency == "USD" else None,
            row.amount("SharesOutstanding"),
            row.whole("FullTimeEmployees"),
            website=row.text("OfficialSite"),
            description=row.text("Description"),
            identifiers={"cik": cik} if cik else {},
        )
    )
    quarter = row.day("LatestQuarter")
    for name in row:
        if name not in _NO_FIGURES:
            told = instrument, currency, quarter, name, row
            reading.one(f"figure {name[:40]!r}", _figure, reading, *told)


def _figure(
    reading: Reading, instrument: InstrumentId, currency: str | None, quarter: str | None, name: str, row: Row
) -> None:
    is_ttm = "TTM" in name
    reading.add(
        Metric(
            PROVIDER,
            instrument,
            reading.recv,
            reading.recv,
            name,
            row.number(name),
            "ttm" if is_ttm else None,
            quarter if is_ttm else None,
            currency,
        )
    )


def statements(reading: Reading, value: object) -> None:
    """One statement per report: a report that is listed twice is one."""
    body = Row(value)
    instrument = whose(reading, body, "symbol")
    for field, period in _REPORTS.items():
        seen: set[str] = set()
        reading.each(body.items(field), _statement, reading, instrument, period, seen)


def _statement(reading: Reading, instrument: InstrumentId, period: str, seen: set[str], row: Row) -> None:
    end = row.must_day("fiscalDateEnding")
    if end in seen:
        return
    kind = _KIND_OF_FUNCTION.get((reading.where.get("function") or "").upper()) or _kind(row)
    lines = (name for name in row if name not in ("fiscalDateEnding", "reportedCurrency"))
    reading.add(
        Statement(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            kind,
            period,
            end,
            row.letters("reportedCurrency"),
            {name: numbers.number(row.raw(name)) for name in lines},
        )
    )
    seen.add(end)


def _kind(row: Row) -> Kind:
    found = next((kind for line, kind in _KIND_OF_LINE.items() if line in row), None)
    if found is None:
        raise Malformed("a report of no kind that is known")
    return found


def earnings(reading: Reading, value: object) -> None:
    """Alpha Vantage names no currency of them."""
    body = Row(value)
    instrument = whose(reading, body, "symbol")
    for field, period in (("annualEarnings", "annual"), ("quarterlyEarnings", "quarterly")):
        reading.each(body.items(field), _earnings, reading, instrument, period)


def _earnings(reading: Reading, instrument: InstrumentId, period: str, row: Row) -> None:
    end = row.must_day("fiscalDateEnding")
    reading.add(
        Earnings(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            period,
            end,
            None,
            row.number("reportedEPS"),
            row.number("estimatedEPS"),
            row.number("surprise"),
            row.percent("surprisePercentage"),
            reported_on=row.day("reportedDate"),
        )
    )


def events(reading: Reading, value: object) -> None:
    """`DIVIDENDS` and `SPLITS`: told apart by their fields."""
    body = Row(value)
    reading.each(body.items("data"), _event, reading, whose(reading, body, "symbol"))


def _event(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    zone = ZONES.get(venue_of(instrument), UTC)
    if "effective_date" in row:
        effective = day_ns(row.must_day("effective_date"), zone)
        new = row.must_price("split_factor")
        split = SplitAnnounced(PROVIDER, instrument, reading.recv, reading.recv, effective, 1.0, new)
        reading.add(split)
        return
    day = row.must_day("ex_dividend_date")
    reading.add(
        Dividend(
            PROVIDER,
            instrument,
            day_ns(day, zone),
            reading.recv,
            day,
            row.must("amount"),
            None,
            row.day("payment_date"),
            row.day("record_date"),
            row.day("declaration_date"),
        )
    )


def matches(reading: Reading, value: object) -> None:
    reading.each(Row(value).items("bestMatches"), _match, reading)


def _match(reading: Reading, numbered: Row) -> None:
    """The currency is as quoted: `GBX` are pence."""
    row = plain({name: numbered.raw(name) for name in numbered})
    symbol = row.must_letters("symbol")
    about = instrument_of(symbol)
    quote = row.letters("currency")
    reading.add(
        InstrumentInfo(PROVIDER, about, reading.recv, reading.recv, symbol, quote=quote, asset_class="equity")
    )


def news(reading: Reading, value: object) -> None:
    reading.each(Row(value).items("feed"), _item, reading)


def _item(reading: Reading, row: Row) -> None:
    """Alpha Vantage's own score of the text, in [-1, 1]."""
    title, url = row.text("title"), row.text("url")
    if title is None and url is None:
        raise Malformed("an item with neither title nor link")
    stamp = _PUBLISHED.fullmatch(row.letters("time_published") or "")
    at = None
    if stamp is not None:
        year, month, day, hour, minute, second = stamp.groups()
        at = local_ns(f"{year}-{month}-{day} {hour}:{minute}:{second or '00'}", UTC)
    named = [Row(each).must_letters("ticker") for each in row.items("ticker_sentiment")]
    reading.add(
        NewsItem(
            PROVIDER,
            STREAM,
            at or reading.recv,
            reading.recv,
            url or title or "",
            title,
            row.text("summary"),
            url,
            row.text("source"),
            at,
            tuple(_named(each) for each in named),
            row.number("overall_sentiment_score"),
        )
    )


def _named(ticker: str) -> str:
    """`CRYPTO:BTC` and `FOREX:USD` are no pairs, and stay as they are."""
    try:
        return ticker if ":" in ticker else instrument_of(ticker)
    except Malformed:
        return ticker
