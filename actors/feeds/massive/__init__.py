"""Massive, which was Polygon.io (`https://api.massive.com`, `wss://socket.massive.com`): payloads alone.

    symbols.py     tickers with their prefixes (`O:`, `X:`, `C:`, `I:`) to our ids
    aggregates.py  bars of REST and of the socket
    ticks.py       trades, quotes, rates, the socket's other events
    snapshots.py   snapshots of tickers, options and books
    reference.py   tickers, profiles, dividends, splits, exchanges, news, the calendar
    figures.py     rows of figures: of the economy, of companies
    statements.py  financial statements, old and new
    parse.py       which of them a payload is: by its address, else by its shape

Bodies of aggregates name no interval, those of trades and quotes no ticker; both stand in their address.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.massive.parse import read
from actors.feeds.massive.symbols import PROVIDER, VENUES
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
