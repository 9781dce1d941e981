"""CoinGecko (`https://api.coingecko.com/api/v3`): prices and lists of coins over all exchanges.

parse.py     one payload -> facts and rejects: its error, or the part of the API that it is
routes.py    which part an address names, and which one a body without an address looks like
subjects.py  coin and currency of a body that names neither
prices.py    prices of coins, what a coin is
charts.py    points and bars of one coin
lists.py     coins, exchanges, categories and whatever else is only named
markets.py   prices at exchanges, as CoinGecko repeats them
figures.py   figures of the whole market, treasuries, trending coins, announcements
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.coingecko.parse import PROVIDER, parse_payload
from actors.feeds.rest.adapter import RestParser
from actors.feeds.rest.coins import VENUE


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
