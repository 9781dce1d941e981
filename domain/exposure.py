"""A partition's state at one moment, read a few keepers at a time while the fold goes on.

    expose ── read(64) ── read(64) ── ... ── whole()
                 fold: before(keeper)      one that is about to change is read first

So a snapshot of thousands of keepers holds the fold up for no longer than a slice of it takes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain.keeper import SymbolKeeper

_encode = msgspec.msgpack.Encoder().encode


class Exposure:
    """`frame`: the bytes that come before the array of keepers, by id."""

    def __init__(self, frame: bytes, keepers: Mapping[str, SymbolKeeper]) -> None:
        self._frame = frame
        self._waiting = dict(keepers)
        self._states: dict[str, bytes] = {}

    @property
    def done(self) -> bool:
        return not self._waiting

    def before(self, instrument: str) -> None:
        """The instrument's keeper is about to change."""
        keeper = self._waiting.pop(instrument, None)
        if keeper is not None:
            self._states[instrument] = _encode(keeper.snapshot())

    def read(self, count: int) -> None:
        """Read so many more keepers."""
        for _ in range(min(count, len(self._waiting))):
            instrument, keeper = self._waiting.popitem()
            self._states[instrument] = _encode(keeper.snapshot())

    def whole(self) -> bytes:
        """The state of that moment; reads what is left."""
        self.read(len(self._waiting))
        states = [state for _, state in sorted(self._states.items())]
        return b"".join((self._frame, _array_header(len(states)), *states))


def _array_header(length: int) -> bytes:
    """What msgpack puts before the elements of an array: a None is one byte."""
    return _encode([None] * length)[: -length or None]
