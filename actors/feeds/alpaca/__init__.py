"""Alpaca (`wss://stream.data.alpaca.markets/v2/iex`, `https://data.alpaca.markets`): payloads alone.

    rows.py    trades, quotes, bars, books: the same letters over the socket and over REST
    parse.py   messages of the socket, bodies of REST, errors by their codes

The free feed has what is traded at IEX alone: it is of `IEXG`, never of `US`. The paid feed `sip` is `US`.
"""

from __future__ import annotations

from actors.feeds.alpaca.parse import read
from actors.feeds.alpaca.rows import PROVIDER, VENUES
from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, VENUES, read)
