"""RSS and Atom of any publisher, read by feedparser from bytes that are already here; it fetches nothing.

parse.py      one feed -> news items
encodings.py  which encoding a feed is in
dates.py      its dates, in several languages and zones
sources.py    whose feed it is: `RSS_CNBC.NEWS`
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.rss.parse import read
from actors.feeds.rss.sources import PROVIDER


def adapter() -> Parser:
    """A new parser; it holds no state."""
    return RestParser(PROVIDER, ("NEWS",), read)
