"""A payload read row by row: what cannot be used is rejected by itself, the rest is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, get_args

import msgspec

from actors.feeds.base import Origin, Parsed, Reject, RejectClass
from actors.feeds.rest.endpoints import Address, address_of
from actors.feeds.rest.failures import Words, refusal, refuse
from actors.feeds.rest.rows import Row
from domain.errors import Malformed
from domain.market.observations import Observation
from domain.market.reference import ReferenceFact

MAX_ROW_REJECTS = 1_000
"""So many bad rows of one payload are told one by one, then counted."""
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_decoder = msgspec.json.Decoder()
_FACTS = get_args(ReferenceFact)
T = TypeVar("T")


class Reading:
    """Collects what a payload says; `provider` and `recv` are fields of whatever is added."""

    def __init__(self, provider: str, origin: Origin) -> None:
        self.provider = provider
        self.origin = origin
        self.recv = origin.ts_recv
        self.where: Address = address_of(origin)
        self.parsed = Parsed([], [], [])
        self._bad_rows = 0

    def add(self, *found: Observation | ReferenceFact | None) -> None:
        for each in found:
            if each is None:
                continue
            if isinstance(each, _FACTS):
                self.parsed.facts.append(each)
            else:
                self.parsed.observations.append(each)  # type: ignore[arg-type]

    def reject(self, found: RejectClass, reason: str) -> None:
        self.parsed.rejects.append(refuse(found, reason, self.origin))

    def reject_as(self, reject: Reject) -> None:
        self.parsed.rejects.append(reject)

    def each(self, values: Iterable[object], read: Callable[..., None], *told: object) -> None:
        """`read(*told, row)` of each object of an array; one that cannot be read costs itself."""
        for number, value in enumerate(values):
            self.one(f"row {number}", _read_row, read, told, value)

    def names(self, values: Iterable[object], field: str | None = None) -> tuple[str, ...]:
        """Symbols of a list of texts, or of objects that have them in a field; a bad one costs itself."""
        found: list[str] = []
        for number, value in enumerate(values):
            text = value if field is None else value.get(field) if isinstance(value, dict) else None
            if isinstance(text, str) and text.strip():
                found.append(text.strip())
            else:
                self._bad_row(f"row {number}: no symbol")
        return tuple(found)

    def one(self, what: str, read: Callable[..., None], *told: object) -> None:
        """`read(*told)`; where it raises Malformed, `what` cannot be read and the rest goes on."""
        try:
            read(*told)
        except Malformed as error:
            self._bad_row(f"{what}: {error}")

    def despite_status(self, read: Callable[..., None], *told: object) -> None:
        """A body that names no error under a status that says one: what it holds counts, else the status."""
        try:
            read(*told)
        except Malformed:
            self.parsed.rejects.clear()
        if not self.parsed.observations and not self.parsed.facts:
            self.parsed.rejects[:] = [refusal("", self.origin)]

    def _bad_row(self, reason: str) -> None:
        self._bad_rows += 1
        if self._bad_rows <= MAX_ROW_REJECTS:
            self.reject("malformed", reason)

    def end(self) -> Parsed:
        if self._bad_rows > MAX_ROW_REJECTS:
            self.reject("malformed", f"{self._bad_rows - MAX_ROW_REJECTS} more rows that cannot be read")
        return self.parsed


def _read_row(read: Callable[..., None], told: tuple[object, ...], value: object) -> None:
    read(*told, Row(value))


def decode(payload: str | bytes) -> object:
    """Raises one of UNREADABLE."""
    return _decoder.decode(payload)


def read_json(
    reading: Reading, payload: str | bytes, read: Callable[[object], None], words: Words = ()
) -> Parsed:
    """A JSON body through `read`, which raises Malformed; or what a body that is no JSON says."""
    try:
        value = decode(payload)
    except UNREADABLE as error:
        reading.reject_as(not_json(payload, reading.origin, str(error), words))
        return reading.end()
    try:
        read(value)
    except (Malformed, RecursionError) as error:
        reading.reject("malformed", str(error))
    return reading.end()


def not_json(payload: str | bytes, origin: Origin, why: str, words: Words = ()) -> Reject:
    """A page or a sentence: its words, else its status, else a body that cannot be understood."""
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
    said = text.strip()[:2_000]
    if said.startswith(("{", "[")):
        return refuse("malformed", f"no JSON: {why}", origin)
    is_page = said[:200].lower().lstrip().startswith(("<!doctype", "<html", "<head", "<?xml"))
    return refusal(said, origin, words, "upstream" if is_page else "malformed")


def first_match(where: Address, routes: Iterable[tuple[str, T]]) -> T | None:
    """What is meant for the payload's address: the first route whose pattern its path ends with."""
    return next((found for pattern, found in routes if where.match(pattern)), None)
