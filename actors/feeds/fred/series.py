"""What series there are: `fred/series`, `fred/series/search`, those of a release, a category or a tag."""

from __future__ import annotations

from actors.feeds.rest.days import zoned_ns
from actors.feeds.rest.reading import Reading
from actors.feeds.rest.rows import Row
from domain.ids import make_instrument_id
from domain.market.observations import InstrumentInfo

VENUE = "FRED"


def listed(reading: Reading, body: Row) -> None:
    reading.each(body.items("seriess"), _series, reading)


def _series(reading: Reading, row: Row) -> None:
    series, title, updated = row.must_letters("id").upper(), row.text("title"), row.text("last_updated")
    info = InstrumentInfo(
        reading.provider,
        make_instrument_id(series, VENUE),
        reading.recv if updated is None else zoned_ns(_whole_zone(updated)),
        reading.recv,
        series,
        asset_class="macro",
        aliases=(title,) if title else (),
    )
    reading.add(info)


def _whole_zone(text: str) -> str:
    """FRED shortens a zone: `2022-03-18 15:24:43-05`."""
    return f"{text}:00" if len(text) > 3 and text[-3] in "+-" else text
