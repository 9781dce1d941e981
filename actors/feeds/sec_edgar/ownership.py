"""Forms 3, 4 and 5: what an insider owns and has bought or sold. One observation per report.

A form does not say its currency; prices are as reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from actors.feeds.rest.days import day_ns, iso_day
from actors.feeds.rest.listings import share
from actors.feeds.rest.numbers import number
from actors.feeds.rest.reading import Reading
from actors.feeds.sec_edgar.names import PROVIDER, Place, cik, filer_id
from actors.feeds.sec_edgar.xml_tree import Element, is_true, read_rows, value_at
from domain.errors import Malformed
from domain.market.reference import Ownership, OwnershipChange, OwnershipHolding

_NO_TICKER = frozenset({"NONE", "N/A", "NA", "[NONE]", "NONE.", "-", "N.A."})
_NATURES = {"D": "direct", "I": "indirect"}
T = TypeVar("T")
_AFTER = "postTransactionAmounts/sharesOwnedFollowingTransaction"


def read_ownership(reading: Reading, root: Element, number_of_filing: str | None = None) -> None:
    """The accession number is told by who knows it, else by the address."""
    owners = root.findall("reportingOwner")
    names = [name for owner in owners if (name := value_at(owner, "reportingOwnerId/rptOwnerName"))]
    if not names:
        raise Malformed("a report without its owner")
    instrument, period = issuer_id(root), value_at(root, "periodOfReport")
    day = iso_day(period) if period else None
    reading.add(
        Ownership(
            PROVIDER,
            instrument,
            reading.recv if day is None else max(day_ns(day), 0),
            reading.recv,
            owner=names[0],
            relation=relation_of(owners[0]),
            transactions=_rows(reading, root, "Transaction", _change),
            accession=number_of_filing or Place(reading.origin.endpoint).accession,
            form=value_at(root, "documentType"),
            period=day,
            holdings=_rows(reading, root, "Holding", _holding),
            joint_owners=tuple(names[1:]),
        )
    )


def issuer_id(root: Element) -> str:
    """Its ticker where it has one, else its CIK. Raises Malformed."""
    ticker = (value_at(root, "issuer/issuerTradingSymbol") or "").strip().lstrip("$")
    # Some write several, or the exchange before it: `NYSE: BRK.A, BRK.B`.
    first = ticker.rpartition(":")[2].replace(";", ",").split(",")[0].strip().upper()
    if first and first not in _NO_TICKER:
        try:
            return share(first)
        except Malformed:
            pass
    return filer_id(cik(value_at(root, "issuer/issuerCik")))


def relation_of(owner: Element) -> str | None:
    """`director`, `officer: CEO`, `10% owner`, several joined."""
    inside = owner.find("reportingOwnerRelationship")
    if inside is None:
        return None
    title, other = value_at(inside, "officerTitle"), value_at(inside, "otherText")
    parts = [
        ("isDirector", "director"),
        ("isOfficer", f"officer: {title}" if title else "officer"),
        ("isTenPercentOwner", "10% owner"),
        ("isOther", f"other: {other}" if other else "other"),
    ]
    return ", ".join(words for flag, words in parts if is_true(inside, flag)) or None


def _rows(reading: Reading, root: Element, what: str, read: Callable[[bool, Element], T]) -> tuple[T, ...]:
    """Of both tables, those of shares first."""
    shares = read_rows(reading, root, f"nonDerivativeTable/nonDerivative{what}", partial(read, False))
    return shares + read_rows(reading, root, f"derivativeTable/derivative{what}", partial(read, True))


def _change(is_derivative: bool, row: Element) -> OwnershipChange:
    code = value_at(row, "transactionCoding/transactionCode")
    shares = number(value_at(row, "transactionAmounts/transactionShares"))
    direction = value_at(row, "transactionAmounts/transactionAcquiredDisposedCode")
    if code is None or shares is None or direction not in ("A", "D"):
        raise Malformed(
            "a transaction without its code, its shares, or whether they were acquired or disposed of"
        )
    return OwnershipChange(
        date=iso_day(value_at(row, "transactionDate")),
        code=code,
        shares=-shares if direction == "D" else shares,
        price=number(value_at(row, "transactionAmounts/transactionPricePerShare")),
        security=value_at(row, "securityTitle"),
        owned_after=number(value_at(row, _AFTER)),
        derivative=is_derivative,
    )


def _holding(is_derivative: bool, row: Element) -> OwnershipHolding:
    shares = number(value_at(row, _AFTER, "underlyingSecurity/underlyingSecurityShares"))
    if shares is None:
        raise Malformed("a holding without its shares")
    nature = value_at(row, "ownershipNature/directOrIndirectOwnership")
    return OwnershipHolding(
        security=value_at(row, "securityTitle"),
        shares=shares,
        derivative=is_derivative,
        nature=_NATURES.get(nature or ""),
    )
