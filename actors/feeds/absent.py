"""What venues write where they have nothing: 0, "", null, a date far away.

A pair that never traded has the last price "0", a side without orders the best price "0.00000", a product
without a trade the newest id 0, a message without a time the year 1. None of these is a value: not for
whoever reads it, and not for what steers a session. A volume of 0 is a value: nothing was traded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta

from actors.feeds.scan import Amount, rfc3339_ns
from domain.errors import Malformed

Maybe = Amount | Literal[""] | None
"""A number, or nothing in any of the ways above."""
MaybeId = Annotated[int, Meta(ge=0)] | Literal[""] | None
"""A venue's number of a trade, or nothing."""
_DATE = re.compile(r"(\d{4})-\d\d-\d\d(?:[T ].*)?")
_FIRST_YEAR, _LAST_YEAR = 1970, 2099


def price(value: float | str | None) -> float | None:
    """A price, a tick or a vwap: 0 is none."""
    return value if isinstance(value, float) and value > 0.0 else None


def amount(value: float | str | None) -> float | None:
    """A volume or a count: 0 is one."""
    return value if isinstance(value, float) else None


def side(best: float | str | None, size: float | str | None) -> tuple[float | None, float | None]:
    """(price, size) of the best level of one side; without a price there is no size."""
    found = price(best)
    return found, price(size) if found is not None else None


def priced(*prices: float) -> bool:
    """Whether a bar's prices are prices: all of them 0 says that nothing was ever traded.

    Raises Malformed where only some are 0.
    """
    if min(prices) > 0.0:
        return True
    if max(prices) > 0.0:
        raise Malformed("some prices of the bar are 0")
    return False


def level(best: float, size: float) -> bool:
    """Whether a level of a book is one: a side without orders may be written as a level of 0 at 0.

    Raises Malformed where something is offered at 0.
    """
    if best > 0.0:
        return True
    if size > 0.0:
        raise Malformed("a level has the price 0")
    return False


def blank(text: str) -> bool:
    """Whether a number's text is empty or 0."""
    return not text.strip("0.")


def moment(text: str | None, read: Callable[[str], int] = rfc3339_ns) -> int | None:
    """A time in ns UTC; None for an empty text, the epoch itself, and years outside 1970 to 2099.

    Raises Malformed for what is no time.
    """
    if not text:
        return None
    try:
        return read(text) or None
    except Malformed:
        date = _DATE.fullmatch(text)
        if date is None or _FIRST_YEAR <= int(date[1]) <= _LAST_YEAR:
            raise
        return None


def required_moment(text: str | None, read: Callable[[str], int] = rfc3339_ns) -> int:
    """The same where the time of receipt may not stand in for it. Raises Malformed."""
    found = moment(text, read)
    if found is None:
        raise Malformed(f"time {text!r} says that there is none")
    return found
