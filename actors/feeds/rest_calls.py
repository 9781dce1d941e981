"""A session's REST requests: spaced, retried with capped jitter, and held back when the venue says so."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from actors.backoff import Backoff
from actors.feeds.base import HttpRequest, RejectClass
from domain.clock import NS_PER_S

MAX_RETRIES = 8
"""With full jitter up to `CAP_S` about two minutes in all; then the caller gives up and says so."""
BASE_S = 1.0
CAP_S = 60.0
MAX_RETRY_AFTER_S = 3600.0
"""A longer Retry-After is cut to it, so that a typo of the venue's cannot stop a feed for a day."""
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


class RestCalls:
    """One venue's requests. `interval_s` is the least time between two of them."""

    def __init__(self, interval_s: float, seed: int | str) -> None:
        self._interval_ns = int(interval_s * NS_PER_S)
        self._seed = seed
        self._next_slot = 0
        self._retries: dict[tuple[str, str], Backoff] = {}

    def ask(self, url: str, purpose: str, instrument: str | None, now: int, weight: int = 1) -> HttpRequest:
        return HttpRequest(url, purpose, instrument, weight, self._slot(now))

    def again(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], now: int
    ) -> HttpRequest | None:
        """The same request, later; None where another try is pointless or one too many."""
        key = request.url, request.purpose
        backoff = self._retries.setdefault(key, Backoff(BASE_S, CAP_S, f"{self._seed}:{key}"))
        if not retryable(status) or backoff.attempts >= MAX_RETRIES:
            self.done(request)
            return None
        wait_ns = int(backoff.next_s() * NS_PER_S)
        told_s = retry_after_s(headers, now)
        if told_s is not None:
            # The whole address is throttled, not this request alone.
            self._next_slot = max(self._next_slot, now + int(told_s * NS_PER_S))
        return msgspec.structs.replace(request, not_before=max(self._slot(now), now + wait_ns))

    def done(self, request: HttpRequest) -> None:
        self._retries.pop((request.url, request.purpose), None)

    def _slot(self, earliest: int) -> int:
        slot = max(self._next_slot, earliest)
        self._next_slot = slot + self._interval_ns
        return slot
