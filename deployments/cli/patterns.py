"""`financehub patterns`: a table of bars to the patterns in it, as JSON lines, without starting anything."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import numpy as np

from actors.tables.reader import read_table
from domain.errors import Malformed
from domain.patterns.bar import is_usable
from domain.patterns.events import CHART_PATTERNS, PatternEvent
from domain.patterns.table import events_of
from domain.tables import Table

DONE, NEGATIVE = 0, 1
LONG_GAP = 10
"""A distance between rows of so many usual ones is worth a remark."""


def patterns(arguments: argparse.Namespace) -> int:
    """One JSON line per event, in the order in which they became known.

    1 where the table cannot be read. Raises Malformed for a pattern that does not exist, NotFound for a
    missing file, Unavailable where candlesticks are asked for and TA-Lib is not installed.
    """
    wanted = _wanted(arguments.pattern)
    candles = arguments.candles or any(name.startswith("cdl_") for name in wanted)
    try:
        table = read_table(Path(arguments.input), arguments.symbol)
    except Malformed as error:
        _say(str(error))
        return NEGATIVE
    for remark in (*table.notes, *_remarks(table)):
        _say(remark)
    encoder = msgspec.json.Encoder()
    for event in events_of(table, candles=candles, rough=arguments.rough):
        if not wanted or event.pattern in wanted:
            sys.stdout.write(encoder.encode(_line(event)).decode() + "\n")
    return DONE


def _wanted(names: list[str] | None) -> frozenset[str]:
    """Empty: all. Candlesticks are known by TA-Lib only."""
    for name in names or ():
        if name not in CHART_PATTERNS and not name.startswith("cdl_"):
            raise Malformed(f"no pattern {name!r}; there are {', '.join(CHART_PATTERNS)} and TA-Lib's cdl_*")
    return frozenset(names or ())


def _remarks(table: Table) -> list[str]:
    left_out = sum(
        not is_usable(*bar) for bar in zip(*(each.tolist() for each in table.bars[:4]), strict=True)
    )
    remarks = [f"{left_out} of {len(table)} rows are left out"] if left_out else []
    usual = table.spacing_ns
    if table.starts is not None and usual:
        gaps = np.flatnonzero(np.diff(table.starts) > LONG_GAP * usual)
        if gaps.size:
            more = f" and {gaps.size - 1} more" if gaps.size > 1 else ""
            place = f"row {int(gaps[0]) + 1}{more}"
            remarks.append(f"{place}: a gap of more than {LONG_GAP} bars; patterns count bars, not time")
    return remarks


def _line(event: PatternEvent) -> dict[str, object]:
    return {
        "pattern": event.pattern,
        "state": event.state,
        "row": event.row,
        "time": event.ts,
        "anchors": [
            {"row": each.row, "time": each.ts, "price": each.price, "role": each.role}
            for each in event.anchors
        ],
        "target": event.target,
        "confidence": event.confidence,
        "figure": event.figure,
        "direction": {1: "up", -1: "down", 0: None}[event.direction],
        "reason": event.reason,
    }


def _say(text: str) -> None:
    print(f"financehub: {text}", file=sys.stderr)
