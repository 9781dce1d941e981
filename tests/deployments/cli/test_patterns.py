from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployments.cli.__main__ import main
from tests.patterns_set import NOISE, random_walk, samples

HOUR_NS = 3600 * 10**9
BEGIN = 1_704_153_600 * 10**9
"""2024-01-02."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Hourly bars with a drawn double top."""
    bars = next(samples("double_top", 1, NOISE["low"], 3)).bars.tolist()
    return written(
        tmp_path,
        [f"{(BEGIN + row * HOUR_NS) // 10**9},{','.join(map(repr, bar))}" for row, bar in enumerate(bars)],
    )


def written(folder: Path, lines: list[str], header: str = "time,open,high,low,close") -> Path:
    file = folder / "bars.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["patterns", *arguments])
    captured = capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_each_line_says_what_where_and_when(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = run(capsys, "--input", str(table), "--pattern", "double_top")
    assert code == 0 and err == ""
    assert [line["state"] for line in lines][:2] == ["forming", "confirmed"]
    confirmed = lines[1]
    assert confirmed["time"] == BEGIN + confirmed["row"] * HOUR_NS
    assert [anchor["role"] for anchor in confirmed["anchors"]] == ["top", "neckline", "top"]
    for anchor in confirmed["anchors"]:
        assert anchor["row"] < confirmed["row"] and anchor["time"] == BEGIN + anchor["row"] * HOUR_NS
    assert confirmed["target"] < confirmed["anchors"][1]["price"] and 0 <= confirmed["confidence"] <= 1


def test_rough_figures_come_only_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = random_walk(1000, np.random.default_rng(3)).tolist()
    path = str(written(tmp_path, [",".join(map(repr, bar)) for bar in walk], "open,high,low,close"))
    _, smooth, _ = run(capsys, "--input", path)
    _, rough, _ = run(capsys, "--input", path, "--rough")
    assert len(rough) > 2 * len(smooth) > 0


def test_candlesticks_come_only_when_asked_for(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, plain, _ = run(capsys, "--input", str(table))
    _, both, _ = run(capsys, "--input", str(table), "--candles")
    assert plain and not any(line["pattern"].startswith("cdl_") for line in plain)
    assert [line for line in both if not line["pattern"].startswith("cdl_")] == plain
    assert len(both) > len(plain)


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ([], 0, ""),
        (["2024-01-01,1,2,1,2"], 0, ""),
        (
            ["2024-01-01,1,2,1,2", "2024-01-02,nan,2,1,2", "2024-01-03,inf,2,1,2"],
            0,
            "2 of 3 rows are left out",
        ),
        (["2024-01-01,1,2,-1,2"], 0, "has a price of 0 or less"),
        (["2024-01-02,1,2,1,2", "2024-01-01,1,2,1,2"], 1, "is before"),
        (["2024-01-02,1,2,1,2", "2024-01-02,1,2,1,2"], 1, "is the same as"),
        (["2024-01-02,1,x,1,2"], 1, "is not a number"),
        (
            [f"2024-01-{day:02d},1,2,1,2" for day in (1, 2, 3, 31)],
            0,
            "row 3: a gap of more than 10 bars; patterns count bars, not time",
        ),
    ],
)
def test_odd_tables_give_a_remark_or_an_error_and_nothing_else(
    lines: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, printed, err = run(capsys, "--input", str(written(tmp_path, lines)))
    assert (found, printed) == (code, []) and said in err and (said or not err)


def test_an_unknown_pattern_is_refused(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--input", str(table), "--pattern", "cup")
    assert code == 2 and "no pattern 'cup'" in err


def test_zero_volume_and_missing_times_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = next(samples("triple_bottom", 1, NOISE["low"], 5)).bars.tolist()
    plain = written(tmp_path, [",".join(map(repr, bar)) for bar in bars], "open,high,low,close")
    _, without, _ = run(capsys, "--input", str(plain))
    zero = written(tmp_path, [",".join(map(repr, bar)) + ",0" for bar in bars], "open,high,low,close,volume")
    _, with_zero, _ = run(capsys, "--input", str(zero))
    assert without == with_zero and without
    assert all(line["time"] == line["row"] for line in without)


def test_the_verb_imports_neither_ray_nor_a_driver(table: Path) -> None:
    program = (
        "import sys; from deployments.cli.__main__ import main;"
        f"main(['patterns', '--input', {str(table)!r}]);"
        "assert not {'ray', 'asyncpg', 'redis', 'talib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
