from __future__ import annotations

from pathlib import Path

import pytest

from actors.tables.splits import read_splits
from domain.errors import Malformed


@pytest.mark.parametrize(
    ("line", "fault"),
    [("9999-01-01,4:1", "not between 1677 and 2262"), ("2014-06-09,7:0", "7:0.* is not like 4:1 or 4.0")],
)
def test_a_split_that_cannot_be_applied_is_named_by_its_row(line: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    file.write_text(f"time,ratio\n2000-06-21,2:1\n{line}\n")
    with pytest.raises(Malformed, match=f"row 1: .*{fault}"):
        read_splits(file)
