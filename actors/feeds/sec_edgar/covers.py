"""Documents by themselves: the cover of a form 13F, forms 144 and D, the XBRL instance of a report.

They say their form and whose they are. Their accession number and the time they were filed stand in their
address and in the lists.
"""

from __future__ import annotations

import datetime as dt
import re

from actors.feeds.rest.days import day_ns, iso_day
from actors.feeds.rest.listings import share
from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading
from actors.feeds.sec_edgar.names import PROVIDER, Place, cik, document_url, filer_id
from actors.feeds.sec_edgar.xml_tree import Element, read_rows, value_at
from domain.errors import Malformed
from domain.market.reference import Filing, Ownership, OwnershipChange

_US_DAY = re.compile(r"(\d\d)[-/](\d\d)[-/](\d{4})")
_CIKS = (
    "formData/issuerInfo/issuerCik",
    "primaryIssuer/cik",
    "headerData/filerInfo/filer/credentials/cik",
    "headerData/filerInfo/filer/filerCredentials/cik",
    "headerData/filerInfo/filer/issuerCredentials/cik",
)
_NAMES = (
    "formData/issuerInfo/issuerName",
    "primaryIssuer/entityName",
    "formData/coverPage/filingManager/name",
)
_SIGNED = (
    "formData/noticeSignature/noticeDate",
    "formData/signatureBlock/signatureDate",
    "offeringData/signatureBlock/signature/signatureDate",
)


def read_cover(reading: Reading, root: Element) -> None:
    """Of an `edgarSubmission`."""
    form = value_at(root, "headerData/submissionType", "submissionType")
    if form is None:
        raise Malformed("a form that does not say which")
    number_of_filer, signed = cik(value_at(root, *_CIKS)), us_day(value_at(root, *_SIGNED))
    filing = _filing(
        reading,
        filer_id(number_of_filer),
        form,
        number_of_filer,
        value_at(root, *_NAMES),
        us_day(
            value_at(
                root, "headerData/filerInfo/periodOfReport", "formData/coverPage/reportCalendarOrQuarter"
            )
        ),
        signed,
    )
    reading.add(filing)
    if form.startswith("144"):
        reading.one("form 144", _add_intention, reading, root, filing)


def read_instance(reading: Reading, root: Element) -> None:
    """Of an XBRL instance, by its facts about the document (`dei`)."""
    form = value_at(root, "DocumentType")
    if form is None:
        raise Malformed("an XBRL instance that does not say which form it is")
    number_of_filer = cik(value_at(root, "EntityCentralIndexKey", "context/entity/identifier"))
    ticker = value_at(root, "TradingSymbol")
    reading.add(
        _filing(
            reading,
            _listed(ticker) or filer_id(number_of_filer),
            form,
            number_of_filer,
            value_at(root, "EntityRegistrantName"),
            us_day(value_at(root, "DocumentPeriodEndDate")),
            None,
        )
    )


def _listed(ticker: str | None) -> str | None:
    try:
        return share(ticker) if ticker and ticker.upper() not in ("NONE", "N/A") else None
    except Malformed:
        return None


def _filing(
    reading: Reading,
    instrument: str,
    form: str,
    number_of_filer: str,
    name: str | None,
    period: str | None,
    signed: str | None,
) -> Filing:
    place = Place(reading.origin.endpoint)
    return Filing(
        PROVIDER,
        instrument,
        reading.recv if signed is None else max(day_ns(signed), 0),
        reading.recv,
        form=form,
        accession=place.accession,
        filed_at=None,
        period=period,
        title=form if name is None else f"{form} - {name}",
        url=document_url(place.cik or number_of_filer, place.accession, None),
        filer=name,
        cik=number_of_filer,
    )


def us_day(text: str | None) -> str | None:
    """`12-31-2021`, `04/13/2023`, `2024-01-08` -> ISO. Raises Malformed."""
    if text is None:
        return None
    match = _US_DAY.fullmatch(text)
    if match is None:
        return iso_day(text)
    try:
        return dt.date(int(match[3]), int(match[1]), int(match[2])).isoformat()
    except ValueError as error:
        raise Malformed(f"day {text!r}: {error}") from None


def _add_intention(reading: Reading, root: Element, filing: Filing) -> None:
    """Form 144: who will sell how much, and has sold in the three months before."""
    info = "formData/issuerInfo"
    relations = [each.text.strip() for each in root.findall(f"{info}/relationshipsToIssuer/*") if each.text]
    reading.add(
        Ownership(
            PROVIDER,
            filing.instrument,
            filing.ts_event,
            reading.recv,
            owner=value_at(root, f"{info}/nameOfPersonForWhoseAccountTheSecuritiesAreToBeSold"),
            relation=", ".join(relations).lower() or None,
            transactions=read_rows(reading, root, "formData/securitiesSoldInPast3Months", _sale),
            accession=filing.accession,
            form=filing.form,
            planned=read_rows(reading, root, "formData/securitiesInformation", _plan),
        )
    )


def _sale(row: Element) -> OwnershipChange:
    shares, proceeds = number(value_at(row, "amountOfSecuritiesSold")), number(value_at(row, "grossProceeds"))
    day = us_day(value_at(row, "saleDate"))
    if shares is None or day is None:
        raise Malformed("a sale without its day or its amount")
    price = proceeds / shares if proceeds is not None and shares > 0.0 else None
    return OwnershipChange(day, "S", -shares, price, value_at(row, "securitiesClassTitle"))


def _plan(row: Element) -> OwnershipChange:
    """Its price is not known yet: the value stated is an estimate."""
    shares, day = number(value_at(row, "noOfUnitsSold")), us_day(value_at(row, "approxSaleDate"))
    if shares is None or day is None:
        raise Malformed("a plan without its day or its amount")
    return OwnershipChange(day, "S", -shares, None, value_at(row, "securitiesClassTitle"))
