"""`financehub indicators`: a table of bars to a table of indicator values, without starting anything."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from actors.tables.reader import read_table
from domain.errors import Malformed
from domain.indicators.bank import first_values
from domain.indicators.bars import Floats
from domain.indicators.catalog import CATALOG
from domain.indicators.history import history
from domain.indicators.spec import Spec, parse_spec
from domain.market.intervals import interval_ns
from domain.tables import Table

DONE, NEGATIVE = 0, 1


def indicators(arguments: argparse.Namespace) -> int:
    """CSV to stdout: `time` and each spec as written, one row per bar, empty where there is no value.

    1 where the table cannot be read or lacks what a spec needs. Raises Malformed for a faulty spec and
    NotFound for a missing file.
    """
    specs = [parse_spec(text) for text in arguments.spec]
    try:
        table = read_table(Path(arguments.input))
        for spec in specs:
            _check(spec, table)
    except Malformed as error:
        _say(str(error))
        return NEGATIVE
    for note in table.notes:
        _say(note)
    _write(arguments.spec, table, _columns(specs, table))
    return DONE


def _check(spec: Spec, table: Table) -> None:
    """Raises Malformed where the table lacks volume or has bars of another interval."""
    inner: Spec | str | None = spec
    while isinstance(inner, Spec):
        needs = {*CATALOG[inner.name].about.inputs, inner.source}
        if "volume" in needs and not table.has_volume and len(table):
            raise Malformed(f"{spec} reads volume, which the table does not have")
        inner = inner.source
    if spec.interval is not None and len(table) > 1 and table.spacing_ns != interval_ns(spec.interval):
        found = "no times" if table.spacing_ns is None else f"bars every {table.spacing_ns / 1e9:g} s"
        raise Malformed(f"{spec} is of {spec.interval} bars, the table has {found}")


def _columns(specs: list[Spec], table: Table) -> list[Floats]:
    """One column per spec; figures that share their state are computed once."""
    computed: dict[Spec, tuple[Floats, ...]] = {}
    columns = []
    for spec in specs:
        if spec.figure not in computed:
            computed[spec.figure] = history(spec, table.bars)
        values = computed[spec.figure][spec.place]
        needed = first_values(spec.figure)[spec.place] + 1
        if len(table) < needed:
            _say(f"{spec} has its first value after {needed} bars, the table has {len(table)}")
        columns.append(values)
    return columns


def _write(names: list[str], table: Table, columns: list[Floats]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["time", *names])
    texts = (["" if np.isnan(value) else repr(value) for value in column.tolist()] for column in columns)
    writer.writerows(zip(table.times, *texts, strict=True))


def _say(text: str) -> None:
    print(f"financehub: {text}", file=sys.stderr)
