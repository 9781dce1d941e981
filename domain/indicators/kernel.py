"""What a kernel is: an indicator's formula over stages, in the two paces of stages.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from domain.indicators.bars import Floats
from domain.indicators.stages import Pace, Stage


class Kernel:
    """`needs`: inputs by name, `source` standing for the series that the spec chooses.

    `outputs` name what `values` gives, in order; `first` is how many bars go before each one's first
    value. Stages are found among the attributes.
    """

    needs: tuple[str, ...] = ("source",)
    outputs: tuple[str, ...] = ("value",)
    first: tuple[int, ...]

    def values(self, pace: Pace, *inputs: Floats) -> tuple[Floats, ...]:
        """One array per output. Divisions by zero are silenced by the caller."""
        raise NotImplementedError

    def stages(self) -> tuple[Stage, ...]:
        return tuple(each for each in vars(self).values() if isinstance(each, Stage))


ROUNDING = 2.0**-45
"""Numbers whose distance is a smaller share of them count as equal: 128 units in the last place, which is
where TA-Lib 0.8 draws the line (between 2e-14 and 5e-14, measured)."""

Make = Callable[..., Kernel]


def ratio(part: Floats, whole: Floats, scale: float) -> Floats:
    """`scale` * part / whole; 0 where the whole is 0, as TA-Lib has it. NaN stays NaN."""
    result: Floats = np.where(whole == 0.0, 0.0, scale * (part / whole))
    return result


def hidden_until(values: Floats, other: Floats) -> Floats:
    """`values`, with NaN where `other` is still warming up."""
    result: Floats = np.where(np.isnan(other), np.nan, values)
    return result
