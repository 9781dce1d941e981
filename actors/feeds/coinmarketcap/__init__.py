"""CoinMarketCap (`https://pro-api.coinmarketcap.com`, the same under `/public-api` without a key).

parse.py     one payload -> facts and rejects: its status, its part, its coins
coins.py     prices of coins, lists of coins, what a coin is
figures.py   figures of the whole market
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.coinmarketcap.parse import PROVIDER, parse_payload
from actors.feeds.rest.adapter import RestParser
from actors.feeds.rest.coins import VENUE


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
