"""The European Central Bank's data (`https://data-api.ecb.europa.eu`), as CSV.

Daily reference rates (`EXR/D.USD.EUR.SP00.A`) are rates, `EUR-USD.FX`. Averages of months and any other
series are values of the economy under their key, `EXR.M.USD.EUR.SP00.A.ECB`.
"""

from __future__ import annotations

from actors.feeds.base import Origin, Parsed
from actors.feeds.ecb.parse import PROVIDER, VENUE, EcbTable, parse_payload
from actors.feeds.rest.pairs import VENUE as FX


class Ecb:
    """See the package."""

    name = PROVIDER
    venues: tuple[str, ...] = (FX, VENUE)

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return parse_payload(payload, origin)

    def table(self, origin: Origin) -> EcbTable:
        return EcbTable(origin)


def adapter() -> Ecb:
    return Ecb()
