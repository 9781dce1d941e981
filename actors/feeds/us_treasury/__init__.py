"""The US Treasury's daily par yield curve (`https://home.treasury.gov`), as an Atom feed in XML.

An entry is a day; its properties are yields in percent: `BC_10YEAR` -> `10Y.UST`.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.rest.adapter import RestParser
from actors.feeds.us_treasury.parse import PROVIDER, VENUE, parse_payload


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
