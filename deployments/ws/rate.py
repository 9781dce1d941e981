"""How fast one user may talk, over all sockets of a gateway."""

from __future__ import annotations

from collections import OrderedDict

from deployments.ws.channels import is_pattern
from deployments.ws.protocol import ClientFrame, Subscribe

NAMES_PER_MESSAGE = 100
"""Instruments of one subscription that cost as much as another message."""
MAX_USERS = 10_000
"""Whose rate is remembered, the last seen; who comes back after so many others begins with a full bucket."""


class MessageRate:
    """A token bucket; `now_s` is any monotonic time in seconds."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left = float(burst)
        self._at: float | None = None

    def allows(self, now_s: float, cost: float = 1.0) -> bool:
        """Takes `cost` tokens where there are so many; one that is dearer than a full bucket empties it."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now_s - self._at) * self._per_s)
        self._at = now_s
        cost = min(cost, self._burst)
        if self._left < cost:
            return False
        self._left -= cost
        return True


class UserRates:
    """One bucket per user, whatever sockets come and go."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._users: OrderedDict[str, MessageRate] = OrderedDict()

    def of(self, user: str) -> MessageRate:
        rate = self._users.get(user)
        if rate is None:
            rate = self._users[user] = MessageRate(self._per_s, self._burst)
        self._users.move_to_end(user)
        if len(self._users) > MAX_USERS:
            self._users.popitem(last=False)
        return rate


def extra_cost(frame: ClientFrame) -> float:
    """Of a message beyond 1: a pattern is asked about every instrument, a name is looked up."""
    if not isinstance(frame, Subscribe):
        return 0.0
    patterns = sum(map(is_pattern, frame.instruments))
    return patterns + (len(frame.instruments) - patterns) // NAMES_PER_MESSAGE
