"""A session's REST requests: spaced, retried with capped jitter, and held back when the venue says so.

The rules of every adapter, in four parts that sessions put together as their venue counts:

    retry_after_s, reject_class   what an answer's headers and status say; no wait is longer than an hour
    Budget                        what one address may spend: weight a minute, time between two, pauses
    Retries                       the delays of each question, growing with jitter up to a cap
    RestCalls                     both at once, for venues that count requests and not weights
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from email.utils import parsedate_to_datetime

import msgspec

from actors.backoff import Backoff
from actors.feeds.base import HttpRequest, RejectClass
from domain.clock import NS_PER_MIN, NS_PER_S

MAX_RETRIES = 8
"""With full jitter up to `CAP_S` about two minutes in all; then the caller gives up and says so."""
BASE_S = 1.0
CAP_S = 60.0
MAX_RETRY_AFTER_S = 3600.0
"""A longer Retry-After is cut to it, so that a typo of the venue's cannot stop a feed for a day."""
WEIGHT_SHARE = 0.8
"""Of a venue's budget: the rest is left to whatever else runs behind the same address."""
NO_ANSWER = 0
THROTTLED = frozenset({418, 429})
_CLASS_BY_STATUS: dict[int, RejectClass] = {
    401: "auth",
    402: "entitlement",
    403: "entitlement",
    404: "not_found",
    418: "throttled",
    429: "throttled",
    451: "entitlement",
}


def reject_class(status: int) -> RejectClass:
    """What a status without a better explanation in the body says. 0 = no answer came."""
    if status in _CLASS_BY_STATUS:
        return _CLASS_BY_STATUS[status]
    return "bad_request" if 400 <= status < 500 else "upstream"


def retryable(status: int) -> bool:
    """No answer, throttled, or the venue's own fault."""
    return status == NO_ANSWER or status in THROTTLED or status >= 500


def retry_after_s(headers: Mapping[str, str], now: int) -> float | None:
    """`Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3); None where absent or damaged."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - now / NS_PER_S
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def held_until(headers: Mapping[str, str], now: int, default_s: float) -> int:
    """Until when an address is left alone that was told to wait, ns; `default_s` where no time was told, or
    none that helps: 0, or a date that has passed."""
    return now + int((retry_after_s(headers, now) or default_s) * NS_PER_S)


class Budget:
    """What one address may spend at one venue. Times in ns, `now` never decreasing.

    `weight_per_min` is counted per minute of the clock, as venues do; their own count, where they tell it,
    is believed if it is higher, since other programs may share the address. `interval_s`: the least time
    between two requests.
    """

    def __init__(self, weight_per_min: int | None = None, interval_s: float = 0.0) -> None:
        self._limit = None if weight_per_min is None else int(weight_per_min * WEIGHT_SHARE)
        self._interval_ns = int(interval_s * NS_PER_S)
        self._minute = -1
        self._used = 0
        self._next_slot = 0
        self.paused_until = 0

    def take(self, weight: int, now: int) -> bool:
        """Spends the weight if the minute still has it (a lone heavy call always passes)."""
        self._turn(now)
        if now < max(self.paused_until, self._next_slot):
            return False
        if self._limit is not None and self._used and self._used + weight > self._limit:
            return False
        self._used += weight
        self._next_slot = now + self._interval_ns
        return True

    def slot(self, earliest: int) -> int:
        """The next time for a request, which is taken with it."""
        slot = max(self._next_slot, self.paused_until, earliest)
        self._next_slot = slot + self._interval_ns
        return slot

    def observe(self, used: int, now: int) -> None:
        """The venue's own count of the minute."""
        self._turn(now)
        self._used = max(self._used, used)

    def pause(self, until: int) -> None:
        self.paused_until = max(self.paused_until, until)

    def _turn(self, now: int) -> None:
        minute = now // NS_PER_MIN
        if minute != self._minute:
            self._minute = minute
            self._used = 0


class Retries:
    """The delay before the next try of each question that failed."""

    def __init__(self, seed: int | str) -> None:
        self._seed = seed
        self._backoffs: dict[Hashable, Backoff] = {}

    def attempts(self, question: Hashable) -> int:
        """How often it has failed in a row."""
        backoff = self._backoffs.get(question)
        return 0 if backoff is None else backoff.attempts

    def next_ns(self, question: Hashable) -> int:
        """The delay, counting the failure."""
        backoff = self._backoffs.get(question)
        if backoff is None:
            backoff = self._backoffs[question] = Backoff(BASE_S, CAP_S, f"{self._seed}:{question}")
        return int(backoff.next_s() * NS_PER_S)

    def done(self, question: Hashable) -> None:
        """It was answered, or is given up."""
        self._backoffs.pop(question, None)


class RestCalls:
    """One venue's requests. `interval_s` is the least time between two of them."""

    def __init__(self, interval_s: float, seed: int | str) -> None:
        self._budget = Budget(interval_s=interval_s)
        self._retries = Retries(seed)

    def ask(self, url: str, purpose: str, instrument: str | None, now: int, weight: int = 1) -> HttpRequest:
        return HttpRequest(url, purpose, instrument, weight, self._budget.slot(now))

    def again(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], now: int
    ) -> HttpRequest | None:
        """The same request, later; None where another try is pointless or one too many."""
        question = request.url, request.purpose
        if not retryable(status) or self._retries.attempts(question) >= MAX_RETRIES:
            self.done(request)
            return None
        wait_ns = self._retries.next_ns(question)
        # The whole address is throttled, not this request alone.
        self._budget.pause(held_until(headers, now, 0.0))
        return msgspec.structs.replace(request, not_before=max(self._budget.slot(now), now + wait_ns))

    def done(self, request: HttpRequest) -> None:
        self._retries.done((request.url, request.purpose))
