"""Bars as the JSON that clients get, written where they are read.

A page of a day has 540 kB: packed for the way to a gateway, unpacked there and written as JSON it would
cost more than all else. It is written in pieces of bars that begin within the same `PIECE_BARS` intervals,
whatever window they are asked for in, and a piece is written once: the same bars are the same text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import astuple

from actors.answers import BarRow
from domain.clock import format_time
from domain.market.intervals import interval_ns
from storage.read_models.bars import BarRun, ListedRun, Starts, Told

PIECE_BARS = 64
MEMO_BYTES = 32 << 20
"""About 1,200 pieces: 54 days of minutes."""
_ENTRY_BYTES = 400
"""Of a piece in memory beside its text and its key."""

_encode = msgspec.json.Encoder().encode


class BarBody(Struct, frozen=True):
    """`ts_event`: start of the bar. `closed` False: still forming, provisional."""

    provider: str
    instrument: str
    ts_event: str
    ts_recv: str
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float | None
    closed: bool
    adjusted: bool
    revision: int
    tainted: bool


if BarBody.__struct_fields__ != BarRow.__struct_fields__:
    raise TypeError("a bar's body has the fields of its row, in that order")


class BarsPage(Struct, frozen=True):
    """`items`: a JSON array of `BarBody`, oldest first. `tag`: 32 bytes that differ where the items do.

    `following`: start of the first bar that is not on the page; None: there is none.
    """

    items: bytes
    tag: bytes
    following: int | None


class Piece(Struct, frozen=True):
    """Bars as items of a JSON array, and their digest."""

    text: bytes
    digest: bytes


def bar_body(row: BarRow) -> BarBody:
    return _body(*astuple(row))


def _body(provider: str, instrument: str, ts_event: int, ts_recv: int, *others: Any) -> BarBody:
    """A page has thousands: the fields as they stand, with times as text."""
    return BarBody(provider, instrument, _bar_start(ts_event), format_time(ts_recv), *others)


_bar_start = lru_cache(maxsize=8_192)(format_time)
"""Bars of all instruments begin at the same times: five days of minutes."""


class BarTexts:
    """Writes pages, and remembers pieces of stored bars: those used last, up to so many bytes."""

    def __init__(self, most_bytes: int = MEMO_BYTES) -> None:
        self._most_bytes = most_bytes
        self._pieces: dict[tuple[str, str, bytes], Piece] = {}
        self.bytes_held = 0

    def page(
        self, instrument: str, interval: str, stored: BarRun, later: Sequence[BarRow], count: int
    ) -> BarsPage:
        """The first `count` of stored bars and then later ones, all of that instrument and interval."""
        held = min(len(stored), count)
        rest = later[: count - held]
        length = PIECE_BARS * interval_ns(interval)
        numbers = stored.starts[:held] // length
        # A piece that later bars belong to has another text with each of them.
        whole = int(np.searchsorted(numbers, rest[0].ts_event // length)) if rest else held
        pieces = [
            self._remembered(instrument, interval, stored, first, last)
            for first, last in _even_parts(numbers[:whole])
        ]
        fresh = [*stored.told(whole, held), *map(astuple, rest)]
        pieces += [_piece(bars) for _, bars in groupby(fresh, lambda bar: bar[2] // length)]
        return BarsPage(
            _list_of(pieces),
            hashlib.sha256(b"".join(piece.digest for piece in pieces)).digest(),
            _following(stored, later, count),
        )

    def page_of(self, instrument: str, interval: str, rows: Sequence[BarRow], count: int) -> BarsPage:
        """The same of rows that are not remembered."""
        return self.page(instrument, interval, ListedRun(()), rows, count)

    def _remembered(self, instrument: str, interval: str, stored: BarRun, first: int, last: int) -> Piece:
        """Found by all that the bars say, so it needs no word of what has changed."""
        key = (instrument, interval, stored.key(first, last))
        piece = self._pieces.pop(key, None)
        if piece is None:
            piece = _piece(stored.told(first, last))
            self.bytes_held += _size(key[2], piece)
        self._pieces[key] = piece
        while self.bytes_held > self._most_bytes:
            oldest = next(iter(self._pieces))
            self.bytes_held -= _size(oldest[2], self._pieces.pop(oldest))
        return piece


def _piece(bars: Iterable[Told]) -> Piece:
    text = _encode([_body(*bar) for bar in bars])[1:-1]
    return Piece(text, hashlib.sha256(text).digest())


def _list_of(pieces: Sequence[Piece]) -> bytes:
    """Put together at once: a copy of half a megabyte is not for nothing."""
    parts = [part for piece in pieces for part in (b",", piece.text)]
    return b"".join((b"[", *parts[1:], b"]"))


def _size(key: bytes, piece: Piece) -> int:
    return len(key) + len(piece.text) + _ENTRY_BYTES


def _even_parts(numbers: Starts) -> Iterator[tuple[int, int]]:
    """(first, last) of each longest run of equal numbers."""
    cuts = (np.flatnonzero(np.diff(numbers)) + 1).tolist()
    bounds = [0, *cuts, len(numbers)]
    return ((first, last) for first, last in pairwise(bounds) if first < last)


def _following(stored: BarRun, later: Sequence[BarRow], count: int) -> int | None:
    if len(stored) > count:
        return int(stored.starts[count])
    beyond = later[count - len(stored) :]
    return beyond[0].ts_event if beyond else None
