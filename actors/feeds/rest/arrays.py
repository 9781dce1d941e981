"""Arrays that are a body of their own, or have cells without names."""

from __future__ import annotations

from domain.errors import Malformed

MAX_NAME_CHARS = 60


def array(value: object) -> list[object]:
    """Raises Malformed."""
    if not isinstance(value, list):
        raise Malformed(f"a {type(value).__name__} where an array was expected")
    return value


def cells(value: object, count: int) -> list[object]:
    """A row of so many cells. Raises Malformed."""
    row = array(value)
    if len(row) != count:
        raise Malformed(f"a row of {len(row)} cells where {count} were expected")
    return row


def named(key: str) -> str:
    """A key of a body as it is shown in a reason."""
    return repr(key[:MAX_NAME_CHARS])
