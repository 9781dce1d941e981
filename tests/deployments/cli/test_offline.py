"""`parse` and `fold` from the command line."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from deployments.cli.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
TRADE = (
    '{"e":"aggTrade","E":1,"s":"BTCUSDT","a":%d,"p":"2.5","q":"0.1","f":1,"l":1,"T":1700000000000,"m":true}'
)


@pytest.fixture
def captures(shared_data: Path) -> Path:
    return shared_data / "captures"


class Run:
    """One run of the command: exit code, rows of stdout, rows of stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.code = main([str(argument) for argument in arguments])
        out, self.err = capsys.readouterr()
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]

    @property
    def rejects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines()]


def file(folder: Path, text: str, name: str = "payload.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def ws(frame: str, ts_recv: int = 1_700_000_000_000_000_000) -> str:
    line = {"ts_recv": ts_recv, "source": "ws", "endpoint": "wss://stream.binance.com/stream", "frame": frame}
    return json.dumps(line)


def test_a_row_has_the_documented_fields_and_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, TRADE % 7)
    run = Run(capsys, "parse", "binance", path)
    assert run.code == 0
    (row,) = run.rows
    assert row["file"] == str(path)
    shown = ("kind", "provider", "instrument", "price", "size", "side", "trade_id")
    assert {key: row[key] for key in shown} == {
        "kind": "trade",
        "provider": "binance",
        "instrument": "BTCUSDT.BINANCE",
        "price": 2.5,
        "size": 0.1,
        "side": "sell",
        "trade_id": "7",
    }  # fmt: skip
    assert row["ts_event"] == 1_700_000_000_000_000_000


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "text",
    [
        TRADE % 1,
        json.dumps(json.loads(TRADE % 1), indent=2),
        ws(TRADE % 1),
        f"1626992741.3105128: {TRADE % 1}",
        "\ufeff" + ws(TRADE % 1) + "\n\n",
    ],
    ids=["payload", "pretty", "capture", "cryptofeed", "bom"],
)
def test_every_form_of_a_file_gives_the_same_trade(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, compress: Any
) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(compress(text.encode()))
    run = Run(capsys, "parse", "binance", path)
    assert (run.code, [row["trade_id"] for row in run.rows]) == (0, ["1"])


def test_json_lines_are_payloads_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, "\n".join([TRADE % 1, TRADE % 2, "{broken", TRADE % 3]))
    run = Run(capsys, "parse", "binance", path)
    assert run.code == 0
    assert [row["trade_id"] for row in run.rows] == ["1", "2", "3"]
    (reject,) = run.rejects
    assert reject["line"] == 3
    assert reject["class"] == "malformed"
    assert set(reject) == {"file", "line", "class", "reason"}


def test_a_damaged_first_line_does_not_hide_the_lines_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lines in ([TRADE % 1, TRADE % 2], [ws(TRADE % 1), ws(TRADE % 2)]):
        run = Run(capsys, "parse", "binance", file(tmp_path, "\n".join(["{broken", *lines])))
        assert (run.code, len(run.rows), len(run.rejects)) == (0, 2, 1)


def test_exit_1_only_when_every_frame_was_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Run(capsys, "parse", "binance", file(tmp_path, "{broken")).code == 1
    assert Run(capsys, "parse", "binance", file(tmp_path, "")).code == 1
    assert Run(capsys, "parse", "binance", file(tmp_path, '{"serverTime": 1}')).code == 0
    good, bad = file(tmp_path, TRADE % 1, "good"), file(tmp_path, "{broken", "bad")
    assert Run(capsys, "parse", "binance", bad, good).code == 0


def test_a_kind_filters_rows_and_does_not_change_the_answer(
    captures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(capsys, "parse", "binance", captures / "binance_us.jsonl", "--kind", "quote")
    assert run.code == 0
    assert {row["kind"] for row in run.rows} == {"quote"}
    assert Run(capsys, "parse", "binance", captures / "binance_us.jsonl", "--kind", "fx_rate").code == 0


def test_a_venue_settles_what_the_bytes_leave_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(capsys, "parse", "binance", file(tmp_path, TRADE % 1), "--venue", "BINANCE_TR")
    assert run.rows[0]["instrument"] == "BTCUSDT.BINANCE_TR"


@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_usage_errors_exit_2_and_say_why(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = Run(capsys, verb, "mtgox", file(tmp_path, "{}"))
    assert unknown.code == 2
    assert "binance" in unknown.err
    assert "kraken" in unknown.err
    missing = Run(capsys, verb, "binance", tmp_path / "nowhere.jsonl")
    assert missing.code == 2
    assert "nowhere.jsonl" in missing.err


@pytest.mark.parametrize(
    ("capture", "venue"), [("binance_us.jsonl", "BINANCE_US"), ("binance_futures.jsonl", "BINANCE_FUTURES")]
)
def test_folded_books_equal_the_published_ones(
    capture: str, venue: str, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    books = json.loads((shared_data / "binance" / "ws_capture" / "EXPECTED_final_books.json").read_text())
    run = Run(capsys, "fold", "binance", shared_data / "captures" / capture)
    by_letters = {row["instrument"].split(".")[0].replace("-", ""): row for row in run.rows}
    assert set(books[venue]) <= set(by_letters)
    for symbol, book in books[venue].items():
        row = by_letters[symbol]
        for side in ("bids", "asks"):
            assert row[side] == [[float(p), float(s)] for p, s in book[f"final_top10_{side}"]]
        assert (row["book_sequence"], row["gaps"], row["resyncs"], row["rejected"]) == (
            book["final_u"],
            0,
            0,
            0,
        )


def test_a_fold_counts_the_trades_that_are_in_the_capture(
    captures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, list[dict[str, Any]]] = {}
    for line in (captures / "binance_futures.jsonl").read_text().splitlines():
        data = json.loads(json.loads(line)["frame"]).get("data", {})
        if data.get("e") == "aggTrade":
            said.setdefault(data["s"], []).append(data)
    run = Run(capsys, "fold", "binance", captures / "binance_futures.jsonl")
    for row in run.rows:
        trades = said[row["instrument"].split(".")[0]]
        assert row["trades"] == len(trades)
        assert row["volume"] == pytest.approx(sum(float(trade["q"]) for trade in trades), rel=1e-12)
        assert row["last_price"] == float(trades[-1]["p"])
        assert row["bars"]["1s"] == len({trade["T"] // 1000 for trade in trades})


def test_kraken_proves_every_checksum(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "fold", "kraken", captures / "kraken_v1.jsonl")
    assert len(run.rows) == 10
    for row in run.rows:
        assert (row["gaps"], row["resyncs"], row["rejected"]) == (0, 0, 0)
        assert len(row["bids"]) == len(row["asks"]) == 10


def test_a_fold_row_has_exactly_the_documented_keys(
    captures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row, *_) = Run(capsys, "fold", "binance", captures / "binance_us.jsonl").rows
    assert list(row) == [
        "instrument", "trades", "volume", "last_price", "bids", "asks", "book_sequence", "gaps", "resyncs",
        "rejected", "bars",
    ]  # fmt: skip
    assert list(row["bars"]) == ["1s", "1m"]


COMP = "COMP-USDT.BINANCE_US"


def damaged_capture(captures: Path, folder: Path, *, snapshot_again: bool) -> Path:
    """Ten diffs of COMPUSDT left out; where wanted the first later snapshot that fits is put in."""
    lines = (captures / "binance_us.jsonl").read_text().splitlines()
    diffs = [n for n, line in enumerate(lines) if '\\"stream\\":\\"compusdt@depth' in line]
    missing = set(diffs[40:50])
    kept = [line for n, line in enumerate(lines) if n not in missing]
    if snapshot_again:
        after = json.loads(json.loads(lines[diffs[60]])["frame"])["data"]["u"]
        body = {"lastUpdateId": after, "bids": [["296.0", "1.0"]], "asks": [["298.0", "2.0"]]}
        answer = json.loads(lines[diffs[60]])
        answer |= {
            "source": "http",
            "endpoint": "https://api.binance.us/api/v3/depth?symbol=COMPUSDT&limit=1000",
            "frame": json.dumps(body),
        }
        kept.insert(kept.index(lines[diffs[60]]) + 1, json.dumps(answer))
    return file(folder, "\n".join(kept), "damaged.jsonl")


def test_a_gap_leaves_the_book_unusable_where_no_snapshot_follows(
    captures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(capsys, "fold", "binance", damaged_capture(captures, tmp_path, snapshot_again=False))
    rows = {row["instrument"]: row for row in run.rows}
    comp = rows.pop(COMP)
    assert (comp["bids"], comp["asks"], comp["book_sequence"]) == ([], [], None)
    assert (comp["gaps"], comp["resyncs"]) == (1, 0)
    assert all(row["gaps"] == 0 and row["bids"] for row in rows.values())


def test_a_later_snapshot_answers_the_outstanding_request(
    captures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(capsys, "fold", "binance", damaged_capture(captures, tmp_path, snapshot_again=True))
    comp = next(row for row in run.rows if row["instrument"] == COMP)
    assert (comp["gaps"], comp["resyncs"]) == (1, 1)
    assert comp["book_sequence"] == 113129399
    assert comp["bids"]
    assert comp["asks"]


def test_rejected_frames_count_where_they_belong(
    captures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (captures / "binance_us.jsonl").read_text().splitlines()
    lines.insert(100, ws('{"stream":"omgbusd@aggTrade","data":{"e":"aggTrade","s":"OMGBUSD"}}', 1))
    lines.insert(200, "{rubbish")
    run = Run(capsys, "fold", "binance", file(tmp_path, "\n".join(lines)))
    rejected = {row["instrument"]: row["rejected"] for row in run.rows}
    assert rejected.pop("OMG-BUSD.BINANCE_US") == 2
    assert set(rejected.values()) == {1}
    assert [reject["line"] for reject in run.rejects] == [101, 201]


def test_the_raw_parts_of_a_recording_fold_to_the_same_as_the_whole(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Run(capsys, "fold", "binance", shared_data / "captures" / "binance_us.jsonl")
    parts = sorted((shared_data / "binance" / "ws_capture").glob("BINANCE_US*.0"))
    assert Run(capsys, "fold", "binance", *parts).rows == whole.rows


@pytest.mark.parametrize("verb", ["parse", "fold"])
def test_offline_verbs_start_no_service_and_begin_quickly(verb: str, tmp_path: Path) -> None:
    path = file(tmp_path, ws(TRADE % 1))
    program = (
        "import sys, time; began = time.perf_counter()\n"
        "from deployments.cli.__main__ import main\n"
        f"code = main([{verb!r}, 'binance', {str(path)!r}])\n"
        "heavy = {'ray', 'asyncpg', 'redis', 'aiohttp', 'polars', 'litestar', 'opentelemetry', 'zstandard'}\n"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "0 []"
    assert len(done.stdout.splitlines()) == 1
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu_s < 1.5, "processor time, about 0.15 s; the wall's clock would measure the machine's load"


def test_a_venue_settles_what_the_payload_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, '{"symbol": "BTCUSDT", "price": "5"}')
    assert Run(capsys, "parse", "binance", path, "--venue", "BINANCE_TR").rows[0]["instrument"] == (
        "BTCUSDT.BINANCE_TR"
    )


@pytest.mark.parametrize(("provider", "venue"), [("binance", "KRAKEN"), ("kraken", "B/X"), ("coinbase", "")])
def test_a_venue_of_somebody_else_is_a_mistake_of_the_caller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: str, venue: str
) -> None:
    run = Run(capsys, "parse", provider, file(tmp_path, "{}"), "--venue", venue)
    assert (run.code, run.rows) == (2, [])
    assert f"venue {venue!r} is none of {provider}'s" in run.err


def test_the_help_of_fold_says_how_rejected_frames_count(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fold", "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "whose text names the instrument, plus those that name none" in text


def test_a_failure_nobody_foresaw_is_no_negative_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr("deployments.cli.offline.read_payloads", broken)
    run = Run(capsys, "parse", "binance", file(tmp_path, TRADE % 1))
    assert (run.code, run.rows) == (4, [])
    assert run.err.endswith("financehub: unforeseen\n")
