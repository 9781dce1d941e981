"""Headers of two lines, as yfinance writes them: one says the field of a column, the other its symbol."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Malformed
from domain.table_layout import plain

_FIELDS = frozenset(
    ("open", "high", "low", "close", "adj close", "volume", "dividends", "stock splits", "capital gains")
)
_CORNERS = frozenset(("price", "ticker", "symbols", "attributes", ""))
MOST_LISTED = 5
"""Symbols named in an error."""

Rows = Sequence[Sequence[str]]


def one_header(names: Sequence[str], rows: Rows, symbol: str | None) -> tuple[Sequence[str], Rows]:
    """The table with a header of one line and a column `symbol`, where it had two lines; else as it is.

    Raises Malformed where it holds several symbols and none, or one that is not there, is chosen.
    """
    lines = _two_lines(names, rows)
    if lines is None:
        return names, rows
    fields, symbols = lines
    found = sorted(set(symbols))
    if symbol is None and len(found) > 1:
        raise Malformed(f"{len(found)} symbols in the header ({listed(found)}): choose one with --symbol")
    chosen = found[0] if symbol is None else symbol
    places = [place for place, each in enumerate(symbols, start=1) if each == chosen]
    if not places:
        raise Malformed(f"no column of {symbol!r}, the header has {listed(found)}")
    data = rows[2:] if len(rows) > 1 and _is_index_name(rows[1]) else rows[1:]
    narrow = [[*(row[place] for place in (0, *places) if place < len(row)), chosen] for row in data]
    return ["date", *(fields[place - 1] for place in places), "symbol"], narrow


def listed(symbols: Sequence[str]) -> str:
    """The first of them, shortened."""
    more = f" and {len(symbols) - MOST_LISTED} more" if len(symbols) > MOST_LISTED else ""
    return ", ".join(symbol[:20] or "''" for symbol in symbols[:MOST_LISTED]) + more


def _two_lines(names: Sequence[str], rows: Rows) -> tuple[list[str], list[str]] | None:
    """(fields, symbols) of the columns after the first; None where the first line is the whole header."""
    if not rows or len(rows[0]) != len(names) or plain(names[0]) not in _CORNERS:
        return None
    if plain(rows[0][0]) not in _CORNERS:
        return None
    first, second = list(names[1:]), rows[0][1:]
    for fields, symbols in ((first, second), (second, first)):
        if _are_fields(fields) and not _are_fields(symbols) and not any(map(_is_number, symbols)):
            return [plain(each) for each in fields], [each.strip() for each in symbols]
    return None


def _are_fields(cells: Sequence[str]) -> bool:
    return bool(cells) and all(plain(each) in _FIELDS for each in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def _is_index_name(row: Sequence[str]) -> bool:
    """A third line that names nothing but the column of times."""
    return plain(row[0]) in ("date", "datetime", "") and not any(cell.strip() for cell in row[1:])
