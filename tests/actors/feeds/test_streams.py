"""Bytes of files and of standard input, compressed or not, and what they hold."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from actors.feeds.capture import NoCapture, read_capture
from actors.feeds.forms import probe
from actors.feeds.payloads import Payload, Unreadable, read_payloads
from actors.feeds.streams import STDIN, Broken, Damaged, content_path, decompressed, numbered_lines

TEXT = b'{"a": 1}\n\n{"a": 2}\n'


def zipped(data: bytes, *names: str) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("a.jsonl",):
            archive.writestr(name, data)
    return kept.getvalue()


FORMS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, zstandard.compress, zipped]


@pytest.mark.parametrize("compress", [*FORMS, lambda data: zipped(gzip.compress(data), "a.jsonl.gz")])
def test_every_compression_is_told_by_its_content(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(compress(TEXT))
    assert list(numbered_lines(path)) == [(1, b'{"a": 1}'), (3, b'{"a": 2}')]


@pytest.mark.parametrize("compress", FORMS)
def test_standard_input_is_read_as_a_file_is(
    monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    """Through a pipe that brings a byte at a time, and cannot be read twice."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", 0) as pipe:
            for byte in compress(TEXT):
                pipe.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        bodies = [entry.body for entry in read_payloads(STDIN) if isinstance(entry, Payload)]
    writer.join(timeout=10)
    assert bodies == [b'{"a": 1}', b'{"a": 2}']


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(TEXT)[:-12], "breaks off"),
        (zipped(TEXT)[:-30], "cannot be read"),
        (zipped(TEXT, "a.csv", "b.csv"), "holds 2 files (a.csv, b.csv)"),
        (b"PK\x05\x06" + b"\0" * 18, "is empty"),
        (zipped(TEXT)[:30] + b"?????" + zipped(TEXT)[35:], ""),
    ],
)
def test_what_cannot_be_unpacked_is_told_and_is_no_crash(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "broken"
    path.write_bytes(data)
    for entries in (
        list(numbered_lines(path)),
        [(e.line, e.damage) for e in read_payloads(path) if isinstance(e, Unreadable)],
    ):
        damaged = [entry for _, entry in entries if isinstance(entry, Damaged)]
        assert damaged
        assert reason in damaged[-1].reason


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    data = bytearray(zipped(TEXT))
    for begin in (6, data.index(b"PK\x01\x02") + 8):
        data[begin] |= 1  # the flag of encryption
    with pytest.raises(Broken, match="encrypted"):
        decompressed(io.BytesIO(bytes(data)))


def test_a_member_keeps_its_place_below_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(TEXT, "futures/um/a.csv"))
    assert content_path(path).as_posix() == f"{tmp_path}/futures/um/a.csv"
    plain = tmp_path / "b.csv"
    plain.write_bytes(TEXT)
    assert content_path(plain).as_posix() == f"{tmp_path}/b.csv"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("\ufeff", "empty"),
        ('{"a": 1}', "lines"),
        ('{"a": 1}\n{"a": 2}', "lines"),
        ('{\n "a": [\n []\n ]\n}', "document"),
        ("{broken\n[]\n[]", "lines"),
        ("<html>a, b, c, d</html>", "document"),
        ("time,open,high,low\n1,2,3,4", "table"),
        ('{"ts_recv": 1.5, "source": "x", "frame": 3}', "capture"),
        ('rubbish\n{"ts_recv": 1, "source": "ws"}', "capture"),
        ("1626992741.31: {}", "capture"),
    ],
)
def test_a_form_is_told_by_the_first_lines_and_nothing_is_lost(text: str, form: str) -> None:
    found, stream = probe(io.BytesIO(text.encode()))
    assert (found, stream.read()) == (form, text.encode())


@pytest.mark.parametrize("compress", FORMS)
@pytest.mark.parametrize(
    ("text", "form"),
    [("", "empty"), ('{"a": 1}', "lines"), ('{\n"a": 1\n}', "document"), ("a,b,c,d\n1,2,3,4", "table")],
)
def test_what_is_no_capture_is_told_once(
    tmp_path: Path, compress: Callable[[bytes], bytes], text: str, form: str
) -> None:
    path = tmp_path / "f"
    path.write_bytes(compress(text.encode()))
    ((number, entry),) = read_capture(path)
    assert isinstance(entry, NoCapture)
    assert (number, entry.form) == (1, form)


def capture_of(*times: object) -> str:
    return "\n".join(json.dumps({"ts_recv": ts, "source": "ws", "frame": "x"}) for ts in times)


NOV_14 = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("ts_recv", "ns"),
    [
        (1_700_000_000_000_000_001, NOV_14 + 1),
        (1_700_000_000_123_456, NOV_14 + 123_456_000),
        (1_700_000_000_123, NOV_14 + 123_000_000),
        (1_700_000_000_123.5, NOV_14 + 123_500_000),
        (1_700_000_000, NOV_14),
        (1_700_000_000.123457, NOV_14 + 123_457_000),
        ("1700000000.123456789", NOV_14 + 123_456_789),
        ("1700000000123", NOV_14 + 123_000_000),
        ("2023-11-14T22:13:20.5Z", NOV_14 + 500_000_000),
        (1.7e18, NOV_14),
    ],
)
def test_a_time_in_another_unit_is_read_for_what_it_is(tmp_path: Path, ts_recv: object, ns: int) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(capture_of(ts_recv, ts_recv))
    assert [getattr(entry, "ts_recv", entry) for _, entry in read_capture(path)] == [ns, ns]


@pytest.mark.parametrize(
    "ts_recv",
    ["yesterday", "", None, True, [1], -1, 5_000_000_000_000_000, 9_000_000_000, 10**20, 0.5, "NaN"],
)
def test_a_time_that_is_none_of_our_days_is_refused_with_its_line(tmp_path: Path, ts_recv: object) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(capture_of(1_700_000_000_123, ts_recv))
    (_, first), (line, second) = read_capture(path)
    assert not isinstance(first, Damaged)
    assert line == 2
    assert isinstance(second, Damaged)
    assert "ts_recv" in second.reason


def test_a_capture_that_counts_from_a_beginning_of_its_own_stays_as_it_is(tmp_path: Path) -> None:
    """Made captures: nobody's clock; a second later is a second later, not 2001."""
    path = tmp_path / "c.jsonl"
    path.write_text(capture_of(1_000_000_000, 1_700_000_000, 5_000_000_000_000))
    assert [getattr(entry, "ts_recv", entry) for _, entry in read_capture(path)] == [
        1_000_000_000,
        1_700_000_000,
        5_000_000_000_000,
    ]
