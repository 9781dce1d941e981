"""The Atom list of the newest filings (`browse-edgar?action=getcurrent&output=atom`).

A filing has an entry for each party to it: of a form 4 the insider (Reporting) and the company (Issuer). They
are one filing, of the party it is about.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from actors.feeds.rest.days import day_ns, zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.sec_edgar.names import PROVIDER, accession, cik, filer_id
from actors.feeds.sec_edgar.xml_tree import Element, value_at
from actors.feeds.texts.plain import plain_text
from domain.errors import Malformed
from domain.market.reference import Filing

_TITLE = re.compile(r"(?P<form>.+?) - (?P<name>.*) \((?P<cik>\d{1,10})\)(?: \((?P<role>[A-Za-z ]+)\))?")
_ACCESSION = re.compile(r"accession-number=([\d-]+)")
_IN_SUMMARY = re.compile(r"AccNo:\s*([\d-]+)")
_FILED = re.compile(r"Filed:\s*(\d{4}-\d\d-\d\d)")
_ITEM = re.compile(r"Item (\d+[A-Z]?(?:\.\w+)*):")
_ROLES = (
    "issuer",
    "subject",
    "subject company",
    "filer",
    "depositor",
    "securitizer",
    "",
    "filed by",
    "reporting",
)
"""The first of them that a filing has is who it is about."""


class _Entry(NamedTuple):
    accession: str
    rank: int
    filing: Filing


def read_current(reading: Reading, root: Element) -> None:
    best: dict[str, _Entry] = {}
    for number, element in enumerate(root.findall("entry")):
        reading.one(f"entry {number}", _keep, best, reading, element)
    reading.add(*(entry.filing for entry in best.values()))


def _keep(best: dict[str, _Entry], reading: Reading, element: Element) -> None:
    entry = _entry(reading, element)
    known = best.get(entry.accession)
    if known is None or entry.rank < known.rank:
        best[entry.accession] = entry


def _entry(reading: Reading, element: Element) -> _Entry:
    title = value_at(element, "title")
    match = _TITLE.fullmatch(title or "")
    if match is None:
        raise Malformed(f"title {str(title)[:60]!r} is not like '8-K - NAME (CIK) (Filer)'")
    summary = plain_text(element.findtext("summary")) or ""
    number, filer = _number(element, summary), cik(match["cik"])
    updated, filed_on = value_at(element, "updated"), _found(_FILED, summary)
    if updated is None and filed_on is None:
        raise Malformed("an entry without its time")
    filed_at = day_ns(filed_on) if updated is None and filed_on is not None else zoned_ns(updated)
    category = element.find("category")
    filing = Filing(
        PROVIDER,
        filer_id(filer),
        filed_at,
        reading.recv,
        form=(None if category is None else category.get("term")) or match["form"].strip(),
        accession=number,
        filed_at=filed_at,
        title=title,
        url=_link(element),
        filer=match["name"].strip(),
        items=tuple(_ITEM.findall(summary)),
        filed_on=filed_on,
        cik=filer,
    )
    return _Entry(number, _rank(match["role"]), filing)


def _number(element: Element, summary: str) -> str:
    found = _found(_ACCESSION, value_at(element, "id") or "") or _found(_IN_SUMMARY, summary)
    return accession(found)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _rank(role: str | None) -> int:
    name = (role or "").strip().lower()
    return _ROLES.index(name) if name in _ROLES else len(_ROLES)


def _link(element: Element) -> str | None:
    link = element.find("link")
    found = None if link is None else link.get("href")
    return found or None
