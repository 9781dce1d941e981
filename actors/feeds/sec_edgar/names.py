"""How the SEC names things, and whose a payload is.

A company with a ticker is its share in the US (`AAPL.US`). Funds, insiders and companies without one have
only their CIK (`CIK0001067983.SEC`), and so has a company of which a payload says nothing else: the list of
tickers maps one to the other. A security of a manager's list is known by its CUSIP (`CUSIP88579Y101.SEC`).
"""

from __future__ import annotations

import re

from actors.feeds.base import Origin
from actors.feeds.rest.listings import share
from domain.errors import Malformed
from domain.ids import instrument_id, make_instrument_id

PROVIDER = "sec_edgar"
VENUE = "SEC"
ARCHIVES = "https://www.sec.gov/Archives/edgar/data"
CIK_DIGITS = 10
_CIK = re.compile(r"\d{1,10}")
_NAMED_CIK = re.compile(r"CIK(\d{10})(?!\d)", re.IGNORECASE)
_IN_ARCHIVES = re.compile(r"/edgar/data/(\d{1,10})(?:/(\d{18}|\d{10}-\d\d-\d{6})(?:[/.-]|$))?")
_ACCESSION = re.compile(r"(\d{10})-?(\d\d)-?(\d{6})")


def cik(value: object) -> str:
    """320193, `"320193"`, `"0000320193"` -> `0000320193`. Raises Malformed."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _CIK.fullmatch(text) or not text.isascii() or int(text) == 0:
        raise Malformed(f"CIK {str(value)[:20]!r} is no number of up to {CIK_DIGITS} digits")
    return text.zfill(CIK_DIGITS)


def maybe_cik(value: object) -> str | None:
    try:
        return cik(value)
    except Malformed:
        return None


def accession(value: object) -> str:
    """`0000320193-23-000079`, with or without its dashes. Raises Malformed."""
    match = _ACCESSION.fullmatch(value.strip()) if isinstance(value, str) and value.isascii() else None
    if match is None:
        raise Malformed(f"accession number {str(value)[:30]!r} is not like 0000320193-23-000079")
    return "-".join(match.groups())


def filer_id(number: str) -> str:
    return make_instrument_id(f"CIK{number}", VENUE)


def company_id(tickers: object, number: str) -> str:
    """The first of its tickers, which the SEC puts first, else its CIK."""
    for ticker in tickers if isinstance(tickers, list) else ():
        if isinstance(ticker, str) and ticker.strip():
            try:
                return share(ticker)
            except Malformed:
                continue
    return filer_id(number)


def assumed_id(origin: Origin, number: str) -> str:
    """Of a payload that names a CIK alone."""
    return filer_id(number) if origin.symbol is None else named_id(origin.symbol, origin)


def named_id(symbol: str, origin: Origin) -> str:
    """What `--symbol` says: a ticker, or a CIK. Raises Malformed."""
    if _NAMED_CIK.fullmatch(symbol):
        return filer_id(symbol[3:])
    return instrument_id(f"{symbol}.{VENUE}") if origin.venue == VENUE else share(symbol)


class Place:
    """What an address in the archives, or a file's name, says: `cik`, `accession`."""

    def __init__(self, endpoint: str) -> None:
        match = _IN_ARCHIVES.search(endpoint)
        # The SEC puts the CIK into the names of its files; who keeps one keeps the name.
        named = _NAMED_CIK.search(endpoint)
        self.cik = maybe_cik(match[1] if match else named[1] if named else None)
        self.accession = accession(match[2]) if match and match[2] else None

    def subject(self, origin: Origin) -> str:
        """Whose a body is that does not say it. Raises Malformed."""
        if origin.symbol is not None:
            return named_id(origin.symbol, origin)
        if self.cik is None:
            raise Malformed("it names no company: neither the body nor its address says whose it is")
        return filer_id(self.cik)


def document_url(number: str | None, number_of_filing: str | None, document: str | None) -> str | None:
    """The main document, or the index of the filing's documents."""
    if number is None or number_of_filing is None:
        return None
    folder = f"{ARCHIVES}/{int(number)}/{number_of_filing.replace('-', '')}"
    return f"{folder}/{document or f'{number_of_filing}-index.htm'}"
