"""REST requests that wait their turn: one per question, within the venue's weight, with back-off.

Weight is counted per wall-clock minute, as Binance counts it; its own count in the header
`X-MBX-USED-WEIGHT-1M` is believed where it is higher (other programs share the address).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from actors.backoff import Backoff
from actors.feeds.base import HttpRequest
from actors.feeds.binance import failures
from actors.feeds.binance.venues import Venue
from domain.clock import NS_PER_MIN, NS_PER_MS, NS_PER_S

WEIGHT_SHARE = 0.8
"""Of the venue's budget: the rest is left to whatever else runs behind the same address."""
RETRY_BASE_S = 1.0
RETRY_CAP_S = 60.0
PAUSE_429_S = 60
PAUSE_418_S = 120  # the shortest ban, by Binance's documentation
PAUSE_451_S = 3600
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


class Budget:
    """Weight used in the current minute of one venue, and the pauses it imposed."""

    def __init__(self, limit: int) -> None:
        self._limit = int(limit * WEIGHT_SHARE)
        self._minute = -1
        self._used = 0
        self.paused_until = 0

    def take(self, weight: int, now: int) -> bool:
        """Spends the weight if the minute still has it (a lone heavy call always passes)."""
        self._turn(now)
        if now < self.paused_until or (self._used and self._used + weight > self._limit):
            return False
        self._used += weight
        return True

    def observe(self, headers: Mapping[str, str], now: int) -> None:
        self._turn(now)
        for name, value in headers.items():
            if name.lower() == "x-mbx-used-weight-1m" and value.isascii() and value.isdigit():
                self._used = max(self._used, int(value[:9]))

    def pause(self, until: int) -> None:
        self.paused_until = max(self.paused_until, until)

    def _turn(self, now: int) -> None:
        minute = now // NS_PER_MIN
        if minute != self._minute:
            self._minute = minute
            self._used = 0


class CallQueue:
    """All questions of a session, by venue. One question is asked once at a time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._budgets: dict[str, Budget] = {}
        self._waiting: dict[tuple[str, str], Call] = {}
        self._running: dict[HttpRequest, Call] = {}
        self._running_keys: set[tuple[str, str]] = set()
        self._backoffs: dict[tuple[str, str], Backoff] = {}
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
        self._backoffs.pop(call.key, None)

    def retry(self, call: Call, now: int) -> int:
        """Asks again after a jittered delay. Returns how often it failed in a row."""
        backoff = self._backoffs.setdefault(
            call.key, Backoff(RETRY_BASE_S, RETRY_CAP_S, f"{self._seed}:{call.topic}:{call.subject}")
        )
        call.not_before = now + int(backoff.next_s() * NS_PER_S)
        self._waiting[call.key] = call
        return backoff.attempts

    def drop(self, call: Call) -> None:
        """Gives the question up."""
        self._waiting.pop(call.key, None)
        self._backoffs.pop(call.key, None)

    def refuse(self, call: Call, now: int) -> None:
        self._refused[call.key] = now + REFUSED_S * NS_PER_S

    def budget(self, venue: Venue) -> Budget:
        """One for all venues whose requests are counted together, per address."""
        if venue.budget not in self._budgets:
            self._budgets[venue.budget] = Budget(venue.weight_per_min)
        return self._budgets[venue.budget]


def pause_end(status: int, headers: Mapping[str, str], body: str, now: int) -> int:
    """Until when a venue that said 403, 418, 429 or 451 is left alone, ns."""
    default_s = {418: PAUSE_418_S, 451: PAUSE_451_S}.get(status, PAUSE_429_S)
    banned = failures.banned_until_ms(body)
    if banned is not None:
        return max(banned * NS_PER_MS, now + NS_PER_S)
    told = _retry_after(headers, now)
    return now + default_s * NS_PER_S if told is None else max(told, now)


def _retry_after(headers: Mapping[str, str], now: int) -> int | None:
    """`Retry-After` in seconds or as an HTTP date -> ns; None where absent or unreadable."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        return now + int(text[:9]) * NS_PER_S
    try:
        return int(parsedate_to_datetime(text).timestamp()) * NS_PER_S
    except (ValueError, TypeError, OverflowError):
        return None
