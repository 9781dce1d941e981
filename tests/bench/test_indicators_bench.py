"""The indicator figures do what they say, on next to nothing."""

from __future__ import annotations

import numpy as np

from tests.bench import indicators, indicators_side


def test_every_round_of_the_live_figure_is_measured() -> None:
    took = indicators.live_rounds(20, 3)
    assert len(took) == 3 and min(took) > 0.0


def test_the_peers_compute_on_the_same_bars() -> None:
    ours, theirs = indicators.made_series(3, 40), indicators_side.made_series(3, 40)
    assert all(np.array_equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
