"""Lists that cross processes as one run of bytes.

Ray pickles with a hook that is called for every object: 1.3 us for each struct, there and back again. A
list of thousands is packed by its own codec instead, at a tenth of that. Inside a process they are lists.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.answers import BarRow
from domain.envelope import Recorded
from storage.codec import compress, decode_recorded, decompress, encode_recorded

COMPRESSED_FROM_BYTES = 64 << 10
"""Ray carries answers above 100 KB through its object store, which takes longer than to compress them."""

_encode = msgspec.msgpack.Encoder().encode
_bars_decoder = msgspec.msgpack.Decoder(list[BarRow])


class PackedBars(list[BarRow]):
    """Bars, pickled as msgpack."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked_bars, _shrunk(_encode(self))


class PackedEvents(list[Recorded]):
    """Events of one partition, pickled in the rows of the log's codec."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked_events, _shrunk(encode_recorded(self))


def _shrunk(data: bytes) -> tuple[bytes, bool]:
    """(bytes, whether they are compressed)."""
    return (compress(data), True) if len(data) >= COMPRESSED_FROM_BYTES else (data, False)


def _unpacked_bars(data: bytes, compressed: bool) -> PackedBars:
    return PackedBars(_bars_decoder.decode(decompress(data) if compressed else data))


def _unpacked_events(data: bytes, compressed: bool) -> PackedEvents:
    return PackedEvents(decode_recorded(decompress(data) if compressed else data))
