"""The figures that a partition keeps up: a column bank per figure and interval, a row per instrument.

    observe(events) ──> values         closed and corrected bars in log order; live and in replay alike
    snapshot(instrument) / restore     one instrument's rows, to the bit

Values follow from the bars, so they are told and never recorded. Bars that close together advance all
their rows in one call; how events are grouped into calls makes no difference to state or values. A
corrected bar within the last `depth` is fed again with what came after it; an older one changes nothing
here and is right again on read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from domain.errors import Corrupt
from domain.indicators.bank import RowState
from domain.indicators.bars import Bars, Floats, Integers
from domain.indicators.corrections import CorrectableBank
from domain.indicators.sessions import UTC_DAYS
from domain.indicators.spec import Spec
from domain.market.decisions import BarClosed, BarCorrected

BarEvent = BarClosed | BarCorrected
DEFAULT_INTERVAL = "1m"
DEPTH = 16
FIRST_ROWS = 16
WIDTH = 5
"""Numbers per bar: open, high, low, close, volume."""


class Value(NamedTuple):
    """An indicator at one bar; NaN where there is no value."""

    instrument: str
    interval: str
    spec: str
    ts_event: int
    revision: int
    value: float


class FigureState(Struct, frozen=True, array_like=True):
    """One instrument's row of one bank: bars fed, state now, newer and older checkpoint."""

    fed: int
    now: RowState
    newer: RowState
    older: RowState


class IntervalState(Struct, frozen=True, array_like=True):
    """`starts` int64 and `cells` float64 of the bars kept for corrections, oldest first."""

    interval: str
    starts: bytes
    cells: bytes
    figures: tuple[FigureState, ...]


class Shelf:
    """All figures of one partition; the specs are fixed when it is made. Bounded per instrument."""

    def __init__(self, specs: Sequence[Spec], *, depth: int = DEPTH) -> None:
        by_interval: dict[str, list[Spec]] = {}
        for spec in specs:
            by_interval.setdefault(spec.interval or DEFAULT_INTERVAL, []).append(spec.without_interval)
        self._boards = {name: _Board(name, own, depth) for name, own in sorted(by_interval.items())}

    def observe(self, events: Iterable[object]) -> list[Value]:
        """Fold bars; events of other kinds and intervals pass by. Values in the order of the bars."""
        told: list[Value] = []
        together: dict[str, BarClosed] = {}
        board: _Board | None = None
        for event in events:
            if not isinstance(event, BarEvent) or event.interval not in self._boards:
                continue
            here = self._boards[event.interval]
            alone = isinstance(event, BarCorrected) or here is not board or event.instrument in together
            if together and board is not None and alone:
                told += board.close(list(together.values()))
                together = {}
            board = here
            if isinstance(event, BarCorrected):
                told += here.correct(event)
            else:
                together[event.instrument] = event
        if together and board is not None:
            told += board.close(list(together.values()))
        return told

    def snapshot(self, instrument: str) -> tuple[IntervalState, ...]:
        """Its rows, by interval; empty where it has had no bar."""
        return tuple(board.snapshot(instrument) for board in self._boards.values() if board.has(instrument))

    def packed(self, instrument: str) -> bytes:
        """The snapshot as msgpack; empty where there is none."""
        states = self.snapshot(instrument)
        return msgspec.msgpack.encode(states) if states else b""

    def unpack(self, instrument: str, packed: bytes) -> None:
        """Restore what `packed` gave. Raises Corrupt."""
        if not packed:
            return
        try:
            states = msgspec.msgpack.decode(packed, type=tuple[IntervalState, ...])
        except msgspec.MsgspecError as error:
            raise Corrupt(f"indicator state of {instrument!r} cannot be read: {error}") from None
        self.restore(instrument, states)

    def restore(self, instrument: str, states: Sequence[IntervalState]) -> None:
        """Raises Corrupt where a state is of other specs or another version."""
        for state in states:
            if state.interval not in self._boards:
                raise Corrupt(f"indicator state of interval {state.interval!r}, which has no figure here")
            self._boards[state.interval].restore(instrument, state)


class _Board:
    """The figures over the bars of one interval."""

    def __init__(self, interval: str, specs: Sequence[Spec], depth: int) -> None:
        self.interval = interval
        self._specs = [(str(spec), spec.figure, spec.place) for spec in specs]
        self._banks = {figure: CorrectableBank(figure, depth=depth) for _, figure, _ in self._specs}
        self._rows: dict[str, int] = {}
        self._room = 0
        self._keep = 2 * depth + 2
        self._starts: list[array[int]] = []
        self._cells: list[array[float]] = []

    def has(self, instrument: str) -> bool:
        return instrument in self._rows

    def close(self, bars: Sequence[BarClosed]) -> list[Value]:
        """One closed bar each of distinct instruments."""
        rows = np.array([self._row(bar.instrument) for bar in bars], np.int64)
        for row, bar in zip(rows.tolist(), bars, strict=True):
            self._keep_bar(row, len(self._starts[row]), bar, put_in=True)
        columns = _columns(
            [bar.ts_event for bar in bars], [number for bar in bars for number in _numbers(bar)]
        )
        outputs = {figure: bank.update(rows, columns) for figure, bank in self._banks.items()}
        return [
            self._value(bar, name, float(outputs[figure][place][number]))
            for number, bar in enumerate(bars)
            for name, figure, place in self._specs
        ]

    def correct(self, event: BarCorrected) -> list[Value]:
        """The corrected bar's values; later bars' change with it and are not told."""
        row = self._row(event.instrument)
        starts = self._starts[row]
        place = bisect_left(starts, event.ts_event)
        known = place < len(starts) and starts[place] == event.ts_event
        behind = len(starts) - place
        if not known and place == 0 and starts:
            return []
        again = {
            figure: self._reverted(bank, row, behind - 1) + (not known)
            for figure, bank in self._banks.items()
            if not behind or bank.reaches(row, behind - 1)
        }
        self._keep_bar(row, place, event, put_in=not known)
        found = {figure: self._feed(self._banks[figure], row, count) for figure, count in again.items()}
        return [
            self._value(event, name, float(found[figure][at][len(found[figure][at]) - behind - (not known)]))
            for name, figure, at in self._specs
            if figure in found
        ]

    def snapshot(self, instrument: str) -> IntervalState:
        row = self._rows[instrument]
        figures = tuple(FigureState(*bank.snapshot(row)) for bank in self._banks.values())
        return IntervalState(self.interval, self._starts[row].tobytes(), self._cells[row].tobytes(), figures)

    def restore(self, instrument: str, state: IntervalState) -> None:
        if len(state.figures) != len(self._banks) or WIDTH * len(state.starts) != len(state.cells):
            raise Corrupt(f"indicator state of {instrument!r} {self.interval} is of other figures")
        row = self._row(instrument)
        self._starts[row] = array("q", state.starts)
        self._cells[row] = array("d", state.cells)
        for bank, figure in zip(self._banks.values(), state.figures, strict=True):
            bank.restore(row, (figure.fed, figure.now, figure.newer, figure.older))

    def _row(self, instrument: str) -> int:
        row = self._rows.get(instrument)
        if row is None:
            row = self._rows[instrument] = len(self._rows)
            self._starts.append(array("q"))
            self._cells.append(array("d"))
            if row >= self._room:
                self._room = max(FIRST_ROWS, 2 * self._room)
                for bank in self._banks.values():
                    bank.resize(self._room)
        return row

    def _keep_bar(self, row: int, place: int, bar: BarEvent, *, put_in: bool) -> None:
        starts, cells = self._starts[row], self._cells[row]
        at = WIDTH * place
        if put_in:
            starts.insert(place, bar.ts_event)
            cells[at:at] = array("d", _numbers(bar))
        else:
            cells[at : at + WIDTH] = array("d", _numbers(bar))
        if len(starts) > self._keep:
            del starts[0]
            del cells[:WIDTH]

    def _reverted(self, bank: CorrectableBank, row: int, back: int) -> int:
        return bank.revert(row, back) if back >= 0 else 0

    def _feed(self, bank: CorrectableBank, row: int, count: int) -> tuple[Floats, ...]:
        """The newest `count` bars again, one after the other; each output's values, oldest first."""
        starts, cells = self._starts[row][-count:], self._cells[row][-WIDTH * count :]
        rows: Integers = np.array([row], np.int64)
        told = [
            bank.update(rows, _columns([start], cells[WIDTH * at : WIDTH * (at + 1)].tolist()))
            for at, start in enumerate(starts)
        ]
        return tuple(np.concatenate(values) for values in zip(*told, strict=True))

    def _value(self, bar: BarEvent, spec: str, value: float) -> Value:
        return Value(bar.instrument, self.interval, spec, bar.ts_event, bar.revision, value)


def _numbers(bar: BarEvent) -> tuple[float, float, float, float, float]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def _columns(starts: list[int], cells: list[float]) -> Bars:
    opened, high, low, close, volume = np.ascontiguousarray(np.array(cells).reshape(-1, WIDTH).T)
    return Bars(opened, high, low, close, volume, UTC_DAYS.days(np.array(starts, np.int64)))
