"""Financial statements: `/stocks/financials/v1/...`, and `/vX/reference/financials`, gone since June 2026."""

from __future__ import annotations

from typing import Literal

from actors.feeds.massive.symbols import PROVIDER, instrument_of
from actors.feeds.rest import numbers
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.reference import Statement

Kind = Literal["income", "balance", "cash_flow", "facts"]
KINDS: dict[str, Kind] = {
    "income-statements": "income", "balance-sheets": "balance", "cash-flow-statements": "cash_flow",
}  # fmt: skip
_OLD_KINDS: dict[str, Kind] = {
    "income_statement": "income", "balance_sheet": "balance", "cash_flow_statement": "cash_flow",
    "comprehensive_income": "facts",
}  # fmt: skip
_PERIODS = {"quarterly": "quarterly", "annual": "annual", "ttm": "ttm", "trailing_twelve_months": "ttm"}
_NO_LINES = frozenset({
    "cik", "tickers", "ticker", "period_end", "filing_date", "fiscal_year", "fiscal_quarter", "timeframe",
    "start_date", "end_date", "currency", "accession_number",
})  # fmt: skip


def statement(reading: Reading, kind: Kind, row: Row) -> None:
    """One row is one statement: whatever is a number in it, is a line of it."""
    quarter = row.whole("fiscal_quarter")
    end = row.must_day("period_end")
    values: dict[str, float | None] = {
        name: numbers.number(row.raw(name)) for name in row if name not in _NO_LINES
    }
    timeframe = row.letters("timeframe") or ""
    if timeframe not in _PERIODS:
        raise Malformed(f"timeframe {timeframe[:30]!r} is not known")
    reading.add(
        Statement(
            PROVIDER,
            _whose(reading, row),
            day_ns(end),
            reading.recv,
            kind,
            _PERIODS[timeframe],
            end,
            row.letters("currency"),
            values,
            row.whole("fiscal_year"),
            None if quarter is None else f"Q{quarter}" if timeframe == "quarterly" else "FY",
            row.day("filing_date"),
            row.letters("accession_number"),
        )
    )


def report(reading: Reading, row: Row) -> None:
    """One report has several statements; their amounts have a unit each, which is the currency."""
    end, fiscal = row.must_day("end_date"), row.letters("fiscal_period")
    timeframe = row.letters("timeframe")
    period = _PERIODS.get(timeframe) if timeframe else _period_of(fiscal)
    if period is None:
        raise Malformed("it does not say whether it is of a quarter or of a year")
    whose = _whose(reading, row)
    inside = row.row("financials")
    for name in inside:
        kind = _OLD_KINDS.get(name)
        lines = inside.row(name)
        if kind is None or not list(lines):
            continue
        amounts = {line: Row(lines.raw(line)) for line in lines}
        units = {unit for each in amounts.values() if (unit := each.letters("unit")) and "/" not in unit}
        currency = next((unit for unit in sorted(units) if len(unit) == 3), None)
        reading.add(
            Statement(
                PROVIDER,
                whose,
                day_ns(end),
                reading.recv,
                kind,
                period,
                end,
                currency,
                {line: each.number("value") for line, each in amounts.items()},
                row.whole("fiscal_year"),
                fiscal,
                row.day("filing_date"),
            )
        )


def _period_of(fiscal: str | None) -> str | None:
    if fiscal is None:
        return None
    return {"FY": "annual", "TTM": "ttm"}.get(fiscal, "quarterly" if fiscal.startswith("Q") else None)


def _whose(reading: Reading, row: Row) -> InstrumentId:
    """By its first ticker, else by the number that the SEC gave the company."""
    tickers = row.items("tickers")
    if tickers:
        return instrument_of(str(tickers[0]))
    asked = reading.where.get("ticker", "tickers")
    if asked and "," not in asked:
        return instrument_of(asked)
    cik = row.text("cik")
    if cik is None:
        raise Malformed("it names no company")
    return make_instrument_id(f"CIK{cik}", "US")
