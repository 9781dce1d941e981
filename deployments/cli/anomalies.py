"""`financehub anomalies`: what is unlikely in a table of bars or trades, without starting anything."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import msgspec

from actors.tables.reader import read_table
from domain.anomalies.found import Finding
from domain.anomalies.tables import findings
from domain.errors import Malformed
from domain.tables import Table

DONE, NEGATIVE = 0, 1


def anomalies(arguments: argparse.Namespace) -> int:
    """One JSON line per anomaly: kind, class, row, time, severity in [0, 1], evidence.

    `row` and `time` (ns UTC; the row number where the table has no times) are those at which it is known,
    in the order of rows; `evidence.row` is the row it is about. 1 where the table cannot be read. Raises
    NotFound for a missing file.
    """
    try:
        table = read_table(Path(arguments.input), arguments.symbol)
    except Malformed as error:
        print(f"financehub: {error}", file=sys.stderr)
        return NEGATIVE
    for note in table.notes:
        print(f"financehub: {note}", file=sys.stderr)
    encode = msgspec.json.encode
    for row, finding in findings(table):
        sys.stdout.write(encode(line_of(table, row, finding)).decode() + "\n")
    return DONE


def line_of(table: Table, row: int, finding: Finding) -> dict[str, Any]:
    finite = {name: value for name, value in finding.evidence.items() if math.isfinite(value)}
    return {
        "kind": finding.kind,
        "class": finding.verdict,
        "row": row,
        "time": row if table.starts is None else int(table.starts[row]),
        "severity": finding.severity,
        "evidence": {"row": finding.row, **finite},
    }
