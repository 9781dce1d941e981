"""Captures: streaming, tolerant, and without credentials."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.capture import (
    CaptureLine,
    CaptureWriter,
    Damaged,
    numbered_lines,
    read_capture,
    read_captures,
)
from actors.feeds.redaction import redact

FRAME = '{"e":"trade","p":"1.0"}'


def a_line(ts_recv: int = 1, **fields: object) -> str:
    return json.dumps({"ts_recv": ts_recv, "source": "ws", "endpoint": "wss://v", "frame": FRAME, **fields})


def written(folder: Path, *lines: str, name: str = "capture.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz", "c.jsonl.zst"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    lines = [
        CaptureLine(1, "open", "wss://v", conn=0),
        CaptureLine(2, "ws", "wss://v", FRAME, 0),
        CaptureLine(3, "http", "https://v/depth", "[]", status=429),
        CaptureLine(4, "close", "wss://v", "reset", 0),
    ]
    with CaptureWriter(tmp_path / name) as writer:
        for line in lines:
            writer.write(line)
    assert list(read_capture(tmp_path / name)) == list(enumerate(lines, start=1))


def test_compression_is_told_by_content_whatever_the_name(tmp_path: Path) -> None:
    data = (a_line() + "\n").encode()
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(data))
    (tmp_path / "b.jsonl").write_bytes(zstandard.compress(data) + zstandard.compress(data))
    assert len(list(read_capture(tmp_path / "a.jsonl"))) == 1
    assert len(list(read_capture(tmp_path / "b.jsonl"))) == 2


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "rubbish",
        "[]",
        '{"ts_recv": 1}',
        a_line(source="carrier pigeon"),
        a_line(ts_recv=-1),
        a_line(ts_recv=10**19),
        "[" * 5000,
    ],
)
def test_a_damaged_line_is_told_with_its_number_and_does_not_end_the_reading(
    tmp_path: Path, damaged: str
) -> None:
    entries = list(read_capture(written(tmp_path, a_line(1), "", damaged, a_line(2))))
    assert [number for number, _ in entries] == [1, 3, 4]
    assert isinstance(entries[1][1], Damaged)
    assert isinstance(entries[2][1], CaptureLine)


def test_a_line_past_the_bound_is_skipped_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "a" * 50, "b" * 1000, "c" * 50)
    (first, second, third) = numbered_lines(path, max_bytes=100)
    assert first == (1, b"a" * 50)
    assert isinstance(second[1], Damaged)
    assert third == (3, b"c" * 50)


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_broken_off_gzip_gives_what_it_holds_and_then_says_so(tmp_path: Path, cut: float) -> None:
    whole = gzip.compress("\n".join(a_line(n) for n in range(2000)).encode(), mtime=0)
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: int(len(whole) * cut)])
    entries = list(read_capture(path))
    assert isinstance(entries[0][1], CaptureLine)
    assert isinstance(entries[-1][1], Damaged)


def test_captures_are_merged_by_the_time_received(tmp_path: Path) -> None:
    first = written(tmp_path, a_line(10), "rubbish", a_line(30), name="first.jsonl")
    second = written(tmp_path, a_line(20), a_line(30), name="second.jsonl")
    order = [(Path(placed.file).stem, placed.line) for placed in read_captures([first, second])]
    assert order == [("first", 1), ("first", 2), ("second", 1), ("first", 3), ("second", 2)]


def test_the_raw_recordings_of_cryptofeed_are_read_to_the_nanosecond(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "wss://v/stream <-> 1626992740.9",
        'wss://v/stream <- 1626992741.0: {"subscribe": 1}',
        f"1626992741.3105128: {FRAME}",
        "https://v/depth?symbol=A -> 1626992741.475372: []",
        'configuration: {"trades": ["A"]}',
    )
    assert list(read_capture(path)) == [
        (3, CaptureLine(1626992741310512800, "ws", "wss://v/stream", FRAME)),
        (4, CaptureLine(1626992741475372000, "http", "https://v/depth?symbol=A", "[]")),
    ]


def test_a_recording_and_its_raw_original_say_the_same(shared_data: Path) -> None:
    raw = sorted((shared_data / "binance" / "ws_capture").glob("BINANCE_US*.0"))
    ours = read_captures([shared_data / "captures" / "binance_us.jsonl"])
    assert [placed.entry for placed in read_captures(raw)] == [placed.entry for placed in ours]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://ws.finnhub.io?token=abc", "wss://ws.finnhub.io?token=REDACTED"),
        ("https://v/q?symbol=A&apikey=x&b=1", "https://v/q?symbol=A&apikey=REDACTED&b=1"),
        ("https://v/q?api_key=x&access_key=y&key=z", "https://v/q?api_key=REDACTED&access_key=REDACTED&key=REDACTED"),
        ("https://v/q?API-Key=x#token=y", "https://v/q?API-Key=REDACTED#token=REDACTED"),
        ("https://v/q?api%5Fkey=x&signature=f0&clientSecret=s", "https://v/q?api%5Fkey=REDACTED&signature=REDACTED&clientSecret=REDACTED"),
        ("https://me:pw@v/q?a=1", "https://REDACTED@v/q?a=1"),
        ("https://v/depth?symbol=KEYUSDT&limit=1000", "https://v/depth?symbol=KEYUSDT&limit=1000"),
        ("wss://v/stream?streams=a@depth/b@trade", "wss://v/stream?streams=a@depth/b@trade"),
    ],
)  # fmt: skip
def test_credentials_do_not_stay_in_addresses(url: str, expected: str) -> None:
    assert redact(url) == expected


def test_the_writer_redacts(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "c.jsonl") as writer:
        writer.write(CaptureLine(1, "open", "wss://v?token=hush"))
    assert "hush" not in (tmp_path / "c.jsonl").read_text()


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_bytes(data)
    list(read_capture(path))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_survives_a_capture(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.jsonl"
    frame = text.encode(errors="replace").decode()
    with CaptureWriter(path) as writer:
        writer.write(CaptureLine(1, "ws", "", frame))
    assert list(read_capture(path)) == [(1, CaptureLine(1, "ws", "", frame))]
