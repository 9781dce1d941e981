"""Companies and funds: profile, statements, recommendations, filings, and figures of every sort."""

from __future__ import annotations

import re
from typing import Literal

from actors.feeds.rest import numbers
from actors.feeds.rest.days import NEW_YORK, day_ns, maybe_day
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.twelve_data.symbols import PROVIDER, whose
from domain.errors import Malformed
from domain.ids import InstrumentId
from domain.market.reference import (
    CalendarEvent,
    Filing,
    Metric,
    Ownership,
    OwnershipChange,
    Profile,
    Recommendation,
    Statement,
)

MAX_DEPTH = 8
STATEMENTS: dict[str, Literal["income", "balance", "cash_flow"]] = {
    "income_statement": "income", "balance_sheet": "balance", "cash_flow": "cash_flow",
}  # fmt: skip
FIGURES = (
    "earnings_estimate", "revenue_estimate", "eps_trend", "eps_revision", "growth_estimates", "price_target",
    "statistics", "institutional_holders", "fund_holders", "direct_holders",
)  # fmt: skip
_ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}", re.ASCII)
_NO_LINES = frozenset({"fiscal_date", "year", "quarter", "currency"})


def profile(reading: Reading, value: object) -> None:
    row = Row(value)
    reading.add(
        Profile(
            PROVIDER,
            whose(reading, row),
            reading.recv,
            reading.recv,
            row.text("name"),
            row.letters("symbol"),
            row.text("exchange"),
            row.letters("currency"),
            row.text("country"),
            row.text("sector"),
            row.text("industry"),
            employees=row.whole("employees"),
            website=row.text("website"),
            description=row.text("description"),
        )
    )


def statements(reading: Reading, value: object) -> None:
    """A list of reports under the statement's name; consolidated ones name no company."""
    body = Row(value)
    name = next(each for each in STATEMENTS if each in body)
    meta = body.row("meta")
    period = (meta.letters("period") or reading.where.get("period") or "annual").lower()
    if period not in ("annual", "quarterly"):
        raise Malformed(f"period {period[:20]!r} is neither annual nor quarterly")
    told = whose(reading, body), STATEMENTS[name], period, meta.letters("currency")
    reading.each(body.items(name), _statement, reading, *told)


def _statement(
    reading: Reading,
    instrument: InstrumentId,
    kind: Literal["income", "balance", "cash_flow"],
    period: str,
    currency: str | None,
    row: Row,
) -> None:
    """Lines inside others have names like `assets.current_assets.inventory`."""
    end = row.must_day("fiscal_date")
    quarter = row.whole("quarter")
    lines: dict[str, float | None] = {}
    for name in row:
        if name not in _NO_LINES:
            _flatten(row.raw(name), name, lines)
    reading.add(
        Statement(
            PROVIDER,
            instrument,
            day_ns(end),
            reading.recv,
            kind,
            period,
            end,
            row.letters("currency") or currency,
            lines,
            row.whole("year"),
            None if quarter is None else f"Q{quarter}",
        )
    )


def _flatten(value: object, name: str, lines: dict[str, float | None]) -> None:
    if isinstance(value, dict) and name.count(".") < MAX_DEPTH:
        for inside, each in value.items():
            _flatten(each, f"{name}.{inside}", lines)
    elif not isinstance(value, dict | list | bool):
        lines[name] = numbers.number(value)


def recommendations(reading: Reading, value: object) -> None:
    """Counts per month, the present one first."""
    body = Row(value)
    instrument = whose(reading, body)
    trends = body.row("trends")
    for period in trends:
        reading.one(
            f"trend {period[:30]!r}", _recommendation, reading, instrument, period, trends.raw(period)
        )


def _recommendation(reading: Reading, instrument: InstrumentId, period: str, value: object) -> None:
    row = Row(value)
    counts = [row.whole(name) for name in ("strong_buy", "buy", "hold", "sell", "strong_sell")]
    reading.add(Recommendation(PROVIDER, instrument, reading.recv, reading.recv, period, *counts))


def ratings(reading: Reading, value: object) -> None:
    body = Row(value)
    reading.each(body.items("ratings"), _rating, reading, whose(reading, body))


def _rating(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """One analyst's opinion on a day."""
    day = row.must_day("date")
    names = ("analyst_name", "rating_change", "rating_current", "rating_prior", "action_price_target",
             "price_target_current", "price_target_prior")  # fmt: skip
    told = {name: text for name in names if (text := row.text(name)) is not None}
    at = day_ns(day, NEW_YORK)
    firm = row.text("firm")
    reading.add(CalendarEvent(PROVIDER, instrument, at, reading.recv, "rating", day, firm, details=told))


def logo(reading: Reading, value: object) -> None:
    body = Row(value)
    url = body.text("url", "logo_base")
    told = {"logo": url} if url else {}
    about = whose(reading, body)
    reading.add(Profile(PROVIDER, about, reading.recv, reading.recv, None, identifiers=told))


def insiders(reading: Reading, value: object) -> None:
    body = Row(value)
    reading.each(body.items("insider_transactions"), _insider, reading, whose(reading, body))


def _insider(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """Words alone say whether it was a sale."""
    day = row.must_day("date_reported")
    said = row.text("description") or ""
    shares = row.must_amount("shares")
    sold = said.lower().startswith(("sale", "disposition"))
    code = "S" if sold else said.split(" ")[0] or "?"
    change = OwnershipChange(day, code, -shares if sold else shares)
    owner, relation = row.must_letters("full_name"), row.text("position")
    at = day_ns(day, NEW_YORK)
    reading.add(Ownership(PROVIDER, instrument, at, reading.recv, owner, relation, (change,)))


def filings(reading: Reading, value: object) -> None:
    body = Row(value)
    reading.each(body.items("values"), _filing, reading, whose(reading, body))


def _filing(reading: Reading, instrument: InstrumentId, row: Row) -> None:
    """One document with its annexes; its number stands in its address."""
    url = row.text("filing_url")
    number = _ACCESSION.search(url or "")
    if number is None:
        raise Malformed("filing_url has no accession number in it")
    at = row.must_epoch("s", "filed_at")
    form = row.must_letters("form_type")
    reading.add(Filing(PROVIDER, instrument, at, reading.recv, form, number[0], at, url=url))


def market_caps(reading: Reading, value: object) -> None:
    body = Row(value)
    told = whose(reading, body), body.row("meta").letters("currency")
    reading.each(body.items("market_cap"), _market_cap, reading, *told)


def _market_cap(reading: Reading, instrument: InstrumentId, currency: str | None, row: Row) -> None:
    day = row.must_day("date")
    at, value = day_ns(day, NEW_YORK), row.must_amount("value")
    reading.add(Metric(PROVIDER, instrument, at, reading.recv, "market_cap", value, None, day, currency))


def figures(reading: Reading, value: object) -> None:
    """Estimates, trends, targets and statistics: every number in them is a metric, by its path."""
    body = Row(value)
    name = next(each for each in FIGURES if each in body)
    told = whose(reading, body), body.row("meta").letters("currency")
    section = body.raw(name)
    for each in section if isinstance(section, list) else [section]:
        reading.one(name, _figures, reading, *told, name, each)


def _figures(
    reading: Reading, instrument: InstrumentId, currency: str | None, name: str, value: object
) -> None:
    """`date` and `period` of a row are those of its figures."""
    row = Row(value)
    end, period = maybe_day(row.raw("date", "date_reported")), row.text("period")
    own = row.letters("currency") or currency
    holder = row.text("entity_name")
    name = name if holder is None else f"{name}.{holder[:80]}"
    _metrics(reading, instrument, own, name, {each: row.raw(each) for each in row}, (period, end))


def _metrics(
    reading: Reading,
    instrument: InstrumentId,
    currency: str | None,
    name: str,
    value: object,
    of: tuple[str | None, str | None],
) -> None:
    if isinstance(value, dict) and name.count(".") < MAX_DEPTH:
        for inside, each in value.items():
            if inside not in ("date", "date_reported", "period", "currency"):
                _metrics(reading, instrument, currency, f"{name}.{inside}", each, of)
    elif not isinstance(value, dict | list | bool) and not _is_words(value):
        found = numbers.number(value)
        at = day_ns(of[1], NEW_YORK) if of[1] else reading.recv
        reading.add(Metric(PROVIDER, instrument, at, reading.recv, name, found, *of, currency))


def _is_words(value: object) -> bool:
    """A day or a description among figures."""
    if not isinstance(value, str):
        return False
    try:
        numbers.number(value)
    except Malformed:
        return True
    return False


def fund(reading: Reading, value: object) -> None:
    """An ETF or a mutual fund: a profile where there is a summary, and every number as a metric."""
    outer = Row(value)
    body = outer.row("etf", "mutual_fund")
    summary = body.row("summary")
    instrument = whose(reading, summary if summary.letters("symbol") else body)
    currency = summary.letters("currency")
    if list(summary):
        reading.add(
            Profile(
                PROVIDER,
                instrument,
                reading.recv,
                reading.recv,
                summary.text("name"),
                summary.letters("symbol"),
                currency=currency,
                industry=summary.text("fund_type"),
                listed_on=summary.day("share_class_inception_date"),
                description=summary.text("overview"),
            )
        )
    for section in body:
        _fund_section(reading, instrument, currency, section, body.raw(section))


def _fund_section(
    reading: Reading, instrument: InstrumentId, currency: str | None, name: str, value: object
) -> None:
    """Rows inside have a period or a year of their own."""
    if not isinstance(value, dict):
        return
    for inside, each in value.items():
        path = f"{name}.{inside}"
        for row in each if isinstance(each, list) else [each]:
            if isinstance(row, dict):
                period = row.get("period", row.get("year", row.get("sector", row.get("grade"))))
                of = (None if period is None else str(period)[:60], None)
                reading.one(path, _metrics, reading, instrument, currency, path, row, of)
            else:
                reading.one(path, _metrics, reading, instrument, currency, path, row, (None, None))
