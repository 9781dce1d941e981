"""A table of several symbols: refused by each verb, unless one is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.cli.__main__ import main

VERBS = (("indicators", "--spec", "sma(2)"), ("patterns",), ("anomalies",))


@pytest.mark.parametrize("verb", VERBS)
def test_one_of_several_symbols_has_to_be_chosen(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{symbol},2,3,1,2,5,2025-05-0{day}" for symbol in ("AAA", "BBB") for day in (5, 6)]
    file = tmp_path / "two.csv"
    file.write_text("\n".join(["ticker,open,high,low,close,volume,date", *rows]))
    arguments = [*verb, "--input", str(file)]
    assert main(arguments) == 1
    assert "2 symbols in column 'ticker' (AAA, BBB): choose one with --symbol" in capsys.readouterr().err
    assert main([*arguments, "--symbol", "BBB"]) == 0
    assert capsys.readouterr().err == ""
