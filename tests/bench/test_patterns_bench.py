"""The pattern figures cover every pattern, on next to nothing."""

from __future__ import annotations

from domain.patterns.events import CHART_PATTERNS
from tests.bench import patterns
from tests.bench.rows import Scale


def test_every_pattern_has_its_rows() -> None:
    rows = patterns.group(Scale(rounds=1, size=0.014))
    for name in ("pattern_precision", "pattern_recall"):
        shares = {row.peer: row.value for row in rows if row.name == name}
        assert shares.keys() == set(CHART_PATTERNS)
        assert all(0.0 <= share <= 1.0 for share in shares.values())
    assert rows[-1].name == "pattern_scan_500x1y_s" and rows[-1].value > 0.0
