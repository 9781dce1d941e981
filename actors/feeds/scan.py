"""Numbers and times straight from a venue's text, exact and fast, with the limits that keep nonsense out.

`Amount` and `Price` are for msgspec decoding with `strict=False`: a JSON number or a number in quotes
becomes a float; NaN, infinities and negative values are refused with the path of the field.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from domain.clock import MAX_NS, MIN_NS, NS_PER_S, NS_PER_US, parse_time
from domain.errors import Malformed

Amount = Annotated[float, Meta(ge=0.0, le=sys.float_info.max)]
"""A size, a volume, or a price that a venue writes as 0 where it has none."""
Price = Annotated[float, Meta(gt=0.0, le=sys.float_info.max)]

MAX_FRACTION_DIGITS = 9
_FRACTION_NS: tuple[int, ...] = tuple(
    10 ** (MAX_FRACTION_DIGITS - digits) for digits in range(MAX_FRACTION_DIGITS + 1)
)
_MAX_SECONDS_DIGITS = 12
_USUAL_SECONDS_CHARS = 17
"""`1618678133.365913`"""
_USUAL_RFC3339_CHARS = 27
"""`2023-10-06T17:35:55.440295Z`"""
_MAX_SECONDS = 1024
_RFC3339_SECONDS: dict[str, int] = {}
_EPOCH_SECONDS: dict[str, int] = {}
"""A time up to the point of its second -> ns: what comes now is of the last few seconds."""


def rfc3339_ns(text: str) -> int:
    """`2023-10-06T17:35:55.440295Z` -> ns UTC, exact to 9 digits. Raises Malformed.

    The usual form (UTC, with a fraction) takes a short way: its minute is remembered.
    """
    if len(text) == _USUAL_RFC3339_CHARS and text[26] == "Z":
        second_ns, micros = _RFC3339_SECONDS.get(text[:20]), text[20:26]
        if micros.isdigit() and micros.isascii():
            if second_ns is None:
                second_ns = _second_ns(text[:20])
            if second_ns is not None:
                return second_ns + int(micros) * NS_PER_US
    if len(text) > 21 and text[19] == "." and text[-1] == "Z" and text.isascii():
        seconds, fraction = text[17:19], text[20:-1]
        if (
            seconds.isdigit()
            and seconds < "60"
            and fraction.isdigit()
            and len(fraction) <= MAX_FRACTION_DIGITS
        ):
            minute_ns = _minute_ns(text[:17])
            return minute_ns + int(seconds) * NS_PER_S + int(fraction) * _FRACTION_NS[len(fraction)]
    return checked_ns(parse_time(text))


def _second_ns(prefix: str) -> int | None:
    """`2023-10-06T17:35:55.` -> ns, remembered; None for another form. Raises Malformed."""
    seconds = prefix[17:19]
    if prefix[19] != "." or not seconds.isdigit() or not prefix.isascii() or seconds >= "60":
        return None
    return _remember(_RFC3339_SECONDS, prefix, _minute_ns(prefix[:17]) + int(seconds) * NS_PER_S)


def _epoch_second_ns(prefix: str) -> int | None:
    """`1618678133.` -> ns, remembered; None for another form. Raises Malformed."""
    seconds = prefix[:10]
    if prefix[10] != "." or not seconds.isdigit() or not seconds.isascii():
        return None
    second_ns = checked_ns(int(seconds) * NS_PER_S + NS_PER_S) - NS_PER_S
    return _remember(_EPOCH_SECONDS, prefix, second_ns)


def _remember(seconds: dict[str, int], prefix: str, second_ns: int) -> int:
    if len(seconds) >= _MAX_SECONDS:
        seconds.clear()
    seconds[prefix] = second_ns
    return second_ns


@lru_cache(maxsize=1024)
def _minute_ns(prefix: str) -> int:
    return checked_ns(parse_time(prefix + "00Z"))


def decimal_seconds_ns(text: str) -> int:
    """Decimal seconds as text, `1618678133.365913` -> ns UTC, exact. Raises Malformed.

    Digits beyond the ninth are cut off, as Kraken's REST API prints the float it holds.
    """
    if len(text) == _USUAL_SECONDS_CHARS:
        second_ns, micros = _EPOCH_SECONDS.get(text[:11]), text[11:]
        if micros.isdigit() and micros.isascii():
            if second_ns is None:
                second_ns = _epoch_second_ns(text[:11])
            if second_ns is not None:
                return second_ns + int(micros) * NS_PER_US
    whole, _, fraction = text.partition(".")
    digits = fraction[:MAX_FRACTION_DIGITS]
    if not whole.isdigit() or not (fraction == "" or fraction.isdigit()) or not text.isascii():
        raise Malformed(f"time {text[:40]!r} is not decimal seconds, like 1618678133.365913")
    if len(whole) > _MAX_SECONDS_DIGITS:
        raise Malformed(f"time {text[:40]!r} is beyond the year 2100")
    return checked_ns(int(whole) * NS_PER_S + (int(digits) * _FRACTION_NS[len(digits)] if digits else 0))


def checked_ns(ns: int) -> int:
    """The time itself where it lies between 1970 and 2100. Raises Malformed: another unit is meant."""
    if MIN_NS <= ns <= MAX_NS:
        return ns
    raise Malformed(f"time {ns} ns lies outside 1970 to 2100")
