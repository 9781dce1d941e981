"""SEC EDGAR: filings, company facts, the list of tickers, and single documents.

parse.py        what a payload is, by its shape
names.py        CIKs, accession numbers, addresses; whose a payload is
clock.py        times of acceptance: in UTC or on New York's clocks, though all say Z
filings.py      submissions: parallel arrays, and their older pages
facts.py        companyfacts: one statement per report and period
tickers.py      company_tickers*.json
current.py      the Atom list of the newest filings
xml_tree.py     XML without document types, without namespaces
ownership.py    forms 3, 4 and 5
holdings.py     form 13F: tables of holdings
covers.py       forms by themselves: 13F, 144, D, XBRL instances
submission.py   a submission's full text, and the index of its files
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.sec_edgar.names import PROVIDER, VENUE
from actors.feeds.sec_edgar.parse import read


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, ("US", VENUE), read)
