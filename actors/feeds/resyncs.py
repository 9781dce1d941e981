"""How often a feed may ask its venue for a book again because a keeper found it broken.

Keepers say so until the book is repaired; a book that the venue itself keeps crossed would never be. So
an instrument is asked for at once, then after 5 s, 10 s, 20 s ... up to once a minute, and after two
quiet minutes at once again. There is no jitter: what many feeds would share, a venue's budget, is kept
by the session, and one feed's books break one by one.
"""

from __future__ import annotations

from msgspec import Struct

from domain.clock import NS_PER_S


class ResyncSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`quiet_s`: a book not found broken for so long since it was last asked for counts as repaired."""

    base_s: float = 5.0
    cap_s: float = 60.0
    quiet_s: float = 120.0


class _Asked:
    __slots__ = ("at", "wait_ns")

    def __init__(self) -> None:
        self.at = 0
        self.wait_ns = 0


class Resyncs:
    """Remembers, per instrument, when it was asked for last. `now`: ns, never decreasing."""

    def __init__(self, settings: ResyncSettings | None = None) -> None:
        chosen = settings or ResyncSettings()
        self._base_ns = int(chosen.base_s * NS_PER_S)
        self._cap_ns = int(chosen.cap_s * NS_PER_S)
        self._quiet_ns = int(chosen.quiet_s * NS_PER_S)
        self._asked: dict[str, _Asked] = {}

    def due(self, instrument: str, now: int) -> bool:
        """Whether it may be asked for now; True counts as asked."""
        asked = self._asked.setdefault(instrument, _Asked())
        if now < asked.at + asked.wait_ns:
            return False
        if now >= asked.at + self._quiet_ns:
            asked.wait_ns = 0
        asked.at = now
        asked.wait_ns = min(self._cap_ns, 2 * asked.wait_ns or self._base_ns)
        return True
