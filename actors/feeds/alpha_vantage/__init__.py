"""Alpha Vantage (`https://www.alphavantage.co/query?function=...`): payloads alone, nothing connects yet.

    names.py      its numbered field names, symbols, intervals and series to ours
    series.py     bars of every length, and whether they are stamped with their start or their end
    market.py     quotes, rates, points of coins, movers, sectors, market hours
    company.py    overview, statements, earnings, dividends, splits, news, lists
    economy.py    series of an economy
    parse.py      which of them a payload is; what is an error, though HTTP says 200

Field names are numbered (`05. price`), values are strings, "None" is nothing.
"""

from __future__ import annotations

from actors.feeds.alpha_vantage.names import PROVIDER, VENUES
from actors.feeds.alpha_vantage.parse import read
from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
