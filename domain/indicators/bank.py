"""Indicator state as columns over symbols: one call advances every symbol whose bar closed.

A bank holds one figure (an indicator with its parameters, and the figures it is made of) for many
symbols, each of which owns a row. Rows are independent: what one gets depends on its own bars only,
never on which others share the call.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from domain.errors import Corrupt
from domain.indicators.bars import FLOW, Bars, Floats, Integers, column, flow, usable
from domain.indicators.catalog import VERSION, make_kernel
from domain.indicators.kernel import Kernel
from domain.indicators.spec import Spec
from domain.indicators.stages import OneBar, Stage


class RowState(Struct, frozen=True, array_like=True):
    """One symbol's state in a bank: fits only the same figure and version."""

    figure: str
    version: int
    content: bytes


class Node:
    """One kernel with its stages and the number of usable bars that each row has had."""

    def __init__(self, spec: Spec) -> None:
        self.kernel: Kernel = make_kernel(spec.name, spec.parameters)
        self.source = spec.source
        self.counts: Integers = np.zeros(0, np.int64)
        self.stages: tuple[Stage, ...] = self.kernel.stages()

    def resize(self, symbols: int) -> None:
        counts = np.zeros(symbols, np.int64)
        counts[: len(self.counts)] = self.counts
        self.counts = counts
        for stage in self.stages:
            stage.resize(symbols)

    def inputs(self, bars: Bars, source: Floats | None) -> dict[str, Floats]:
        """By the kernel's names; `source` is the inner figure's value where there is one."""
        chosen = {}
        for name in self.kernel.needs:
            if name == "volume":
                chosen[FLOW] = flow(bars)
            elif name != "source":
                chosen[name] = column(bars, name)
            elif source is not None:
                chosen[name] = source
            else:
                chosen[str(self.source)] = column(bars, str(self.source))
        return chosen

    def step(self, rows: Integers, inputs: dict[str, Floats], *, keep: bool) -> tuple[Floats, ...]:
        """One array per output, (rows,); NaN where an input is unusable."""
        good = usable(inputs)
        if good.all():
            return self._advance(rows, tuple(inputs.values()), keep=keep)
        some = self._advance(rows[good], tuple(each[good] for each in inputs.values()), keep=keep)
        outputs = tuple(np.full(rows.shape, np.nan) for _ in some)
        for whole, part in zip(outputs, some, strict=True):
            whole[good] = part
        return outputs

    def _advance(self, rows: Integers, inputs: tuple[Floats, ...], *, keep: bool) -> tuple[Floats, ...]:
        if not rows.size:
            return tuple(np.empty(0) for _ in self.kernel.outputs)
        whole = len(rows) == len(self.counts) and bool((rows == np.arange(len(rows))).all())
        pace = OneBar(rows, self.counts if whole else self.counts[rows], whole=whole, keep=keep)
        outputs = self.kernel.values(pace, *inputs)
        if keep:
            self.counts[rows] += 1
        return outputs

    def columns(self) -> list[NDArray[np.generic]]:
        """All state, the symbol being the last axis."""
        return [self.counts, *(array for stage in self.stages for array in stage.arrays)]


def nodes_of(spec: Spec) -> list[Node]:
    """Innermost figure first."""
    inner = nodes_of(spec.source) if isinstance(spec.source, Spec) else []
    return [*inner, Node(spec)]


class Bank:
    """One figure for many symbols.

    `outputs` names what `update` gives; `first` is how many usable bars go before each one's first value.
    """

    def __init__(self, spec: Spec, symbols: int = 0) -> None:
        self.figure = spec.figure
        self._nodes = nodes_of(self.figure)
        self._places = _places(self.figure)
        self.outputs = self._nodes[-1].kernel.outputs
        self.first = first_values(self.figure)
        self.symbols = 0
        self.resize(symbols)

    def resize(self, symbols: int) -> None:
        """More (new ones empty) or fewer rows. Grow in large steps: all state is copied."""
        if symbols < self.symbols:
            raise ValueError(f"a bank of {self.symbols} rows cannot shrink to {symbols}")
        self.symbols = symbols
        for node in self._nodes:
            node.resize(symbols)

    def update(self, rows: Integers, bars: Bars) -> tuple[Floats, ...]:
        """Advance `rows` (distinct) by one closed bar each, bars in the same order.

        One (rows,) array per output, NaN where there is no value.
        """
        return self._step(rows, bars, keep=True)

    def peek(self, rows: Integers, bars: Bars) -> tuple[Floats, ...]:
        """What `update` would give, without taking the bars in: provisional values of forming bars."""
        return self._step(rows, bars, keep=False)

    def _step(self, rows: Integers, bars: Bars, *, keep: bool) -> tuple[Floats, ...]:
        source: Floats | None = None
        outputs: tuple[Floats, ...] = ()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for node, place in zip(self._nodes, self._places, strict=True):
                outputs = node.step(rows, node.inputs(bars, source), keep=keep)
                source = outputs[place]
        return outputs

    def snapshot(self, row: int) -> RowState:
        parts = [np.ascontiguousarray(each[..., row]).tobytes() for each in self._columns()]
        return RowState(str(self.figure), VERSION, b"".join(parts))

    def restore(self, row: int, state: RowState) -> None:
        """Raises Corrupt where the state is another figure's or version's."""
        columns = self._columns()
        size = sum(each[..., row].nbytes for each in columns)
        if (state.figure, state.version, len(state.content)) != (str(self.figure), VERSION, size):
            raise Corrupt(
                f"indicator state of {state.figure!r} version {state.version} does not fit {self.figure}"
            )
        begin = 0
        for each in columns:
            part = each[..., row]
            end = begin + part.nbytes
            each[..., row] = np.frombuffer(state.content[begin:end], each.dtype).reshape(part.shape)
            begin = end

    def clear(self, rows: Integers) -> None:
        """Make rows as new, for other symbols."""
        for each in self._columns():
            each[..., rows] = 0

    def copy_rows(self, other: Bank, rows: Integers) -> None:
        """Take the rows' state from a bank of the same figure and size."""
        for mine, theirs in zip(self._columns(), other._columns(), strict=True):
            mine[..., rows] = theirs[..., rows]

    def bytes_per_symbol(self) -> int:
        return sum(each.itemsize * int(np.prod(each.shape[:-1])) for each in self._columns())

    def _columns(self) -> list[NDArray[np.generic]]:
        return [each for node in self._nodes for each in node.columns()]


def _places(spec: Spec) -> list[int]:
    """Which output of each figure goes on, innermost first."""
    inner = _places(spec.source) if isinstance(spec.source, Spec) else []
    return [*inner, spec.place]


def first_values(spec: Spec) -> tuple[int, ...]:
    """Bars before the first value of each output, where every bar is usable."""
    own = make_kernel(spec.name, spec.parameters).first
    if not isinstance(spec.source, Spec):
        return own
    before = first_values(spec.source)[spec.source.place]
    return tuple(before + each for each in own)
