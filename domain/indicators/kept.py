"""The door between a partition's fold and the figures it keeps up.

Kernels and banks are loaded with the first figure that is armed: until then nothing of it costs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain.indicators.armed import Arming, IndicatorArmed

if TYPE_CHECKING:
    from domain.indicators.shelf import Shelf


class KeptIndicators:
    """Of all instruments of one partition. `live` while something is armed, or has been in this process."""

    __slots__ = ("_shelf",)

    def __init__(self) -> None:
        self._shelf: Shelf | None = None

    @property
    def live(self) -> bool:
        return self._shelf is not None

    def observe(self, events: Iterable[object]) -> None:
        """Bars among newly folded events, live and in replay alike."""
        if self._shelf is not None:
            self._shelf.observe(events)

    def news(self, orders: Iterable[Arming]) -> list[Arming]:
        """What of some orders, carried out in this order, changes anything: the specs that are not as
        they are to be, each once."""
        armed: dict[tuple[str, str], set[str]] = {}
        told: list[Arming] = []
        for order in orders:
            key = order.instrument, order.interval
            known = armed.setdefault(key, set(self.armed(order.instrument).get(order.interval, ())))
            wanted = isinstance(order, IndicatorArmed)
            specs = tuple(spec for spec in dict.fromkeys(order.specs) if (spec in known) != wanted)
            if specs:
                told.append(replace(order, specs=specs))
                known ^= set(specs)
        return told

    def evolve(self, event: Arming) -> None:
        """Raises Malformed for a spec that this build does not know."""
        if isinstance(event, IndicatorArmed):
            self._needed().arm(event)
        elif self._shelf is not None:
            self._shelf.disarm(event)

    def forget(self, instrument: str) -> None:
        """Nothing of it is armed any more: what it was made of no longer holds."""
        if self._shelf is not None:
            self._shelf.forget(instrument)

    def instruments(self) -> list[str]:
        """Those that have something armed, by id."""
        return [] if self._shelf is None else self._shelf.instruments()

    def armed(self, instrument: str) -> Mapping[str, Iterable[str]]:
        """interval -> specs"""
        return {} if self._shelf is None else self._shelf.armed(instrument)

    def newest(self, instrument: str) -> dict[str, tuple[int | None, float | None]]:
        """`spec@interval` -> (start of its newest bar in ns UTC, value); None where there is none yet."""
        return {} if self._shelf is None else self._shelf.newest(instrument)

    def packed(self, instrument: str) -> bytes:
        """The instrument's part of a snapshot; empty where nothing is armed."""
        return b"" if self._shelf is None else self._shelf.packed(instrument)

    def unpack(self, instrument: str, packed: bytes) -> None:
        """What `packed` gave. Raises Corrupt."""
        if packed:
            self._needed().unpack(instrument, packed)

    def _needed(self) -> Shelf:
        if self._shelf is None:
            from domain.indicators.shelf import Shelf

            self._shelf = Shelf()
        return self._shelf
