"""exchangerate.host (`https://api.exchangerate.host`): rates of currencies, and of those before 2023-09.

live, historical, timeframe   {success, timestamp, source, quotes: {USDEUR: rate}}
convert                       {success, query: {from, to}, info: {rate or quote}}
latest and so on, until 2023  {base, date, rates: {EUR: rate}}
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.exchangerate_host.parse import PROVIDER, parse_payload
from actors.feeds.rest.adapter import RestParser
from actors.feeds.rest.pairs import VENUE


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
