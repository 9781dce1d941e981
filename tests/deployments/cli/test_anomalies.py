from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.__main__ import main
from tests.domain.anomalies.series import bars, changed, times, trades

FIELDS = ["kind", "class", "row", "time", "severity", "evidence"]


def run(capsys: pytest.CaptureFixture[str], file: Path) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["anomalies", "--input", str(file)])
    captured = capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def table(folder: Path, header: str, rows: list[Any]) -> Path:
    file = folder / "table.csv"
    file.write_text("\n".join([header, *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return file


def test_a_split_is_told_on_the_row_that_proves_it_with_the_row_it_is_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = changed(bars(300), times(0.25), 200, 299)
    code, lines, err = run(capsys, table(tmp_path, "time,open,high,low,close,volume", rows))
    assert (code, err, len(lines)) == (0, "", 1)
    line = lines[0]
    assert list(line) == FIELDS
    assert (line["kind"], line["class"], line["row"]) == ("split", "data_error", 203)
    assert line["time"] == rows[203][0]
    assert line["evidence"]["row"] == 200 and line["evidence"]["ratio"] == 0.25
    assert 0.0 <= line["severity"] <= 1.0


def test_a_table_of_trades_is_read_by_the_trade_detector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = trades(1000)
    rows[700] = (rows[700][0], rows[700][1] * 10, rows[700][2])
    code, lines, _ = run(capsys, table(tmp_path, "time,price,size", rows))
    assert code == 0
    assert [(line["kind"], line["row"], line["evidence"]["row"]) for line in lines] == [
        ("decimal_slip", 701, 700)
    ]


def test_the_side_column_shows_one_sided_flow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, kinds in (("BUY", ["one_sided_flow"]), ("?", [])):
        file = tmp_path / "trades.csv"
        lines = [f"{ts},{price},{size},{side}" for ts, price, size in trades(1500)]
        file.write_text("\n".join(["time,price,size,side", *lines]))
        assert [line["kind"] for line in run(capsys, file)[1]] == kinds


def test_without_times_the_row_is_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row[1:] for row in changed(bars(300), times(10.0), 200, 200)]
    _, lines, _ = run(capsys, table(tmp_path, "open,high,low,close,volume", rows))
    assert [(line["kind"], line["time"]) for line in lines] == [("decimal_slip", 201)]


def test_missing_and_negative_prices_are_told_and_remarked_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path, "time,open,high,low,close", [row[:5] for row in bars(60)])
    text = file.read_text().splitlines()
    text[31] = text[31].split(",")[0] + ",,,,"
    text[41] = text[41].rpartition(",")[0] + ",-1"
    file.write_text("\n".join(text))
    code, lines, err = run(capsys, file)
    assert code == 0
    assert [(line["kind"], line["class"], line["row"]) for line in lines] == [
        ("bad_value", "data_error", 30),
        ("bad_value", "data_error", 40),
    ]
    assert "row 30" in err


@pytest.mark.parametrize("rows", [0, 1])
def test_no_bars_and_one_bar_have_no_anomaly(
    rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, table(tmp_path, "time,open,high,low,close,volume", bars(rows))) == (0, [], "")


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 1, 1)])
def test_unsorted_or_repeated_times_are_refused_with_their_row(
    order: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = bars(3)
    code, lines, err = run(
        capsys, table(tmp_path, "time,open,high,low,close,volume", [rows[n] for n in order])
    )
    assert (code, lines) == (1, []) and "row 2" in err


def test_a_missing_file_is_a_fault_of_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, tmp_path / "none.csv")[0] == 2


def test_the_verb_imports_neither_ray_nor_a_database_driver_nor_polars(tmp_path: Path) -> None:
    file = table(tmp_path, "time,open,high,low,close,volume", bars(20))
    script = (
        "import sys; from deployments.cli.__main__ import main;"
        f"main(['anomalies', '--input', {str(file)!r}]);"
        "print(sorted({'ray', 'asyncpg', 'redis', 'polars', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
