"""One side of an order book: price -> size, with the best price at hand."""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Literal

from domain.market.observations import Level

MAX_LEVELS = 20_000
"""Levels a side kept where the venue names no depth; beyond it the worst prices go."""


class Levels:
    """Bids (`direction` 1, best is highest) or asks (-1, best is lowest).

    Prices are kept as sorted keys, price * direction ascending: the best level is the last, so that
    changes near the top of the book, the common ones, move little memory.
    """

    __slots__ = ("_direction", "_keys", "_sizes")

    def __init__(self, direction: Literal[1, -1]) -> None:
        self._direction = direction
        self._keys: list[float] = []
        self._sizes: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def set(self, price: float, size: float) -> None:
        """Put a level, replace it, or with size <= 0 delete it."""
        self.change(((price, size),))

    def change(self, levels: Iterable[Level], depth: int | None = None) -> None:
        """`set` of each in turn, then `cut` where a depth is given."""
        keys, sizes, direction = self._keys, self._sizes, self._direction
        for price, size in levels:
            key = price * direction
            if size > 0.0:
                if key not in sizes:
                    insort(keys, key)
                sizes[key] = size
            elif sizes.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        if depth is not None and len(keys) > depth:
            self.cut(depth)

    def load(self, levels: Iterable[Level]) -> None:
        """Replace everything; of a price named twice the last size counts."""
        direction = self._direction
        self._sizes = {price * direction: size for price, size in levels if size > 0.0}
        self._keys = sorted(self._sizes)

    def clear(self) -> None:
        self._keys.clear()
        self._sizes.clear()

    def cut(self, depth: int) -> None:
        """Drop all but the best `depth` levels."""
        keys = self._keys
        if len(keys) > depth:
            surplus = len(keys) - depth
            for key in keys[:surplus]:
                del self._sizes[key]
            del keys[:surplus]

    @property
    def best(self) -> float | None:
        return self._keys[-1] * self._direction if self._keys else None

    def crosses(self, asks: Levels) -> bool:
        """Whether these bids reach the asks: the best one is at the best ask or above it."""
        return bool(self._keys) and bool(asks._keys) and self._keys[-1] >= -asks._keys[-1]

    def top(self, depth: int) -> tuple[Level, ...]:
        """Best first."""
        direction, sizes = self._direction, self._sizes
        keys = self._keys[-depth:] if depth > 0 else []
        return tuple([(key * direction, sizes[key]) for key in reversed(keys)])

    def pack(self) -> bytes:
        """price, size, price, size ... best first, as little-endian doubles."""
        flat = [number for level in self.top(len(self._keys)) for number in level]
        return struct.pack(f"<{len(flat)}d", *flat)

    def unpack(self, packed: bytes) -> None:
        flat = struct.unpack(f"<{len(packed) // 8}d", packed)
        self.load(zip(flat[::2], flat[1::2], strict=True))
