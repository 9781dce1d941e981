"""Tickers, companies, dividends, splits, exchanges, news and the calendar."""

from __future__ import annotations

from typing import Literal

from actors.feeds.massive.symbols import PROVIDER, STREAM, asked_for, instrument_of
from actors.feeds.rest.days import NEW_YORK, day_ns, iso_day, zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.observations import InstrumentInfo, SplitAnnounced
from domain.market.reference import CalendarEvent, Dividend, NewsItem, Profile

RELATED = r"v1/related-companies/(?P<ticker>[^/]+)"
TICKER_EVENTS = r"reference/tickers/(?P<ticker>[^/]+)/events"
_MICS = {"NYSE": "XNYS", "NASDAQ": "XNAS", "OTC": "OTCM", "FX": "FX", "CRYPTO": "CRYPTO"}
_ASSETS: dict[str, Literal["crypto", "equity", "fx", "option", "index"]] = {
    "stocks": "equity", "otc": "equity", "crypto": "crypto", "fx": "fx", "indices": "index",
    "options": "option",
}  # fmt: skip
_IDENTIFIERS = {
    "cik": "cik", "composite_figi": "figi", "share_class_figi": "share_class_figi", "figi": "figi",
    "lei": "lei", "isin": "isin", "us_code": "cusip",
}  # fmt: skip


def tickers(reading: Reading, value: object) -> None:
    """A list gives instruments, a single ticker its company's profile too."""
    results = Row(value).raw("results")
    if isinstance(results, list):
        reading.each(results, _instrument, reading)
    elif results is not None:
        row = Row(results)
        _instrument(reading, row)
        _profile(reading, row)


def _instrument(reading: Reading, row: Row) -> None:
    ticker, market = row.must_letters("ticker"), row.letters("market")
    quote = row.letters("currency_symbol", "currency_name") or ""
    reading.add(
        InstrumentInfo(
            PROVIDER,
            instrument_of(ticker, market),
            reading.recv,
            reading.recv,
            ticker,
            row.letters("base_currency_symbol"),
            quote.upper() if 0 < len(quote) <= 5 else None,
            _ASSETS.get(market or "", "equity"),
            status="closed" if row.raw("active") is False else "trading",
        )
    )


def _profile(reading: Reading, row: Row) -> None:
    ticker = row.must_letters("ticker")
    currency = (row.letters("currency_name") or "").upper() or None
    market_cap = row.amount("market_cap")
    reading.add(
        Profile(
            PROVIDER,
            instrument_of(ticker, row.letters("market")),
            reading.recv,
            reading.recv,
            row.text("name"),
            ticker,
            row.letters("primary_exchange"),
            currency,
            (row.letters("locale") or "").upper() or None,
            industry=row.text("sic_description"),
            market_cap=market_cap,
            market_cap_usd=market_cap if currency == "USD" else None,
            shares_outstanding=row.amount("share_class_shares_outstanding", "weighted_shares_outstanding"),
            employees=row.whole("total_employees"),
            listed_on=row.day("list_date"),
            website=row.text("homepage_url"),
            description=row.text("description"),
            identifiers=_identifiers(row),
        )
    )


def company(reading: Reading, value: object) -> None:
    """`/v1/meta/symbols/{T}/company`, which is retired. Names no currency."""
    row = Row(value)
    symbol = row.must_letters("symbol")
    reading.add(
        Profile(
            PROVIDER,
            instrument_of(symbol),
            reading.recv,
            reading.recv,
            row.text("name"),
            symbol,
            row.text("exchange"),
            None,
            (row.letters("country") or row.letters("hq_country") or "").upper() or None,
            row.text("sector"),
            row.text("industry"),
            row.amount("marketcap"),
            employees=row.whole("employees"),
            listed_on=row.day("listdate"),
            website=row.text("url"),
            description=row.text("description"),
            identifiers=_identifiers(row),
            peers=tuple(str(each) for each in row.items("similar")),
        )
    )


def _identifiers(row: Row) -> dict[str, str]:
    found = {ours: row.text(theirs) for theirs, ours in _IDENTIFIERS.items()}
    return {name: text for name, text in found.items() if text is not None}


def related(reading: Reading, value: object) -> None:
    body = Row(value)
    symbol = body.letters("stock_symbol")
    instrument = instrument_of(symbol) if symbol else asked_for(reading, RELATED)
    peers = reading.names(body.items("results"), "ticker")
    if peers:
        reading.add(Profile(PROVIDER, instrument, reading.recv, reading.recv, None, symbol, peers=peers))


def ticker_events(reading: Reading, value: object) -> None:
    """A company's tickers over the years: the last one is its own, the others are aliases."""
    dated: list[tuple[str, str]] = []
    reading.each(Row(value).row("results").items("events"), _change, dated)
    dated.sort()
    if dated:
        day, ticker = dated[-1]
        older = dict.fromkeys(old for _, old in dated[:-1] if old != ticker)
        at = day_ns(day, NEW_YORK)
        reading.add(
            InstrumentInfo(
                PROVIDER,
                instrument_of(ticker),
                at,
                reading.recv,
                ticker,
                asset_class="equity",
                aliases=tuple(older),
            )
        )


def _change(dated: list[tuple[str, str]], row: Row) -> None:
    if "ticker_change" in row:
        dated.append((row.must_day("date"), row.row("ticker_change").must_letters("ticker")))


def dividend(reading: Reading, row: Row) -> None:
    ex_date = row.must_day("ex_dividend_date")
    reading.add(
        Dividend(
            PROVIDER,
            instrument_of(row.must_letters("ticker")),
            day_ns(ex_date, NEW_YORK),
            reading.recv,
            ex_date,
            row.must("cash_amount"),
            row.letters("currency"),
            row.day("pay_date"),
            row.day("record_date"),
            row.day("declaration_date"),
            row.whole("frequency"),
            row.letters("dividend_type", "distribution_type"),
        )
    )


def split(reading: Reading, row: Row) -> None:
    effective = day_ns(row.must_day("execution_date"), NEW_YORK)
    instrument = instrument_of(row.must_letters("ticker"))
    parts = row.must_price("split_from"), row.must_price("split_to")
    reading.add(SplitAnnounced(PROVIDER, instrument, reading.recv, reading.recv, effective, *parts))


def exchange(reading: Reading, row: Row) -> None:
    """An exchange is an organisation with a MIC, told as a profile."""
    mic = row.letters("mic") or row.letters("operating_mic")
    number = row.whole("id")
    letters = mic or row.letters("acronym") or (f"{PROVIDER}_{number}" if number is not None else "")
    if not letters:
        raise Malformed("an exchange with neither MIC, acronym nor number")
    named = {
        "mic": mic,
        "operating_mic": row.letters("operating_mic"),
        "participant": row.letters("participant_id"),
    }
    named["number"] = None if number is None else str(number)
    reading.add(
        Profile(
            PROVIDER,
            make_instrument_id(letters, "EXCHANGE"),
            reading.recv,
            reading.recv,
            row.text("name"),
            row.letters("acronym"),
            mic,
            country=(row.letters("locale") or "").upper() or None,
            website=row.text("url"),
            identifiers={name: text for name, text in named.items() if text},
        )
    )


def news(reading: Reading, row: Row) -> None:
    title, url, number = row.text("title"), row.text("article_url"), row.text("id")
    if title is None and url is None and number is None:
        raise Malformed("an item with neither title, link nor id")
    at = zoned_ns(row.raw("published_utc")) if row.raw("published_utc") else None
    reading.add(
        NewsItem(
            PROVIDER,
            STREAM,
            at or reading.recv,
            reading.recv,
            number or url or title or "",
            title,
            row.text("description"),
            url,
            row.row("publisher").text("name"),
            at,
            tuple(_named(each) for each in row.items("tickers")),
        )
    )


def _named(ticker: object) -> str:
    try:
        return instrument_of(str(ticker))
    except Malformed:
        return str(ticker)


def holiday(reading: Reading, row: Row) -> None:
    """Closed for a day, or open for less than one."""
    name, day, status = row.must_letters("exchange"), row.must_day("date"), row.letters("status")
    opens, closes = row.raw("open"), row.raw("close")
    reading.add(
        CalendarEvent(
            PROVIDER,
            make_instrument_id("CALENDAR", _MICS.get(name.upper(), "US")),
            day_ns(day, NEW_YORK),
            reading.recv,
            "early_close" if status == "early-close" else "holiday",
            day,
            row.text("name"),
            name,
            status,
            None if opens is None else zoned_ns(opens),
            None if closes is None else zoned_ns(closes),
        )
    )


def market_status(reading: Reading, value: object) -> None:
    """Whether each market is open now."""
    body = Row(value)
    stamp = body.raw("serverTime")
    at = zoned_ns(stamp)
    states = {"market": body.raw("market")}
    for group in ("exchanges", "currencies"):
        inside = body.row(group)
        states |= {name: inside.raw(name) for name in inside}
    for name, state in states.items():
        if isinstance(state, str):
            venue = _MICS.get(name.upper(), "US")
            about = make_instrument_id("CALENDAR", venue)
            day = iso_day(stamp)
            reading.add(CalendarEvent(PROVIDER, about, at, reading.recv, "status", day, None, name, state))


def listing(reading: Reading, row: Row) -> None:
    """`/vX/reference/ipos`."""
    ticker = row.letters("ticker")
    day = row.day("listing_date")
    names = (
        "final_issue_price",
        "lowest_offer_price",
        "highest_offer_price",
        "total_offer_size",
        "currency_code",
    )
    told = {name: text for name in names if (text := row.text(name)) is not None}
    reading.add(
        CalendarEvent(
            PROVIDER,
            instrument_of(ticker) if ticker else make_instrument_id("CALENDAR", "US"),
            day_ns(day, NEW_YORK) if day else reading.recv,
            reading.recv,
            "ipo",
            day,
            row.text("issuer_name"),
            row.letters("primary_exchange"),
            row.letters("ipo_status"),
            details=told | _identifiers(row),
        )
    )
