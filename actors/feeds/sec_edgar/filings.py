"""`submissions/CIK##########.json`: `filings.recent` is an array per field; an older page is these alone."""

from __future__ import annotations

from collections.abc import Mapping

from actors.feeds.rest.days import day_ns, iso_day, maybe_day
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.sec_edgar.clock import accepted_ns, clock_of
from actors.feeds.sec_edgar.names import PROVIDER, Place, accession, cik, company_id, document_url
from domain.errors import Malformed
from domain.market.reference import Filing, Profile

Columns = Mapping[str, list[object]]


class Filer:
    """Whose filings these are."""

    def __init__(self, instrument: str, number: str | None, name: str | None) -> None:
        self.instrument = instrument
        self.cik = number
        self.name = name


def is_columns(value: object) -> bool:
    """Whether a body is an older page."""
    return isinstance(value, dict) and isinstance(value.get("accessionNumber"), list)


def read_company(reading: Reading, body: Row) -> None:
    """Its profile, then its newest filings."""
    number = cik(body.raw("cik"))
    filer = Filer(company_id(body.raw("tickers"), number), number, body.text("name"))
    reading.one("profile", _add_profile, reading, body, filer)
    recent = body.row("filings").raw("recent")
    if recent is None:
        raise Malformed("filings.recent is missing")
    read_columns(reading, recent, filer)


def read_older_page(reading: Reading, value: object) -> None:
    place = Place(reading.origin.endpoint)
    read_columns(reading, value, Filer(place.subject(reading.origin), place.cik, None))


def read_columns(reading: Reading, value: object, filer: Filer) -> None:
    """One filing per accession number. Rows are as many as accession numbers."""
    columns = _columns(value)
    clock = clock_of(columns.get("acceptanceDateTime", ()))
    seen: set[str] = set()
    for index in range(len(columns["accessionNumber"])):
        row = Row({name: column[index] for name, column in columns.items() if index < len(column)})
        reading.one(f"filing {index}", _row, reading, row, filer, clock, seen)


def _columns(value: object) -> Columns:
    if not is_columns(value) or not isinstance(value, dict):
        raise Malformed("no array of accession numbers")
    return {name: column for name, column in value.items() if isinstance(column, list)}


def _row(reading: Reading, row: Row, filer: Filer, clock: str, seen: set[str]) -> None:
    number = accession(row.raw("accessionNumber"))
    if number in seen:
        return
    filed_on = iso_day(row.raw("filingDate")) if row.raw("filingDate") else None
    accepted = accepted_ns(row.raw("acceptanceDateTime"), clock)
    filed_at = accepted if accepted is not None or filed_on is None else day_ns(filed_on)
    if filed_at is None:
        raise Malformed("neither acceptanceDateTime nor filingDate")
    form = row.must_letters("form")
    document = row.letters("primaryDocument")
    reading.add(
        Filing(
            PROVIDER,
            filer.instrument,
            filed_at,
            reading.recv,
            form=form,
            accession=number,
            filed_at=filed_at,
            period=maybe_day(row.raw("reportDate")),
            title=row.letters("primaryDocDescription") or form,
            url=document_url(filer.cik, number, document),
            filer=filer.name,
            items=_items(row.raw("items")),
            filed_on=filed_on,
            cik=filer.cik,
        )
    )
    seen.add(number)


def _items(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else ()
    return tuple(part.strip() for part in parts if part.strip())


def _add_profile(reading: Reading, body: Row, filer: Filer) -> None:
    numbers = (("cik", filer.cik), ("ein", body.text("ein")), ("sic", body.text("sic")))
    reading.add(
        Profile(
            PROVIDER,
            filer.instrument,
            reading.recv,
            reading.recv,
            name=filer.name,
            symbol=_first(body.raw("tickers")),
            exchange=_first(body.raw("exchanges")),
            industry=body.text("sicDescription"),
            website=body.text("website"),
            description=body.text("description"),
            identifiers={name: found for name, found in numbers if found},
        )
    )


def _first(value: object) -> str | None:
    return (
        next((each for each in value if isinstance(each, str) and each), None)
        if isinstance(value, list)
        else None
    )
