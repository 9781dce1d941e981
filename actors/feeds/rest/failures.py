"""Errors of providers: their class by what they say, their text without the secrets in it.

A status of HTTP never decides alone. Some providers refuse with 200, some throttle with 403; only where the
body says nothing that is understood, its status is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from actors.feeds.base import Origin, Reject, RejectClass
from actors.feeds.redaction import is_secret_name, redact
from actors.feeds.rest_calls import reject_class

MAX_REASON_CHARS = 300
CUT = "[cut]"

Words = tuple[tuple[str, RejectClass], ...]

WORDS: Words = (
    ("rate limit", "throttled"),
    ("ratelimit", "throttled"),
    ("rate threshold", "throttled"),
    ("too many request", "throttled"),
    ("too many connection", "throttled"),
    ("call frequency", "throttled"),
    ("requests per", "throttled"),
    ("request per", "throttled"),
    ("run out of api credits", "throttled"),
    ("limit reached", "throttled"),
    ("quota", "throttled"),
    ("slow down", "throttled"),
    ("not entitled", "entitlement"),
    ("not_authorized", "entitlement"),
    ("not authorized", "entitlement"),
    ("don't have access", "entitlement"),
    ("do not have access", "entitlement"),
    ("have access to this resource", "entitlement"),
    ("insufficient subscription", "entitlement"),
    ("premium", "entitlement"),
    ("upgrad", "entitlement"),
    ("subscription plan", "entitlement"),
    ("invalid api call", "bad_request"),
    ("crumb", "auth"),
    ("unauthorized", "auth"),
    ("unauthenticated", "auth"),
    ("not authenticated", "auth"),
    ("authenticat", "auth"),
    ("auth failed", "auth"),
    ("auth_failed", "auth"),
    ("logged in", "auth"),
    ("access denied", "auth"),
    ("invalid token", "auth"),
    ("invalid cookie", "auth"),
    ("not found", "not_found"),
    ("not_found", "not_found"),
    ("no data found", "not_found"),
    ("no such", "not_found"),
    ("unknown symbol", "not_found"),
    ("doesn't exist", "not_found"),
    ("does not exist", "not_found"),
    ("internal server error", "upstream"),
    ("internal error", "upstream"),
    ("bad gateway", "upstream"),
    ("unavailable", "upstream"),
    ("gateway time", "upstream"),
    ("maintenance", "upstream"),
)
"""In the order in which they count: who throttles often offers a subscription in the same breath."""

_KEY_WORDS = re.compile(r"\bapi[ _-]?key|\btoken\b|\baccess[ _-]?key")
_OF_THE_KEY = re.compile(
    r"invalid|incorrect|missing|not specified|not provided|unknown|not valid|expired|wrong|disabled"
)
_AFTER_KEY = re.compile(
    r"(?i)\b(api[ _-]?key|access[ _-]?key|token|secret|key)\b"
    r"(\W{0,3}(?:\s+(?:as|is)\s+|\s*[:=]\s*)\W{0,3})([A-Za-z0-9_\-.]{3,})"
)
_LONG = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z0-9_\-]*\d)(?=[A-Za-z0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{16,}")
_PLAIN_WORDS = frozenset(
    {"invalid", "incorrect", "missing", "not", "required", "disabled", "expired", "wrong"}
)


def class_of(text: str, extra: Words = ()) -> RejectClass | None:
    """The class of an error's text; None where nothing in it is known. `extra` counts before the rest."""
    lowered = text.lower().replace("\u2019", "'")
    found = next((found for words, found in (*extra, *WORDS) if words in lowered), None)
    if found != "throttled" and _KEY_WORDS.search(lowered) and _OF_THE_KEY.search(lowered):
        return "auth"
    return found


def refuse(found: RejectClass, reason: str, origin: Origin) -> Reject:
    return Reject(found, clean(reason, origin))


def refusal(text: str, origin: Origin, extra: Words = (), otherwise: RejectClass = "bad_request") -> Reject:
    """Of an error: by its words, else by its status, else `otherwise`."""
    found = class_of(text, extra)
    if found is None and origin.status is not None and origin.status >= 400:
        found = reject_class(origin.status)
    return refuse(found or otherwise, text.strip() or f"status {origin.status} without a word", origin)


def clean(text: str, origin: Origin) -> str:
    """An error's text, in one line, without keys, tokens and the values of secret parameters."""
    kept = text[: 4 * MAX_REASON_CHARS]
    for secret in _secrets(origin.endpoint):
        kept = kept.replace(secret, CUT)
    kept = _AFTER_KEY.sub(_cut_after_key, kept)
    kept = " ".join(_LONG.sub(CUT, word) if "://" not in word else redact(word) for word in kept.split())
    return kept[:MAX_REASON_CHARS] or "no reason given"


def _cut_after_key(match: re.Match[str]) -> str:
    if match[3].lower().strip("._-") in _PLAIN_WORDS:
        return match[0]
    return f"{match[1]}{match[2]}{CUT}"


def _secrets(endpoint: str) -> Iterable[str]:
    """Values of secret parameters of an address, longest first."""
    try:
        pairs = parse_qsl(urlsplit(endpoint).query)
    except ValueError:
        return ()
    return sorted((value for name, value in pairs if is_secret_name(name) and value), key=len, reverse=True)
