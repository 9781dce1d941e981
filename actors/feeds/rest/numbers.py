"""Numbers as providers write them: JSON numbers, text, text with a percent sign, words for "nothing".

None means that the provider says nothing. All functions raise Malformed for what is neither.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from domain.errors import Malformed

ABSENT = frozenset({"", ".", "-", "--", "—", "none", "null", "nan", "n/a", "na", "nil"})
"""Words for "nothing" where a number or a description is expected, in lower case."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
MAX_DIGITS = 400
"""A longer text is no number of ours; Python refuses to read far longer ones anyway."""


def is_absent(value: object) -> bool:
    """Whether a field says nothing: null, "", "None", "." and the like."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ABSENT)


def number(value: object) -> float | None:
    """`1.5`, `"1.5"`, `"1,234.5"` -> float; None where absent."""
    if is_absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Malformed(f"{_short(value)} is no number")
    try:
        found = float(_digits(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        raise Malformed(f"{_short(value)} is no number") from None
    if not math.isfinite(found):
        raise Malformed(f"{_short(value)} is no finite number")
    return found


def _digits(text: str) -> str:
    stripped = text.strip()
    if len(stripped) > MAX_DIGITS:
        raise ValueError
    if _NUMBER.fullmatch(stripped):
        return stripped
    if _GROUPED.fullmatch(stripped):
        return stripped.replace(",", "")
    raise ValueError


def percent(value: object) -> float | None:
    """`"-0.5852%"` -> -0.5852: percent stay percent, with or without the sign."""
    return number(value.strip().removesuffix("%")) if isinstance(value, str) else number(value)


def price(value: object) -> float | None:
    """A price; 0 says that there is none. Raises Malformed below 0."""
    found = number(value)
    if found is not None and found < 0.0:
        raise Malformed(f"price {_short(value)} is below 0")
    return found or None


def amount(value: object) -> float | None:
    """A volume or a size: 0 is one. Raises Malformed below 0."""
    found = number(value)
    if found is not None and found < 0.0:
        raise Malformed(f"amount {_short(value)} is below 0")
    return found


def volume(value: object) -> float:
    """Of a bar, where NaN stands for what the provider does not say: JSON has null for it."""
    found = amount(value)
    return math.nan if found is None else found


def whole(value: object) -> int | None:
    """A count or a year. Raises Malformed for a fraction."""
    found = number(value)
    if found is None:
        return None
    if found != math.floor(found) or abs(found) > 2**63:
        raise Malformed(f"{_short(value)} is no whole number")
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)  # more digits than a float keeps
    return value if isinstance(value, int) else int(found)


def scaled(value: float | None, factor: int) -> float | None:
    """A number given in thousands or millions, in whole units; exact in decimals, as it was written."""
    return None if value is None else float(Decimal(repr(value)) * factor)


def _short(value: object) -> str:
    text = str(value) if isinstance(value, str | int | float) else type(value).__name__
    return repr(text[:40])
