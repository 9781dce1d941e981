"""A submission's full text (`0001193125-19-292676.txt`), by its header; the index of its files."""

from __future__ import annotations

import re

from actors.feeds.rest.days import NEW_YORK, iso_day, local_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from actors.feeds.sec_edgar.clock import header_ns
from actors.feeds.sec_edgar.names import PROVIDER, Place, accession, cik, document_url, filer_id
from actors.feeds.sec_edgar.ownership import read_ownership
from actors.feeds.sec_edgar.xml_tree import tree
from domain.errors import Malformed
from domain.market.reference import Filing

MAX_HEADER_CHARS = 64 * 1024
_MARKS = ("<SEC-DOCUMENT>", "<SEC-HEADER>", "<IMS-HEADER>", "-----BEGIN PRIVACY-ENHANCED MESSAGE-----")
_END = re.compile(r"</(?:SEC|IMS)-HEADER>|<DOCUMENT>")
_FIELD = re.compile(r"^\s*([A-Z][A-Z0-9 /#()-]*?):\s+(\S.*?)\s*$")
_PARTY = re.compile(r"^(ISSUER|SUBJECT COMPANY|FILER|FILED BY|FILED FOR|REPORTING-OWNER|SERIAL COMPANY):\s*$")
_ACCEPTED = re.compile(r"<ACCEPTANCE-DATETIME>\s*(\d{14})")
_ABOUT = ("ISSUER", "SUBJECT COMPANY", "FILER", "FILED BY", "REPORTING-OWNER")
_OWNERSHIP, _OWNERSHIP_END = "<ownershipDocument>", "</ownershipDocument>"
_FILES = re.compile(r"/edgar/data/(\d{1,10})/(\d{18})$")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def is_submission(text: str) -> bool:
    return text.lstrip()[:64].startswith(_MARKS)


def read_submission(reading: Reading, text: str) -> None:
    """The filing, and the form 3, 4 or 5 that is its document."""
    head = _END.split(text[:MAX_HEADER_CHARS], maxsplit=1)[0]
    fields, parties = _fields(head)
    party = next((parties[role] for role in _ABOUT if role in parties), None)
    if party is None:
        raise Malformed("a submission whose header names no party")
    number, filer = accession(_first(fields, "ACCESSION NUMBER")), cik(_first(party, "CENTRAL INDEX KEY"))
    filed_on, stamp = _first(fields, "FILED AS OF DATE"), _ACCEPTED.search(head)
    form = _first(fields, "CONFORMED SUBMISSION TYPE")
    if form is None or (filed_on is None and stamp is None):
        raise Malformed("a submission whose header says neither its form nor its day")
    day = None if filed_on is None else iso_day(filed_on)
    filed_at = header_ns(stamp[1]) if stamp else local_ns(day, NEW_YORK)
    period = _first(fields, "CONFORMED PERIOD OF REPORT")
    name = _first(party, "COMPANY CONFORMED NAME")
    reading.add(
        Filing(
            PROVIDER,
            filer_id(filer),
            filed_at,
            reading.recv,
            form=form,
            accession=number,
            filed_at=filed_at,
            period=None if period is None else iso_day(period),
            title=form if name is None else f"{form} - {name}",
            url=document_url(filer, number, None),
            filer=name,
            items=tuple(fields.get("ITEM INFORMATION", ())),
            filed_on=day,
            cik=filer,
        )
    )
    start, end = text.find(_OWNERSHIP), text.find(_OWNERSHIP_END)
    if 0 <= start < end:
        reading.one("form", _read_document, reading, text[start : end + len(_OWNERSHIP_END)], number)


def _read_document(reading: Reading, document: str, number: str) -> None:
    read_ownership(reading, tree(document), number)


def _fields(head: str) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    """What is said of the submission, and of each party to it. Of several with one role the first counts."""
    fields: dict[str, list[str]] = {}
    parties: dict[str, dict[str, list[str]]] = {}
    here = fields
    for line in head.splitlines():
        party = _PARTY.match(line)
        if party is not None:
            here = {}
            parties.setdefault(party[1], here)
            continue
        field = _FIELD.match(line[:1000])
        if field is not None:
            here.setdefault(field[1], []).append(field[2])
    return fields, parties


def _first(fields: dict[str, list[str]], name: str) -> str | None:
    return next(iter(fields.get(name, ())), None)


def is_index(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("directory"), dict)


def read_index(reading: Reading, value: object) -> None:
    """`index.json` of one filing: whose it is, its number, and when its files were written."""
    directory = Row(value).row("directory")
    name = directory.letters("name") or ""
    match = _FILES.search(name)
    if match is None:
        raise Malformed(f"directory {name[:60]!r} is not that of one filing")
    filer, number = cik(match[1]), accession(match[2])
    written = [stamp for item in directory.items("item") if (stamp := _written(item)) is not None]
    filed_at = local_ns(min(written), NEW_YORK) if written else None
    reading.add(
        Filing(
            PROVIDER,
            Place(reading.origin.endpoint).subject(reading.origin)
            if reading.origin.symbol
            else filer_id(filer),
            reading.recv if filed_at is None else filed_at,
            reading.recv,
            form=None,
            accession=number,
            filed_at=filed_at,
            url=document_url(filer, number, None),
            cik=filer,
        )
    )


def _written(item: object) -> str | None:
    found = item.get("last-modified") if isinstance(item, dict) else None
    return found if isinstance(found, str) and _STAMP.fullmatch(found) else None
