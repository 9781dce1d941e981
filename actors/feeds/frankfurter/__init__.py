"""Frankfurter (`https://api.frankfurter.dev`): reference rates of central banks.

v2   [{date, base, quote, rate}] or one of them, with a row of the base in itself
v1   {amount, base, date, rates: {USD: rate}}, and by day of a range
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.frankfurter.parse import PROVIDER, parse_payload
from actors.feeds.rest.adapter import RestParser
from actors.feeds.rest.pairs import VENUE


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
