"""Stocktwits (api.stocktwits.com/api/2): messages about a symbol, and the symbols that trend.

parse.py   one body -> opinions without text and author, places of the trending list
"""

from __future__ import annotations

from functools import partial

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.stocktwits.parse import OWN_VENUE, PROVIDER, read
from actors.feeds.texts.opinions import PROCESS_KEY


def adapter(key: bytes = PROCESS_KEY) -> Parser:
    """A new parser; it holds no state. `key` is that of the hashes of texts."""
    return RestParser(PROVIDER, ("NEWS", "US", "CRYPTO", OWN_VENUE), partial(read, key=key))
