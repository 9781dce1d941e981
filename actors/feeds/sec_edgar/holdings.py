"""The table of a form 13F: what a manager holds, a row per security, known by its CUSIP.

The table does not say whose it is: its address does. Values are left out: until 2022 they are in thousands of
dollars, since then in dollars, and the table does not say of when it is.
"""

from __future__ import annotations

import re

from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading
from actors.feeds.sec_edgar.names import PROVIDER, VENUE, Place
from actors.feeds.sec_edgar.xml_tree import Element, value_at
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Ownership, OwnershipHolding

_CUSIP = re.compile(r"[0-9A-Z*@#]{9}")


def read_holdings(reading: Reading, root: Element) -> None:
    place = Place(reading.origin.endpoint)
    for index, row in enumerate(root.findall("infoTable")):
        reading.one(f"infoTable {index}", _row, reading, row, place)


def _row(reading: Reading, row: Element, place: Place) -> None:
    cusip = (value_at(row, "cusip") or "").upper()
    shares = number(value_at(row, "shrsOrPrnAmt/sshPrnamt"))
    if not _CUSIP.fullmatch(cusip) or shares is None:
        raise Malformed("a holding without its CUSIP or its amount")
    issuer, title = value_at(row, "nameOfIssuer"), value_at(row, "titleOfClass")
    right = value_at(row, "putCall")
    security = " ".join(part for part in (issuer, title, right) if part) or None
    nature = value_at(row, "shrsOrPrnAmt/sshPrnamtType")
    reading.add(
        Ownership(
            PROVIDER,
            make_instrument_id(f"CUSIP{cusip.translate(_SIGNS)}", VENUE),
            reading.recv,
            reading.recv,
            owner=None if place.cik is None else f"CIK{place.cik}",
            relation="institutional manager",
            transactions=(),
            accession=place.accession,
            form="13F-HR",
            holdings=(OwnershipHolding(security, shares, right is not None, nature),),
        )
    )


_SIGNS = str.maketrans({"*": "-", "@": "=", "#": "^"})
"""A CUSIP's rarer signs to those that an id may have."""
