"""Driver errors say what the caller should do."""

from __future__ import annotations

import asyncpg
import pytest

from domain.errors import Corrupt, Rejected, Unavailable
from storage.pool import domain_errors


def out_of_range() -> Exception:
    """What asyncpg raises for an argument that a bigint cannot hold."""
    found = [kind for kind in asyncpg.InterfaceError.__subclasses__() if issubclass(kind, ValueError)]
    return found[0]("invalid input for query argument $1: value out of int64 range")


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (ConnectionRefusedError("nobody there"), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.ConnectionDoesNotExistError("gone"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (asyncpg.DiskFullError("no space left"), Unavailable),
        (asyncpg.InternalServerError("something odd"), Unavailable),
        (asyncpg.UndefinedTableError("no such table"), Unavailable),
        (asyncpg.InvalidPasswordError("no"), Rejected),
        (asyncpg.NumericValueOutOfRangeError("bigint out of range"), Rejected),
        (asyncpg.NotNullViolationError("null"), Rejected),
        (out_of_range(), Rejected),
        (asyncpg.DataCorruptedError("invalid page in block 7"), Corrupt),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_driver_error_becomes_ours(raised: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours, match="look up"), domain_errors("look up"):
        raise raised
