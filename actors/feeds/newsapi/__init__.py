"""NewsAPI (newsapi.org/v2): articles of `everything` and `top-headlines`, and the list of sources.

parse.py   one body -> news items, sources, or the class of its error
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.newsapi.parse import PROVIDER, read
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, ("NEWS",), read)
