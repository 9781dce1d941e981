"""IEX Cloud (`https://cloud.iexapis.com/v1`), whose service ended in August 2024: payloads alone.

    symbols.py    its symbols to our ids
    market.py     quotes, prices, charts, trades, rates, sectors
    company.py    companies, statements, earnings, dividends, splits, figures, news, lists
    parse.py      which of them a payload is: by its address, else by its shape

Whoever speaks its shape still can be read: the host is not looked at.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.iex.parse import read
from actors.feeds.iex.symbols import PROVIDER, VENUES
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
