"""What else is known of an instrument while its trades are judged: its quotes and other providers."""

from __future__ import annotations

import math
from typing import Protocol

from domain.anomalies.prints import Testimony


class Surroundings(Protocol):
    """What else is known of the instrument while its trades are judged."""

    def mid(self, ts: int) -> float:
        """Of fresh quotes; NaN without."""
        ...

    def settled_mid(self) -> float:
        """Of the quotes a moment ago, before the trade in hand; NaN without."""
        ...

    def testimony(self, move: float, since: int, now: int) -> Testimony: ...

    def unsettled(self, ts: int) -> bool:
        """Whether trading has just begun: prices find their level, and a jump to it is no event."""
        ...


class Alone:
    """Trades of which nothing else is known."""

    def mid(self, ts: int) -> float:
        return math.nan

    def settled_mid(self) -> float:
        return math.nan

    def testimony(self, move: float, since: int, now: int) -> Testimony:
        return Testimony(math.nan, 0, 0)

    def unsettled(self, ts: int) -> bool:
        return False
