"""Tables out of a pipe or an archive, for the verbs that take `--input`."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from deployments.cli.__main__ import main

TABLE = "time,open,high,low,close,volume\n" + "".join(
    f"2024-01-{day:02d},{day},{day + 1},{day - 1},{day},10\n" for day in range(1, 29)
)


def zipped(data: bytes) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("bars.csv", data)
    return kept.getvalue()


FORMS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstandard.compress, zipped]


@pytest.mark.parametrize("compress", FORMS)
@pytest.mark.parametrize("piped", [True, False])
def test_a_table_is_the_same_however_it_comes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    compress: Callable[[bytes], bytes],
    *,
    piped: bool,
) -> None:
    path = tmp_path / "table"
    path.write_bytes(compress(TABLE.encode()))
    if piped:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert main(["indicators", "--input", "-" if piped else str(path), "--spec", "sma(20)"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (29, "time,sma(20)", "2024-01-28,18.5")


@pytest.mark.parametrize("verb", ["anomalies", "patterns", "indicators"])
def test_an_empty_table_is_a_negative_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    more = ["--spec", "sma(2)"] if verb == "indicators" else []
    path = tmp_path / "empty.csv"
    path.write_text("")
    assert main([verb, "--input", str(path), *more]) == 1
    assert "empty" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main([verb, "--input", "-", *more]) == 1


def test_an_archive_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(zipped(TABLE.encode())[:-40])
    assert main(["patterns", "--input", str(path)]) == 1
    assert f"{path}: the zip archive cannot be read" in capsys.readouterr().err
