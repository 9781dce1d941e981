"""`parse` and `fold` with the files and the words that people come with."""

from __future__ import annotations

import io
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from actors.feeds.registry import ALIASES, PACKAGES, PARSERS, VENUES, load_adapter
from deployments.cli.__main__ import main
from deployments.cli.recordings import known_kinds
from tests.deployments.cli.test_offline import TRADE, Run, file, ws

BINANCE_WS = "wss://stream.binance.com/stream"
DEPTH = {"lastUpdateId": 5, "bids": [["1", "2"]], "asks": [["2", "3"]]}
START = 1_700_000_000 * 10**9


def line(frame: Any, *, source: str = "ws", endpoint: str = "", ts_recv: object = START) -> str:
    text = frame if isinstance(frame, str) else json.dumps(frame)
    return json.dumps({"ts_recv": ts_recv, "source": source, "endpoint": endpoint, "frame": text})


def holed(folder: Path) -> Path:
    """Trades 1, 2 and 5."""
    return file(folder, "\n".join(ws(TRADE % n) for n in (1, 2, 5)), "holed.jsonl")


@pytest.mark.parametrize("provider", ["Binance", "BINANCE", "binance"])
@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_providers_are_known_in_any_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, provider: str
) -> None:
    run = Run(capsys, verb, provider, file(tmp_path, ws(TRADE % 1)))
    assert (run.code, run.rows[0]["instrument"]) == (0, "BTCUSDT.BINANCE")


def test_venues_and_kinds_are_known_in_any_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(
        capsys, "parse", "binance", file(tmp_path, TRADE % 1), "--venue", "binance_tr", "--kind", "Trade"
    )
    assert [row["instrument"] for row in run.rows] == ["BTCUSDT.BINANCE_TR"]


@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_venue_and_symbol_settle_what_a_capture_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    path = file(tmp_path, line(DEPTH, source="http") + "\n" + line(TRADE % 1))
    for named in (("--venue", "BINANCE_USDM", "--symbol", "btc-usdt"), ("--symbol", "BTCUSDT.BINANCE_USDM")):
        run = Run(capsys, verb, "binance", path, *named)
        assert (run.code, run.err) == (0, "")
        assert {row["instrument"] for row in run.rows} == {"BTCUSDT.BINANCE_USDM"}
        assert any(row.get("bids") == [[1.0, 2.0]] for row in run.rows)


def test_an_address_counts_against_the_callers_venue_and_symbol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "https://fapi.binance.com/fapi/v1/aggTrades?symbol=ETHUSDT"
    trade = {"a": 1, "p": "2.5", "q": "0.1", "f": 1, "l": 1, "T": START // 10**6, "m": True}
    path = file(tmp_path, line([trade], source="http", endpoint=asked))
    for verb in ("parse", "fold"):
        run = Run(capsys, verb, "binance", path, "--venue", "BINANCE", "--symbol", "ETHUSDT")
        assert [row["instrument"] for row in run.rows] == ["ETHUSDT.BINANCE_USDM"]


def test_a_coinbase_book_without_its_address_is_the_symbols(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = {"bids": [["1", "2", 1]], "asks": [["2", "3", 1]], "sequence": 5}
    run = Run(capsys, "parse", "coinbase", file(tmp_path, json.dumps(book)), "--symbol", "btc-usd")
    assert [(row["kind"], row["instrument"]) for row in run.rows] == [("book_snapshot", "BTC-USD.COINBASE")]
    capture = file(tmp_path, line(book, source="http"), "capture")
    assert Run(capsys, "fold", "coinbase", capture, "--symbol", "BTC-USD").rows[0]["bids"] == [[1.0, 2.0]]


@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_a_symbol_chooses_and_says_what_there_is_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    other = (TRADE % 1).replace("BTCUSDT", "ETHUSDT")
    path = file(tmp_path, ws(TRADE % 1) + "\n" + ws(other))
    run = Run(capsys, verb, "binance", path, "--symbol", "ETHUSDT")
    assert [row["instrument"] for row in run.rows] == ["ETHUSDT.BINANCE"]
    nothing = Run(capsys, verb, "binance", path, "--symbol", "SOLUSDT")
    assert (nothing.code, nothing.rows) == (0, [])
    assert "nothing about SOLUSDT; there are BTCUSDT.BINANCE, ETHUSDT.BINANCE" in nothing.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TRADE % 1, "plain payloads"),
        ("\n".join([TRADE % 1, TRADE % 2]), "plain payloads"),
        (json.dumps(DEPTH, indent=1), "a single payload"),
        ("1637971200000,1,1,1,1,5,1637971259999,5,3,1,1,0\n", "a table"),
    ],
)
def test_fold_says_what_is_no_capture_and_points_to_parse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    run = Run(capsys, "fold", "binance", file(tmp_path, text))
    assert (run.code, run.rows) == (1, [])
    (reject,) = run.rejects
    assert reject["class"] == "unsupported"
    assert told in reject["reason"]
    assert "`financehub parse`" in reject["reason"]


def test_fold_says_that_descriptions_are_no_market_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = {
        "timezone": "UTC",
        "symbols": [{"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}],
    }
    url = "https://api.binance.com/api/v3/exchangeInfo"
    run = Run(capsys, "fold", "binance", file(tmp_path, line(listing, source="http", endpoint=url)))
    assert (run.code, run.rows) == (0, [])
    assert "`financehub parse binance`" in run.err
    opened = Run(capsys, "fold", "binance", file(tmp_path, line("", source="open", endpoint=BINANCE_WS)))
    assert (opened.code, opened.rows) == (0, [])
    assert "no frame" in opened.err


@pytest.mark.parametrize("verb", ["parse", "fold"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_a_negative_answer_of_every_verb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, text: str
) -> None:
    path = file(tmp_path, text)
    run = Run(capsys, verb, "binance", path)
    assert (run.code, run.rows) == (1, [])
    assert run.rejects == [
        {"file": str(path), "line": 1, "class": "malformed", "reason": "the file is empty"}
    ]
    beside = Run(capsys, verb, "binance", path, file(tmp_path, ws(TRADE % 1), "good.jsonl"))
    assert (beside.code, len(beside.rows)) == (0, 1)


def test_kind_gap_shows_what_a_feed_would_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = holed(tmp_path)
    run = Run(capsys, "parse", "binance", path, "--kind", "gap")
    assert (run.code, run.err) == (0, "")
    (gap,) = run.rows
    assert (gap["kind"], gap["channel"], gap["first"], gap["last"], gap["opened"]) == (
        "gap",
        "trades",
        3,
        4,
        True,
    )
    assert (gap["instrument"], gap["file"]) == ("BTCUSDT.BINANCE", str(path))


def test_a_kind_of_which_there_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = file(tmp_path, "\n".join(ws(TRADE % n) for n in (1, 2, 3)), "whole.jsonl")
    no_gap = Run(capsys, "parse", "binance", whole, "--kind", "gap")
    assert (no_gap.code, no_gap.rows) == (0, [])
    assert "no gap" in no_gap.err
    no_quote = Run(capsys, "parse", "binance", whole, "--kind", "quote")
    assert (no_quote.code, no_quote.rows) == (0, [])
    assert "no quote among 3 observations (trade 3)" in no_quote.err
    unknown = Run(capsys, "parse", "binance", whole, "--kind", "trades")
    assert unknown.code == 2
    assert "book_delta" in unknown.err
    plain = Run(capsys, "parse", "binance", file(tmp_path, TRADE % 1), "--kind", "gap")
    assert plain.code == 1


def test_fold_shows_gaps_as_they_open_and_close(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = [
        {"a": n, "p": "2.5", "q": "0.1", "f": n, "l": n, "T": START // 10**6, "m": True} for n in (3, 4)
    ]
    page = "https://api.binance.com/api/v3/aggTrades?symbol=BTCUSDT&fromId=3&limit=1000"
    path = holed(tmp_path)
    path.write_text(path.read_text() + "\n" + line(missing, source="http", endpoint=page))
    run = Run(capsys, "fold", "binance", path, "--gaps")
    *gaps, row = run.rows
    assert [(gap["kind"], gap["opened"], gap["line"], gap["file"]) for gap in gaps] == [
        ("gap", True, 3, str(path)),
        ("gap", False, 4, str(path)),
    ]
    assert (row["trades"], row["gaps"]) == (5, 1)
    assert Run(capsys, "fold", "binance", path).rows == [row]
    assert Run(capsys, "fold", "binance", path, "--gaps", "--symbol", "ETHUSDT").rows == []


def test_standard_input_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("parse", "fold"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(holed(tmp_path).read_bytes())))
        run = Run(capsys, verb, "binance", "-")
        assert (run.code, {row.get("file", "-") for row in run.rows}) == (0, {"-"})
    twice = Run(capsys, "parse", "binance", "-", "-")
    assert twice.code == 2
    assert "once" in twice.err


@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_a_named_pipe_is_read_once_and_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = holed(tmp_path).read_bytes()
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    run = Run(capsys, verb, "binance", pipe)
    writer.join(timeout=10)
    assert (run.code, run.err) == (0, "")
    assert run.rows[-1].get("trades", len(run.rows)) == 3
    folder = Run(capsys, verb, "binance", tmp_path)
    assert (folder.code, "a folder" in folder.err) == (2, True)


def help_of(capsys: pytest.CaptureFixture[str], *verb: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*verb, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", [[], ["parse"], ["fold"], ["record"], ["replay"], ["up"]])
def test_help_names_providers_venues_and_exit_codes(
    capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    text = help_of(capsys, *verb)
    for provider in PACKAGES:
        (listed,) = re.findall(rf"^  {provider} +(.*)$", text, re.MULTILINE)
        assert tuple(listed.split(", ")) == load_adapter(provider).venues == VENUES[provider]
    for code in range(5):
        assert f"\n  {code}  " in text


@pytest.mark.parametrize("verb", [[], ["parse"]])
def test_help_names_the_providers_that_are_parsed_only(
    capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    text = help_of(capsys, *verb)
    _, _, listed = text.partition("understood by `parse`")
    words = set(re.split(r"[\s,()]+", listed.partition("\n\n")[0]))
    assert set(PARSERS) <= words and {alias for alias, of in ALIASES.items() if of in PARSERS} <= words


def test_help_names_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert all(f" {kind}" in help_of(capsys, "parse") for kind in known_kinds())
    tail = help_of(capsys, "tail")
    assert all(kind in tail for kind in ("gap", "bar_closed", "session_opened"))


@pytest.mark.parametrize("verb", ["status", "verify", "token", "indicators", "patterns", "anomalies"])
def test_every_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert "3  the running system or its database cannot be reached" in help_of(capsys, verb)


def test_a_kind_that_the_log_has_not_is_a_mistake_of_the_caller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tail", "--data-dir", str(tmp_path), "--kind", "trades"]) == 2
    assert "bar_closed" in capsys.readouterr().err
