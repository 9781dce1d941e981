"""A partition's state at one moment, read a few keepers at a time while the fold goes on.

    expose ── read(64) ── read(64) ── ... ── whole()
                 fold: before(instrument)      a keeper that is about to change is read first

So a snapshot of thousands of keepers stops the fold for no longer than a slice of it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from domain.keeper import SymbolKeeper

_encode = msgspec.msgpack.Encoder().encode


class Exposure:
    """What was `known` then, as the bytes of one array. `frame` puts what belongs around them."""

    def __init__(self, keepers: Mapping[str, SymbolKeeper], frame: Callable[[bytes], bytes]) -> None:
        self._waiting = dict(sorted(keepers.items(), reverse=True))
        self._order = sorted(keepers)
        self._read: dict[str, bytes] = {}
        self._frame = frame
