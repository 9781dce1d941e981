"""Polars in, Polars out: indicators of many series in one frame. The only module here that imports Polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from domain.errors import Malformed
from domain.indicators.bars import Bars, Floats, Integers
from domain.indicators.beside import Series, spec_columns
from domain.indicators.history import history
from domain.indicators.resample import coarser
from domain.indicators.spec import Spec, parse_spec
from domain.market.intervals import INTERVAL_NS, interval_ns

COLUMNS_AT_ONCE = 250
"""Series computed side by side: enough to share the cost per call, few enough for the processor's cache."""

_PRICES = ("open", "high", "low")


def with_indicators(frame: pl.DataFrame, specs: Sequence[str], *, by: str | None = None) -> pl.DataFrame:
    """The frame with a column per spec, named as the spec is written, null where there is no value.

    `by` names the column that tells series apart; rows of a series stand oldest first, series may be
    mixed. Columns `close` and what the specs read must be there; absent prices are the close, an absent
    volume is no number. `session` (whole numbers) or else `time` (the UTC day) says where sessions
    begin. A spec of a larger interval than the rows' own is told from its bar's close on. Raises
    Malformed for a faulty spec, a missing column, or times that fall within a series.
    """
    parsed = [parse_spec(text) for text in specs]
    order, lengths = _series(frame, by)
    columns = _columns(frame)
    _check_order(frame, order, lengths)
    found = np.full((len(specs), len(frame)), np.nan)
    _fill(found, parsed, columns, order, lengths)
    intervals = {spec.interval for spec in parsed if spec.interval is not None}
    if intervals:
        clock = _Clock(frame, order, lengths)
        for interval in sorted(intervals - {clock.interval}):
            places = [place for place, spec in enumerate(parsed) if spec.interval == interval]
            found[places] = clock.coarse([parsed[place] for place in places], columns, interval)
    return frame.with_columns(
        pl.Series(text, values).fill_nan(None) for text, values in zip(specs, found, strict=True)
    )


def _fill(found: Floats, parsed: Sequence[Spec], columns: Bars, order: Integers, lengths: Integers) -> None:
    """Values over the rows as they are, (specs, rows)."""
    for rows in _batches(order, lengths):
        here = rows >= 0
        whole = bool(here.all())
        bars = columns.map(partial(_laid_out, rows))
        for place, values in enumerate(_values(parsed, bars)):
            if whole:
                found[place, rows] = values
            else:
                found[place, rows[here]] = values[here]


class _Clock:
    """When each row of a frame begins and ends. Raises Malformed for a frame without times."""

    def __init__(self, frame: pl.DataFrame, order: Integers, lengths: Integers) -> None:
        if "time" not in frame.columns or not frame["time"].dtype.is_temporal():
            raise Malformed("a spec with an interval needs the column 'time'")
        self._starts = frame["time"].cast(pl.Datetime("ns")).to_physical().to_numpy().astype(np.int64)
        cuts = np.cumsum(lengths)[:-1]
        self._series = np.split(order, cuts)
        gaps = np.delete(np.diff(self._starts[order]), cuts - 1)
        found, counts = np.unique(gaps, return_counts=True)
        self.spacing = int(found[counts.argmax()]) if len(found) else 0
        self.interval = next((name for name, ns in INTERVAL_NS.items() if ns == self.spacing), None)

    def coarse(self, specs: Sequence[Spec], columns: Bars, interval: str) -> Floats:
        """(specs, rows). Raises Malformed where the rows cannot make bars of the interval."""
        length = interval_ns(interval)
        if not self.spacing or length % self.spacing:
            raise Malformed(f"{specs[0]} is of {interval} bars, the rows are {self.spacing / 1e9:g} s apart")
        told = np.full((len(specs), len(self._starts)), np.nan)
        for rows in self._series:
            starts, bars = self._starts[rows], columns.map(partial(_taken, rows))
            base = Series(None, starts, starts + self.spacing, bars)
            coarse_starts, coarse = coarser(starts, bars, length)
            larger = Series(interval, coarse_starts, coarse_starts + length, coarse)
            told[:, rows] = np.stack(spec_columns(specs, base, {interval: larger}.__getitem__))
        return told


def _taken(rows: Integers, column: NDArray[np.generic]) -> NDArray[np.generic]:
    return column[rows]


def _values(specs: Sequence[Spec], bars: Bars) -> Iterator[Floats]:
    computed: dict[Spec, tuple[Floats, ...]] = {}
    for spec in specs:
        if spec.figure not in computed:
            computed[spec.figure] = history(spec, bars)
        yield computed[spec.figure][spec.place]


def _series(frame: pl.DataFrame, by: str | None) -> tuple[Integers, Integers]:
    """(row numbers, series after series; length of each series)."""
    if by is None:
        return np.arange(len(frame)), np.array([len(frame)])
    if by not in frame.columns:
        raise Malformed(f"the frame has no column {by!r}")
    codes = frame[by].rank("dense").to_numpy().astype(np.int64) - 1
    return np.argsort(codes, kind="stable"), np.bincount(codes)


def _columns(frame: pl.DataFrame) -> Bars:
    """Flat columns in the frame's order."""
    if "close" not in frame.columns:
        raise Malformed("the frame has no column 'close'")
    close = _floats(frame, "close")
    opened, high, low = (_floats(frame, name) if name in frame.columns else close for name in _PRICES)
    volume = _floats(frame, "volume") if "volume" in frame.columns else np.full(len(frame), np.nan)
    return Bars(opened, high, low, close, volume, _sessions(frame))


def _floats(frame: pl.DataFrame, name: str) -> Floats:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _sessions(frame: pl.DataFrame) -> Integers:
    if "session" in frame.columns:
        return frame["session"].cast(pl.Int64).to_numpy()
    if "time" in frame.columns and frame["time"].dtype.is_temporal():
        return frame["time"].cast(pl.Date).cast(pl.Int64).to_numpy()
    return np.zeros(len(frame), np.int64)


def _check_order(frame: pl.DataFrame, order: Integers, lengths: Integers) -> None:
    if "time" not in frame.columns:
        return
    times = frame["time"].to_physical().to_numpy()[order]
    falls = np.diff(times) <= 0
    falls[np.cumsum(lengths)[:-1] - 1] = False
    if falls.any():
        row = int(order[np.flatnonzero(falls)[0] + 1])
        raise Malformed(f"row {row}: times must rise within a series")


def _batches(order: Integers, lengths: Integers) -> Iterator[Integers]:
    """(bars, series) of row numbers, -1 where a series has no more bars; longest series together."""
    begins = np.cumsum(lengths) - lengths
    by_length = np.argsort(-lengths, kind="stable")
    for first in range(0, len(by_length), COLUMNS_AT_ONCE):
        chosen = by_length[first : first + COLUMNS_AT_ONCE]
        bar = np.arange(int(lengths[chosen].max(initial=0)))[:, None]
        places = np.minimum(begins[chosen] + bar, max(0, len(order) - 1))
        yield np.where(bar < lengths[chosen], order[places] if len(order) else -1, -1)


def _laid_out(rows: Integers, column: NDArray[np.generic]) -> NDArray[np.generic]:
    """A column's cells at (bars, series) of row numbers; NaN, or 0 in whole numbers, at -1."""
    if not len(column):
        return np.zeros(rows.shape, column.dtype)
    cells = column[rows]
    if (rows[-1:] < 0).any():
        cells[rows < 0] = np.array(np.nan if column.dtype.kind == "f" else 0, column.dtype)
    return cells
