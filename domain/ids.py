"""Names of things: `InstrumentId` = SYMBOL.VENUE, partitions, and the map from one to the other."""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from domain.errors import Malformed

InstrumentId = NewType("InstrumentId", str)
Partition = NewType("Partition", str)

MAX_ID_LENGTH = 64
_SYMBOL = re.compile(r"[A-Z0-9\-_.:^=]+")
_VENUE = re.compile(r"[A-Z0-9_]+")
_PARTITION = re.compile(r"[a-z]+/[A-Za-z0-9_\-]+")


def instrument_id(text: str) -> InstrumentId:
    """`BTC-USD.COINBASE`, split at the last dot (`BRK.B.XNYS`). Raises Malformed."""
    symbol, dot, venue = text.rpartition(".")
    if not dot or len(text) > MAX_ID_LENGTH or not _SYMBOL.fullmatch(symbol) or not _VENUE.fullmatch(venue):
        raise Malformed(f"instrument {text[:80]!r} is not SYMBOL.VENUE in capitals, like BTC-USD.COINBASE")
    return InstrumentId(text)


def make_instrument_id(symbol: str, venue: str) -> InstrumentId:
    """Venue symbol in any case, `/` mapped to `-`, -> id. Raises Malformed."""
    return instrument_id(f"{symbol.upper().replace('/', '-')}.{venue}")


def symbol_of(instrument: str) -> str:
    return instrument.rpartition(".")[0]


def venue_of(instrument: str) -> str:
    return instrument.rpartition(".")[2]


def partition(text: str) -> Partition:
    """`family/key`. Raises Malformed."""
    if not _PARTITION.fullmatch(text):
        raise Malformed(f"partition {text[:80]!r} is not family/key, like market/03")
    return Partition(text)


def market_partition(instrument: str, count: int) -> Partition:
    """The partition of an instrument's or series' events; fixed for the life of a database.

    `count` is the number of market partitions chosen when the database was created.
    """
    digest = hashlib.blake2b(instrument.encode(), digest_size=8).digest()
    return Partition(f"market/{int.from_bytes(digest, 'big') % count:02d}")


def market_partitions(count: int) -> list[Partition]:
    """All market partitions of a database, in order."""
    return [Partition(f"market/{index:02d}") for index in range(count)]
