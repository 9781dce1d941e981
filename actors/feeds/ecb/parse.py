"""Rows of the ECB's CSV -> rates and values. Pure. A row is of the start of its period."""

from __future__ import annotations

import csv
import datetime as dt
import re

from msgspec.structs import replace

from actors.feeds.base import Origin, Parsed
from actors.feeds.rest.days import day_ns
from actors.feeds.rest.failures import refusal
from actors.feeds.rest.markup import looks_like_xml
from actors.feeds.rest.pairs import fx_rate
from actors.feeds.rest.reading import Reading, not_json
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.ids import make_instrument_id
from domain.market.reference import Macro

PROVIDER = "ecb"
VENUE = "ECB"
NEEDED = ("KEY", "TIME_PERIOD", "OBS_VALUE")
_PERIOD = re.compile(
    r"(?P<year>\d{4})(?:-(?P<part>[QSHW]?)(?P<number>\d{1,2})(?:-(?P<day>\d\d))?)?", re.ASCII
)
_MONTHS = {"Q": 3, "S": 6, "H": 6}


class EcbTable:
    """One answer; see `actors.feeds.base.TableReader`."""

    def __init__(self, origin: Origin) -> None:
        self.refused = False
        self._origin = origin
        self._header: list[str] | None = None
        self._number = -1

    def take(self, row: bytes) -> Parsed:
        reading = Reading(PROVIDER, self._origin)
        reading.one(f"row {self._number}" if self._header else "header", self._take, reading, row)
        self._number += 1
        return reading.end()

    def end(self) -> Parsed:
        return Parsed([], [], [])

    def _take(self, reading: Reading, row: bytes) -> None:
        cells = _cells(row)
        if self._header is not None:
            _row(reading, Row(dict(zip(self._header, cells, strict=False))))
            return
        self._header = [cell.strip().lstrip("\ufeff") for cell in cells]
        missing = [name for name in NEEDED if name not in self._header]
        if missing:
            self.refused = True
            raise Malformed(f"a table without {', '.join(missing)} is none of the ECB's")


def parse_payload(payload: str | bytes, origin: Origin) -> Parsed:
    """A complete table, or an error. Never raises."""
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
    lines = [line for line in text.splitlines() if line.strip()]
    reading = Reading(PROVIDER, origin)
    if not lines or looks_like_xml(text) or text.lstrip()[:1] in "{[":
        reading.reject_as(not_json(text, origin, "no table"))
        return reading.end()
    if "," not in lines[0]:
        reading.reject_as(refusal(text[:2_000].strip(), origin, (), "malformed"))
        return reading.end()
    table = EcbTable(origin)
    for line in lines:
        more = table.take(line.encode())
        reading.parsed.observations += more.observations
        reading.parsed.facts += more.facts
        reading.parsed.rejects += more.rejects
        if table.refused:
            break
    return reading.end()


def _cells(row: bytes) -> list[str]:
    try:
        return next(csv.reader([row.decode()]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"no row of a table: {error}") from None


def _row(reading: Reading, row: Row) -> None:
    key = row.must_letters("KEY")
    ts_event = _start_ns(row.must_letters("TIME_PERIOD"))
    if key.startswith("EXR.D.") and row.letters("EXR_TYPE") in ("SP00", None):
        base, quote = _currencies(key, row)
        reading.add(fx_rate(reading, base, quote, ts_event, row.raw("OBS_VALUE")))
        return
    value = row.number("OBS_VALUE")
    found = Macro(reading.provider, make_instrument_id(key, VENUE), ts_event, reading.recv, key, value)
    reading.add(replace(found, unit=row.text("UNIT"), title=row.text("TITLE")))


def _currencies(key: str, row: Row) -> tuple[object, object]:
    """`EXR.D.USD.EUR.SP00.A`: dollars for one euro."""
    parts = key.split(".")
    named = row.letters("CURRENCY_DENOM"), row.letters("CURRENCY")
    if None not in named:
        return named
    if len(parts) < 4:
        raise Malformed(f"key {key[:60]!r} names no currencies")
    return parts[3], parts[2]


def _start_ns(period: str) -> int:
    """`2026-11-27`, `2026-11`, `2026-Q4`, `2026-S2`, `2026-W48`, `2026`. Raises Malformed."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise Malformed(f"period {period[:40]!r} is no day, week, month, quarter or year")
    year, number = int(match["year"]), int(match["number"] or 1)
    if match["part"] == "W":
        return _week_ns(year, number)
    step = _MONTHS.get(match["part"] or "", 1)
    return day_ns(f"{year:04d}-{(number - 1) * step + 1:02d}-{match['day'] or '01'}")


def _week_ns(year: int, week: int) -> int:
    try:
        return day_ns(dt.date.fromisocalendar(year, week, 1).isoformat())
    except ValueError as error:
        raise Malformed(f"week {week} of {year}: {error}") from None
