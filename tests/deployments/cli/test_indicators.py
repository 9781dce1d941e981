from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.cli.__main__ import main

CSV = "Date,Open,High,Low,Close,Volume\n" + "".join(
    f"{day:02d}.01.2024 00:00:00.000,{day},{day + 2},{day - 1},{day + 1},10\n" for day in range(2, 12)
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "bars.csv"
    file.write_text(CSV)
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["indicators", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_header_echoes_specs_and_rows_echo_times(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specs = ["sma(3)", "macd(1,2,1).signal", "sma( 3, source=hl2 )@1d"]
    code, out, err = run(
        capsys, "--input", str(table), *(part for spec in specs for part in ("--spec", spec))
    )
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0 and err == ""
    assert out.startswith('time,sma(3),"macd(1,2,1).signal","sma( 3, source=hl2 )@1d"\n')
    assert rows[0] == ["time", *specs]
    assert [row[0] for row in rows[1:]] == [line.split(",")[0] for line in CSV.splitlines()[1:]]
    assert [row[1] for row in rows[1:5]] == ["", "", "4.0", "5.0"]
    assert len(rows) == 11


def test_rows_without_volume_are_counted_without_flow_and_remarked_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(
        "date,open,high,low,close,volume\n2025-01-02,9,9,9,9,5\n2025-01-03,9,9,9,9,\n2025-01-06,8,8,8,8,3\n"
    )
    code, out, err = run(capsys, "--input", str(file), "--spec", "obv")
    assert code == 0 and [line.split(",")[1] for line in out.splitlines()[1:]] == ["5.0", "5.0", "2.0"]
    assert "row 1 has no volume: the price counts, the flow is taken for 0" in err
    assert run(capsys, "--input", str(file), "--spec", "sma(2)")[2] == ""


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("rsl(14)", 2, "did you mean 'rsi'"),
        ("sma(0)", 2, "period must be"),
        ("sma(5)@1h", 1, "is of 1h bars, the table has bars every 86400 s"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(
    spec: str, code: int, said: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, out, err = run(capsys, "--input", str(table), "--spec", spec)
    assert (found, out) == (code, "") and said in err


def test_a_period_beyond_the_data_gives_empty_cells_and_a_remark(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "--input", str(table), "--spec", "sma(50)")
    assert code == 0 and out.splitlines()[1] == "02.01.2024 00:00:00.000,"
    assert "sma(50) has its first value after 50 bars, the table has 10" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,open,high,low,close\n2,1,1,1,1\n1,1,1,1,1\n", "row 1: time '1' is before '2'"),
        ("time,open,high,low,close\n1,1,1,1,1\n1,1,1,1,1\n", "is the same as"),
        ("a,b\n1,2\n", "expected in the header"),
        ("time,open,high,low,close\n1,1,1,1,1\n", "reads volume, which the table does not have"),
    ],
)
def test_a_faulty_table_is_a_negative_answer(
    text: str, said: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(text)
    code, out, err = run(capsys, "--input", str(table), "--spec", "obv")
    assert (code, out) == (1, "") and said in err


def test_a_damaged_row_stays_empty_and_is_named(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write_text(CSV.replace("04.01.2024 00:00:00.000,4,6,3,5", "04.01.2024 00:00:00.000,4,6,3,nan"))
    code, out, err = run(capsys, "--input", str(table), "--spec", "ema(1)")
    assert code == 0 and out.splitlines()[3] == "04.01.2024 00:00:00.000,"
    assert out.splitlines()[4].endswith(",6.0") and "row 2 has no finite price" in err


MINUTES = "time,open,high,low,close,volume\n" + "".join(
    f"{1_767_225_600 + 60 * minute},{minute},{minute + 2},{minute - 1},{minute + 1},1\n"
    for minute in range(1, 13)
)


def test_a_coarser_spec_is_told_from_its_bar_s_close_on(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(MINUTES)
    specs = ("--spec", "sma(1)@5m", "--spec", "sma(2)@5m", "--spec", "sma(1)")
    code, out, _ = run(capsys, "--input", str(table), *specs)
    rows = [row.split(",")[1:] for row in out.splitlines()[1:]]
    assert code == 0
    # Minutes 1 to 4 close at 5.0 and minutes 5 to 9 at 10.0, known with minutes 4 and 9 themselves.
    assert [row[0] for row in rows] == ["", "", "", *["5.0"] * 5, *["10.0"] * 4]
    assert [row[1] for row in rows] == [*[""] * 8, *["7.5"] * 4]
    assert [row[2] for row in rows] == [f"{minute}.0" for minute in range(2, 14)]


def test_trades_make_coarser_bars(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write_text("time,price,size\n1767225601,10,1\n1767225601,12,1\n1767225659,11,2\n1767225660,9,1\n")
    code, out, _ = run(capsys, "--input", str(table), "--spec", "sma(1)@1m")
    assert code == 0 and [row.split(",")[1] for row in out.splitlines()[1:]] == ["", "", "", "11.0"]


def test_vwap_begins_anew_with_the_session_asked_for(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write_text(
        "time,open,high,low,close,volume\n"
        "2026-01-01T23:00:00Z,1,1,1,1,1\n2026-01-02T00:00:00Z,3,3,3,3,1\n2026-01-02T01:00:00Z,5,5,5,5,1\n"
    )
    for session, expected in (("00:00", ["1.0", "3.0", "4.0"]), ("01:00", ["1.0", "2.0", "5.0"])):
        _, out, _ = run(capsys, "--input", str(table), "--spec", "vwap", "--session", session)
        assert [row.split(",")[1] for row in out.splitlines()[1:]] == expected


def test_splits_make_earlier_bars_comparable(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = tmp_path / "splits.csv"
    splits.write_text("Date,Ratio\n2024-01-04,2:1\n")
    code, out, _ = run(capsys, "--input", str(table), "--spec", "sma(1)", "--splits", str(splits))
    assert code == 0
    assert [row.split(",")[1] for row in out.splitlines()[1:5]] == ["1.5", "2.0", "5.0", "6.0"]


@pytest.mark.parametrize(
    "text", ["date,ratio\n2024-01-04,0:1\n", "date\n2024-01-04\n", "date,ratio\nnever,2\n"]
)
def test_faulty_splits_are_a_negative_answer(
    text: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = tmp_path / "splits.csv"
    splits.write_text(text)
    code, out, err = run(capsys, "--input", str(table), "--spec", "sma(1)", "--splits", str(splits))
    assert (code, out) == (1, "") and "row 0" in err


def test_a_header_without_rows_gives_a_header_without_rows(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text("time,open,high,low,close\n")
    assert run(capsys, "--input", str(table), "--spec", "sma(3)")[:2] == (0, "time,sma(3)\n")


def test_a_missing_file_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--input", str(tmp_path / "absent"), "--spec", "obv")[0] == 2


def test_the_verb_loads_neither_ray_nor_a_driver_nor_polars(table: Path) -> None:
    program = (
        "import sys; from deployments.cli.__main__ import main;"
        f"main(['indicators', '--input', {str(table)!r}, '--spec', 'rsi(2)']);"
        "unwanted = {'ray', 'asyncpg', 'redis', 'polars', 'aiohttp', 'litestar'};"
        "print(unwanted & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()" and done.stdout.count("\n") == 11
