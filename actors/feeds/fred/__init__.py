"""FRED (`https://api.stlouisfed.org/fred`): series of the economy with their vintages, in JSON and XML.

parse.py         one payload -> facts and rejects; XML brought into the shape of JSON
observations.py  values of series: of one series, by vintage, of a release (v2)
series.py        what series there are
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.fred.observations import VENUE
from actors.feeds.fred.parse import PROVIDER, parse_payload
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
