"""How fast one client may talk."""

from __future__ import annotations


class MessageRate:
    """A token bucket; `now_s` is any monotonic time in seconds."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left = float(burst)
        self._at: float | None = None

    def allows(self, now_s: float) -> bool:
        if self._at is not None:
            self._left = min(self._burst, self._left + (now_s - self._at) * self._per_s)
        self._at = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
