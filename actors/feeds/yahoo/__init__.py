"""Yahoo Finance (`https://query2.finance.yahoo.com`), which is nobody's official interface: payloads alone.

    symbols.py   its symbols (`OCDO.L`, `^GSPC`, `EURUSD=X`, `BTC-USD`) to our ids; currencies as quoted
    chart.py     bars, and the dividends and splits beside them
    quotes.py    quotes, screeners, lists of what is looked at, option chains, searches
    summary.py   the modules of a company's summary
    reports.py   statements as time series, insights
    parse.py     which of them a payload is: by its outermost field

London is quoted in pence: `GBp` stays `GBp`, and an `instrument` says so.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.yahoo.parse import read
from actors.feeds.yahoo.symbols import PROVIDER, VENUES


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
