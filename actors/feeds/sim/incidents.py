"""Labelled incidents on demand: `KIND:INSTRUMENT@SECONDS[+DURATION]`, seconds from the start.

| kind | what happens | truth |
|---|---|---|
| `gap` | one book delta is lost | data error |
| `duplicate` | every trade is sent twice | data error |
| `halt` | no trade, no quote, the book is withdrawn | market event |
| `flash_crash` | price falls 8 %, trades burst, then most of it comes back | market event |
| `fat_finger` | one print far from the book, with real size | market event |
| `decimal_slip` | prints a factor 10 off | data error |
| `frozen_feed` | everything repeats the same price, book stands still | data error |
| `split` | prices fall to a quarter without notice | data error |
| `announced_split` | the same after a 4:1 split was announced; from the next whole minute | market event |
"""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

from msgspec import Struct

from domain.clock import NS_PER_MIN, NS_PER_MS, NS_PER_S
from domain.errors import Malformed

IncidentKind = Literal[
    "gap",
    "duplicate",
    "halt",
    "flash_crash",
    "fat_finger",
    "decimal_slip",
    "frozen_feed",
    "split",
    "announced_split",
]
DEFAULT_DURATION_S: dict[str, float] = {
    "gap": 0.0, "duplicate": 5.0, "halt": 30.0, "flash_crash": 20.0, "fat_finger": 0.0,
    "decimal_slip": 2.0, "frozen_feed": 30.0, "split": 86_400.0,
    "announced_split": 1e8,
}  # fmt: skip
DATA_ERRORS = frozenset({"gap", "duplicate", "decimal_slip", "frozen_feed", "split"})
MIN_DURATION_NS = 50 * NS_PER_MS
"""One step of the market: shorter would fall between two."""
_SPEC = re.compile(r"([a-z_]+):([^@]+)@(\d+(?:\.\d+)?)(?:\+(\d+(?:\.\d+)?))?")


class Incident(Struct, frozen=True):
    """An incident in event time: [start, end) ns UTC."""

    kind: IncidentKind
    instrument: str
    start: int
    end: int

    def covers(self, now: int) -> bool:
        return self.start <= now < self.end

    @property
    def truth(self) -> Literal["data_error", "market_event"]:
        return "data_error" if self.kind in DATA_ERRORS else "market_event"


def parse_incident(spec: str, start_ns: int) -> Incident:
    """Raises Malformed with the grammar."""
    match = _SPEC.fullmatch(spec.strip())
    if match is None or match[1] not in get_args(IncidentKind):
        known = " ".join(get_args(IncidentKind))
        raise Malformed(f"incident {spec!r} is not KIND:INSTRUMENT@SECONDS[+DURATION] with a kind of {known}")
    kind, instrument, at, duration = match.groups()
    begin = start_ns + int(float(at) * NS_PER_S)
    if kind == "announced_split":
        begin = -(-begin // NS_PER_MIN) * NS_PER_MIN
    length_s = float(duration) if duration is not None else DEFAULT_DURATION_S[kind]
    end = begin + max(MIN_DURATION_NS, int(length_s * NS_PER_S))
    return Incident(cast("IncidentKind", kind), instrument, begin, end)
