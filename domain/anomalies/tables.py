"""Anomalies of an input table, row by row; bars and trades have detectors of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from domain.anomalies.bar_detector import BarDetector
from domain.anomalies.found import Finding
from domain.anomalies.stillness import Pulse, Stillness
from domain.anomalies.surroundings import Alone
from domain.anomalies.trade_detector import TradeDetector
from domain.clock import NS_PER_S
from domain.tables import Table


def findings(table: Table) -> Iterator[tuple[int, Finding]]:
    """(row on which it is known, finding), in the order of rows. `finding.row` is the row it is about."""
    return _of_trades(table) if table.kind == "trades" else _of_bars(table)


def _of_bars(table: Table) -> Iterator[tuple[int, Finding]]:
    timed = table.starts is not None
    detector = BarDetector(timed=timed)
    starts = _starts(table)
    columns = (column.tolist() for column in table.bars[:5])
    for row, (ts, *figures) in enumerate(zip(starts, *columns, strict=True)):
        for finding in detector.observe(ts, *figures):
            yield row, finding


def _of_trades(table: Table) -> Iterator[tuple[int, Finding]]:
    """Trades alone: no quotes and no other provider can speak for or against them."""
    detector = TradeDetector(Alone())
    pulse, still = Pulse(), Stillness()
    sides = table.sides or (None,) * len(table)
    columns = (_starts(table), table.bars.close.tolist(), table.bars.volume.tolist(), sides)
    for row, (ts, price, size, side) in enumerate(zip(*columns, strict=True)):
        found = detector.observe(ts, price, size, side)
        if found is None:
            continue
        if detector.bucket_start == ts:
            pulse.beat(ts)
            moved, detector.moved = detector.moved, False
            if still.observe(pulse.before, ts, detector.rows, moved=moved):
                still.told = True
                found.append(_frozen(still, row, ts))
        for finding in found:
            yield row, finding


def _frozen(still: Stillness, row: int, ts: int) -> Finding:
    evidence = {
        "still_s": (ts - still.since) / NS_PER_S,
        "needed_s": still.needed_ns / NS_PER_S,
        "updates": float(still.run_updates),
    }
    about = max(0, row - still.run_updates)
    return Finding("frozen_feed", "data_error", 0.5, about, still.since, evidence)


def _starts(table: Table) -> list[int]:
    """Without times each row is a second."""
    starts = table.starts
    if starts is None:
        starts = np.arange(len(table), dtype=np.int64) * NS_PER_S
    rows: list[int] = starts.tolist()
    return rows
