"""The indicator figures do what they say, on next to nothing."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench import indicators, indicators_side

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_every_round_of_the_live_figure_is_measured() -> None:
    took = indicators.live_rounds(20, 3)
    assert len(took) == 3 and min(took) > 0.0


def test_the_peers_compute_on_the_same_bars() -> None:
    ours, theirs = indicators.made_series(3, 40), indicators_side.made_series(3, 40)
    assert all(np.array_equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("side", ["indicators_side.py", "cryptofeed_side.py"])
def test_the_peers_environment_lists_all_that_their_side_imports(side: str) -> None:
    """The sides run in an environment of their own; what this project's has does not help them."""
    listed = re.findall(r"^([\w.-]+)", (ROOT / "requirements/bench.in").read_text(), re.MULTILINE)
    assert imported(HERE / side) <= {name.replace("-", "_") for name in listed}


def imported(source: Path) -> set[str]:
    """Top-level packages that are not Python's own."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names
