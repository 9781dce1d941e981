"""Reddit (oauth.reddit.com): posts and comments of listings, and lists of communities.

parse.py      one body -> opinions without text and author, communities, or the class of its error
listings.py   the things of a listing, replies included
"""

from __future__ import annotations

from functools import partial

from actors.feeds.base import Parser
from actors.feeds.reddit.parse import PROVIDER, read
from actors.feeds.rest.adapter import RestParser
from actors.feeds.texts.opinions import PROCESS_KEY


def adapter(key: bytes = PROCESS_KEY) -> Parser:
    """A new parser; it holds no state. `key` is that of the hashes of texts."""
    return RestParser(PROVIDER, ("NEWS", "US", "CRYPTO"), partial(read, key=key))
