"""`financehub indicators`: a table of bars to a table of indicator values, without starting anything."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from actors.tables.reader import read_table
from actors.tables.splits import read_splits
from domain.errors import Malformed
from domain.indicators.bank import first_values
from domain.indicators.bars import Floats
from domain.indicators.beside import Series, spec_columns
from domain.indicators.catalog import CATALOG
from domain.indicators.resample import coarser
from domain.indicators.sessions import Sessions, parse_sessions
from domain.indicators.spec import Spec, parse_spec
from domain.market.adjust import adjusted
from domain.market.intervals import INTERVAL_NS, interval_ns
from domain.market.splits import Split
from domain.tables import Table

DONE, NEGATIVE = 0, 1


def indicators(arguments: argparse.Namespace) -> int:
    """CSV to stdout: `time` and each spec as written, one row per bar, empty where there is no value.

    1 where a table cannot be read or lacks what a spec needs. Raises Malformed for a faulty spec or
    session and NotFound for a missing file.
    """
    specs = [parse_spec(text) for text in arguments.spec]
    sessions = parse_sessions(arguments.session)
    try:
        table = read_table(Path(arguments.input), arguments.symbol)
        for spec in specs:
            _check(spec, table)
        splits = read_splits(Path(arguments.splits)) if arguments.splits else []
        base = _base(table, sessions, splits)
    except Malformed as error:
        _say(str(error))
        return NEGATIVE
    for note in (*table.notes, *_without_flow(specs, table)):
        _say(note)
    _write(arguments.spec, table, _columns(specs, base))
    return DONE


def _check(spec: Spec, table: Table) -> None:
    """Raises Malformed where the table lacks volume or its bars cannot make those of the spec."""
    needs = {name for figure in _figures(spec) for name in (*_inputs(figure), figure.source)}
    if "volume" in needs and not table.has_volume and len(table):
        raise Malformed(f"{spec} reads volume, which the table does not have")
    if spec.interval is not None and len(table) > 1 and not _makes(spec.interval, table):
        found = "no times" if table.spacing_ns is None else f"bars every {table.spacing_ns / 1e9:g} s"
        raise Malformed(f"{spec} is of {spec.interval} bars, the table has {found}")


def _figures(spec: Spec) -> Iterator[Spec]:
    """It and those within."""
    yield spec
    if isinstance(spec.source, Spec):
        yield from _figures(spec.source)


def _inputs(figure: Spec) -> tuple[str, ...]:
    return CATALOG[figure.name].about.inputs


def _without_flow(specs: list[Spec], table: Table) -> Iterator[str]:
    """A remark on rows that a figure weighing prices by volume counts without one."""
    if not any("volume" in _inputs(figure) for spec in specs for figure in _figures(spec)):
        return
    rows = np.flatnonzero(~(table.bars.volume >= 0.0))
    if rows.size:
        more = f" and {rows.size - 1} more" if rows.size > 1 else ""
        yield f"row {int(rows[0])}{more} has no volume: the price counts, the flow is taken for 0"


def _makes(interval: str, table: Table) -> bool:
    """Whether bars of an interval can be put together from the table's rows."""
    spacing = table.spacing_ns
    if spacing is None:
        return False
    return table.kind == "trades" or interval_ns(interval) % max(1, spacing) == 0


def _base(table: Table, sessions: Sessions, splits: list[Split]) -> Series:
    """The table's rows; a trade ends when it happens. Raises Malformed for splits without times."""
    if table.starts is None:
        if splits:
            raise Malformed("splits need times, which the table does not have")
        rows = np.arange(len(table))
        return Series(None, rows, rows, table.bars)
    spacing = table.spacing_ns or 0
    length = spacing if table.kind == "bars" else 0
    own = next((name for name, ns in INTERVAL_NS.items() if ns == length), None)
    bars = table.bars._replace(session=sessions.days(table.starts))
    return Series(own, table.starts, table.starts + length, adjusted(table.starts, bars, splits))


def _columns(specs: list[Spec], base: Series) -> list[Floats]:
    """One column per spec; of a coarser interval from its bar's close on."""
    series: dict[str, Series] = {}

    def resampled(interval: str) -> Series:
        length = interval_ns(interval)
        starts, bars = coarser(base.starts, base.bars, length)
        series[interval] = Series(interval, starts, starts + length, bars)
        return series[interval]

    columns = spec_columns(specs, base, resampled)
    for spec in specs:
        own = series.get(spec.interval or "", base)
        needed = first_values(spec.figure)[spec.place] + 1
        if len(own.starts) < needed:
            _say(f"{spec} has its first value after {needed} bars, the table has {len(own.starts)}")
    return columns


def _write(names: list[str], table: Table, columns: list[Floats]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["time", *names])
    texts = (["" if np.isnan(value) else repr(value) for value in column.tolist()] for column in columns)
    writer.writerows(zip(table.times, *texts, strict=True))


def _say(text: str) -> None:
    print(f"financehub: {text}", file=sys.stderr)
