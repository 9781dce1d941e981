"""Twelve Data (`https://api.twelvedata.com`, `wss://ws.twelvedata.com`): payloads alone.

    symbols.py     its symbols, by exchange and kind, to our ids
    market.py      time series, quotes, prices, rates, movers and the frames of the socket
    company.py     profile, statements, recommendations, ratings, filings, figures of every sort
    lists.py       calendars of dividends, splits, listings and earnings; lists of instruments
    parse.py       which of them a payload is: by its shape, and by its address where that is not enough

Values are strings. A batch is an object per symbol, errors among them.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.twelve_data.parse import read
from actors.feeds.twelve_data.symbols import PROVIDER, VENUES


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
