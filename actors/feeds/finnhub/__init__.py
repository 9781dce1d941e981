"""Finnhub (`https://finnhub.io/api/v1`, `wss://ws.finnhub.io`): payloads alone, nothing connects yet.

    symbols.py    Finnhub's symbols to our ids
    market.py     quote, candles, splits, dividends and the trades of the socket
    company.py    profile, metrics, peers, earnings, recommendations, calendars, lists, news
    parse.py      which of them a payload is: by its address, else by its shape

A quote, candles and peers do not name their symbol; it stands in their address.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.finnhub.parse import read
from actors.feeds.finnhub.symbols import PROVIDER, VENUES
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
