"""The kernels over whole series: equal to a bank that is fed bar by bar, to the bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.indicators.bank import Node, nodes_of
from domain.indicators.bars import Bars, Floats, usable
from domain.indicators.spec import Spec
from domain.indicators.stages import ALL_BARS


def history(spec: Spec, bars: Bars) -> tuple[Floats, ...]:
    """All outputs of the spec's figure, each of the shape of the columns, NaN where there is no value.

    Columns are (bars,) or (bars, symbols), oldest first; shorter series are filled up with NaN.
    """
    flat = bars.close.ndim == 1
    wide = bars.map(lambda each: each[:, None]) if flat else bars
    source: Floats | None = None
    outputs: tuple[Floats, ...] = ()
    figure = spec.figure
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for node, step in zip(nodes_of(figure), _chain(figure), strict=True):
            outputs = _run(node, node.inputs(wide, source))
            source = outputs[step.place]
    return tuple(each[:, 0] for each in outputs) if flat else outputs


def values(spec: Spec, bars: Bars) -> Floats:
    """The one output that the spec names."""
    return history(spec, bars)[spec.place]


def _chain(spec: Spec) -> list[Spec]:
    return [*(_chain(spec.source) if isinstance(spec.source, Spec) else []), spec]


def _run(node: Node, inputs: dict[str, Floats]) -> tuple[Floats, ...]:
    shape = next(iter(inputs.values())).shape
    if not shape[0] or not shape[1]:
        return tuple(np.empty(shape) for _ in node.kernel.outputs)
    good = usable(inputs)
    if good.all():
        return node.kernel.values(ALL_BARS, *inputs.values())
    return _run_packed(node, inputs, good)


def _run_packed(node: Node, inputs: dict[str, Floats], good: NDArray[np.bool_]) -> tuple[Floats, ...]:
    """Leave the unusable bars out: move each symbol's usable ones together, compute, move back."""
    order = np.argsort(~good, axis=0, kind="stable")
    length = int(good.sum(axis=0).max())
    order = order[:length]
    kept = np.take_along_axis(good, order, axis=0)
    packed = (np.where(kept, np.take_along_axis(each, order, axis=0), np.nan) for each in inputs.values())
    outputs = tuple(np.full(good.shape, np.nan) for _ in node.kernel.outputs)
    if not length:
        return outputs
    for whole, part in zip(outputs, node.kernel.values(ALL_BARS, *packed), strict=True):
        np.put_along_axis(whole, order, np.where(kept, part, np.nan), axis=0)
    return outputs
