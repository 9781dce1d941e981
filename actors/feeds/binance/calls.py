"""REST requests that wait their turn: one per question, the most important first, within the venue's weight.

Budgets, delays and waits are those of every adapter (`rest_calls.py`); Binance tells its own count of the
weight in the header `X-MBX-USED-WEIGHT-1M`, and the end of a ban in the words of its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.feeds.base import HttpRequest
from actors.feeds.binance import failures
from actors.feeds.binance.venues import Venue
from actors.feeds.rest_calls import Budget, Retries, held_until
from domain.clock import NS_PER_MS, NS_PER_S

PAUSE_429_S = 60
PAUSE_418_S = 120  # the shortest ban, by Binance's documentation
PAUSE_451_S = 3600
MAX_BAN_S = 3 * 86_400
"""The longest ban, by Binance's documentation; a later end is a slip."""
USED_WEIGHT = "x-mbx-used-weight-1m"
REFUSED_S = 300
"""A question that the venue refused as such is asked again after so long at the earliest."""

_PRIORITIES = {"instruments": 0, "book": 1, "trades": 2, "bars": 3}


@dataclass(slots=True)
class Call:
    """A question: `topic` is a key of _PRIORITIES, `subject` an instrument or a venue's name."""

    topic: str
    subject: str
    venue: Venue
    url: str
    weight: int
    instrument: str | None
    not_before: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.topic, self.subject

    def request(self) -> HttpRequest:
        purpose = f"{self.topic} of {self.subject}"
        return HttpRequest(self.url, purpose, self.instrument, self.weight, self.not_before)


class CallQueue:
    """All questions of a session, by venue. One question is asked once at a time."""

    def __init__(self, seed: int) -> None:
        self._retries = Retries(seed)
        self._budgets: dict[str, Budget] = {}
        self._waiting: dict[tuple[str, str], Call] = {}
        self._running: dict[HttpRequest, Call] = {}
        self._running_keys: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], int] = {}
        self.dirty = False
        """Something may be released now."""

    def ask(self, call: Call, now: int) -> bool:
        """False where the question is waiting, running, or was refused a short while ago."""
        key = call.key
        if key in self._waiting or key in self._running_keys or self._refused.get(key, 0) > now:
            return False
        self._waiting[key] = call
        self.dirty = True
        return True

    def release(self, now: int) -> list[HttpRequest]:
        """What may be sent now, the most important first."""
        self.dirty = False
        due = [call for call in self._waiting.values() if call.not_before <= now]
        released = []
        for call in sorted(due, key=lambda call: _PRIORITIES[call.topic]):
            if self.budget(call.venue).take(call.weight, now):
                del self._waiting[call.key]
                request = call.request()
                self._running[request] = call
                self._running_keys.add(call.key)
                released.append(request)
        return released

    def answered(self, request: HttpRequest) -> Call | None:
        """The question behind an answer; None where this session never asked."""
        call = self._running.pop(request, None)
        if call is not None:
            self._running_keys.discard(call.key)
        return call

    def succeeded(self, call: Call) -> None:
        self._retries.done(call.key)

    def retry(self, call: Call, now: int) -> int:
        """Asks again after a jittered delay. Returns how often it failed in a row."""
        call.not_before = now + self._retries.next_ns(call.key)
        self._waiting[call.key] = call
        return self._retries.attempts(call.key)

    def drop(self, call: Call) -> None:
        """Gives the question up."""
        self._waiting.pop(call.key, None)
        self._retries.done(call.key)

    def refuse(self, call: Call, now: int) -> None:
        self._refused[call.key] = now + REFUSED_S * NS_PER_S

    def budget(self, venue: Venue) -> Budget:
        """One for all venues whose requests are counted together, per address."""
        if venue.budget not in self._budgets:
            self._budgets[venue.budget] = Budget(venue.weight_per_min)
        return self._budgets[venue.budget]


def observe_weight(budget: Budget, headers: Mapping[str, str], now: int) -> None:
    for name, value in headers.items():
        if name.lower() == USED_WEIGHT and value.isascii() and value.isdigit():
            budget.observe(int(value[:9]), now)


def pause_end(status: int, headers: Mapping[str, str], body: str, now: int) -> int:
    """Until when a venue that said 403, 418, 429 or 451 is left alone, ns."""
    banned = failures.banned_until_ms(body)
    if banned is not None:
        return min(max(banned * NS_PER_MS, now + NS_PER_S), now + MAX_BAN_S * NS_PER_S)
    return held_until(headers, now, {418: PAUSE_418_S, 451: PAUSE_451_S}.get(status, PAUSE_429_S))
