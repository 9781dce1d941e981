"""What Binance says when it refuses, classed by what the caller should do."""

from __future__ import annotations

import re

from actors.feeds.base import Reject, RejectClass
from actors.feeds.rest_calls import reject_class

_BY_CODE: dict[int, RejectClass] = {
    -1000: "upstream",
    -1001: "upstream",
    -1002: "auth",
    -1003: "throttled",
    -1004: "upstream",
    -1006: "upstream",
    -1007: "upstream",
    -1008: "throttled",
    -1015: "throttled",
    -1016: "upstream",
    -1020: "unsupported",
    -1022: "auth",
    -1034: "throttled",
    -1121: "not_found",
    -2008: "auth",
    -2014: "auth",
    -2015: "auth",
}
"""https://developers.binance.com/docs/binance-spot-api-docs/errors; every other code: bad_request."""

_BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")
_RESTRICTED = "restricted location"
MAX_REASON = 300


def by_code(code: int, message: str, status: int | None = None) -> Reject:
    """An error body. Its code decides, but for a country that Binance does not serve."""
    reason = f"binance says {code}: {message[:MAX_REASON]}"
    if status == 451 or _RESTRICTED in message:
        return Reject("entitlement", reason)
    if code in _BY_CODE:
        return Reject(_BY_CODE[code], reason)
    return Reject(class_of_status(status) or "bad_request", reason)


def class_of_status(status: int | None) -> RejectClass | None:
    """HTTP status -> class; None for success or where the status is not known."""
    if status is None or 200 <= status < 400:
        return None
    # The web application firewall's limit, by Binance's documentation.
    return "throttled" if status == 403 else reject_class(status)


def banned_until_ms(body: str) -> int | None:
    """The end of a ban as the body of a 418 tells it, ms since 1970."""
    match = _BANNED_UNTIL.search(body)
    return int(match[1]) if match else None
