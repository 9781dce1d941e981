"""`api/xbrl/companyfacts/CIK##########.json`: every number that a company's reports have stated.

A statement is what one report (accession number) states of one period in one currency. A report repeats older
periods for comparison; these are statements of that report, with their own period. Amounts per share are in
the currency too; counts (shares, segments) go with the statement in the report's main currency.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from actors.feeds.rest.days import day_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.sec_edgar.names import PROVIDER, accession, assumed_id, cik
from domain.errors import Malformed
from domain.market.reference import Statement

_CURRENCY = re.compile(r"([A-Z]{3})(?:/[A-Za-z]+)?")
_PERIODS = ((80, 100, "quarterly"), (170, 195, "half_year"), (260, 290, "nine_months"), (350, 380, "annual"))
"""Days of a period, from and to: many companies count weeks, 13 or 14 to a quarter."""


class Period(NamedTuple):
    accession: str
    start: str | None
    end: str


class Fact(NamedTuple):
    taxonomy: str
    tag: str
    unit: str
    value: float | None


class _Group:
    """The facts of one report about one period."""

    def __init__(self, row: Row) -> None:
        self.form = row.letters("form")
        self.fiscal_year = row.whole("fy")
        self.fiscal_period = row.letters("fp")
        self.filed_on = row.day("filed")
        self.facts: list[Fact] = []


def is_facts(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("facts"), dict)


def read_facts(reading: Reading, value: object) -> None:
    body = Row(value)
    instrument = assumed_id(reading.origin, cik(body.raw("cik")))
    groups: dict[Period, _Group] = {}
    for taxonomy, tag, unit, values in _series(body.raw("facts")):
        reading.each(values, _fact, groups, taxonomy, tag, unit)
    main = _main_currencies(groups)
    for period, group in groups.items():
        for currency, lines in _by_currency(group.facts, main.get(period.accession)).items():
            reading.add(_statement(reading, instrument, period, group, currency, lines))


def _series(facts: object) -> Iterable[tuple[str, str, str, list[object]]]:
    """(taxonomy, tag, unit, rows). What is none is left out."""
    for taxonomy, tags in _items(facts):
        for tag, concept in _items(tags):
            units = concept.get("units") if isinstance(concept, dict) else None
            for unit, rows in _items(units):
                if isinstance(rows, list):
                    yield taxonomy, tag, unit, rows


def _items(value: object) -> Iterable[tuple[str, object]]:
    return value.items() if isinstance(value, dict) else ()


def _fact(groups: dict[Period, _Group], taxonomy: str, tag: str, unit: str, row: Row) -> None:
    period = Period(accession(row.raw("accn")), row.day("start"), row.must_day("end"))
    length_of(period.start, period.end)
    value = row.number("val")
    group = groups.get(period)
    if group is None:
        group = groups[period] = _Group(row)
    group.facts.append(Fact(taxonomy, tag, unit, value))


def _main_currencies(groups: dict[Period, _Group]) -> dict[str, str]:
    """Accession number -> the currency of most of its facts."""
    counted: dict[str, Counter[str]] = {}
    for period, group in groups.items():
        found = (_currency(fact.unit) for fact in group.facts)
        counted.setdefault(period.accession, Counter()).update(code for code in found if code is not None)
    return {
        report: min(codes, key=lambda code: (-codes[code], code))
        for report, codes in counted.items()
        if codes
    }


def _by_currency(facts: list[Fact], main: str | None) -> dict[str | None, dict[str, float | None]]:
    found: dict[str | None, dict[str, float | None]] = {}
    for fact in facts:
        values = found.setdefault(_currency(fact.unit) or main, {})
        values[_line(values, fact)] = fact.value
    return found


def _currency(unit: str) -> str | None:
    match = _CURRENCY.fullmatch(unit)
    return match[1] if match else None


def _line(values: dict[str, float | None], fact: Fact) -> str:
    """The tag; where it is there already, in another taxonomy or unit, with both."""
    return fact.tag if fact.tag not in values else f"{fact.taxonomy}:{fact.tag} ({fact.unit})"


def _statement(
    reading: Reading,
    instrument: str,
    period: Period,
    group: _Group,
    currency: str | None,
    values: dict[str, float | None],
) -> Statement:
    return Statement(
        PROVIDER,
        instrument,
        max(day_ns(period.end), 0),
        reading.recv,
        statement="facts",
        period=length_of(period.start, period.end),
        period_end=period.end,
        currency=currency,
        values=values,
        fiscal_year=group.fiscal_year,
        fiscal_period=group.fiscal_period,
        filed_on=group.filed_on,
        accession=period.accession,
        period_start=period.start,
    )


def length_of(start: str | None, end: str) -> str:
    """`instant` of a day, else by the days that it covers. Raises Malformed for an end before the start."""
    if start is None:
        return "instant"
    days = (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days + 1
    if days < 1:
        raise Malformed(f"the period from {start} to {end} ends before it starts")
    return next((name for least, most, name in _PERIODS if least <= days <= most), "other")
