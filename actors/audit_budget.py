"""How much of the log one user's sessions may fill within an hour; what is beyond is counted."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from domain.access_events import AuditCut, SessionClosed, SessionEvent, SessionOpened, SessionSubscribed

HOUR_S = 3600.0
BLOCK_BYTES = 500
"""What a block costs beside its events: its row, two index entries and the header. Charged to each event, for
it may be alone in its block."""


class _Hour:
    """One user's, from the first event on. `since` in ns UTC."""

    __slots__ = ("bytes", "left_out", "since", "until_s")

    def __init__(self, since: int, until_s: float) -> None:
        self.since = since
        self.until_s = until_s
        self.bytes = 0
        self.left_out: dict[type, int] = {}


class AuditBudget:
    """`monotonic` in seconds. Remembers the users of the last hour."""

    def __init__(self, monotonic: Callable[[], float], user_bytes_per_hour: int) -> None:
        self._monotonic = monotonic
        self._limit = user_bytes_per_hour
        self._hours: dict[str, _Hour] = {}
        self._cuts: list[AuditCut] = []

    def admits(self, event: SessionEvent) -> bool:
        """Whether the event still fits into its user's hour; else it is counted."""
        hour = self._hours.get(event.user)
        if hour is None or hour.until_s <= self._monotonic():
            self._end(event.user, event.ts_event)
            hour = self._hours[event.user] = _Hour(event.ts_event, self._monotonic() + HOUR_S)
        size = BLOCK_BYTES + _size(event)
        if hour.bytes + size > self._limit:
            hour.left_out[type(event)] = hour.left_out.get(type(event), 0) + 1
            return False
        hour.bytes += size
        return True

    def ended(self, now: int, *, early: bool = False) -> list[AuditCut]:
        """One event for each hour that is over and had more than fits. `early`: all hours end now."""
        now_s = self._monotonic()
        over = [user for user, hour in self._hours.items() if early or hour.until_s <= now_s]
        for user in over:
            self._end(user, now)
        cuts, self._cuts = self._cuts, []
        return cuts

    def _end(self, user: str, now: int) -> None:
        hour = self._hours.pop(user, None)
        if hour is None or not hour.left_out:
            return
        counts = (hour.left_out.get(kind, 0) for kind in (SessionOpened, SessionSubscribed, SessionClosed))
        self._cuts.append(AuditCut(user, now, hour.since, *counts))


def _size(event: SessionEvent) -> int:
    """Bytes of an event; 0 of one that nothing can hold: whoever writes leaves it out and counts it."""
    try:
        return len(msgspec.msgpack.encode(event))
    except (ValueError, TypeError):
        return 0
