"""`record` against a venue on the loopback."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from actors.feeds.capture import CaptureLine, read_capture
from deployments.cli.__main__ import main
from tests.recorded_venues import RecordedBinance
from tests.venue_server import VenueServer, until


def config(folder: Path, ws_url: str, rest_url: str) -> Path:
    path = folder / "financehub.toml"
    path.write_text(
        f'[feeds.binance]\nws_url = "{ws_url}"\nrest_url = "{rest_url}"\nbackfill_bars = 0\n',
        encoding="utf-8",
    )
    return path


def test_a_recording_folds_to_what_the_venue_had(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl.gz"
    venue = RecordedBinance(shared_data / "captures" / "binance_us.jsonl")

    async def scenario() -> int:
        async with VenueServer(venue) as server:
            arguments = [
                "record", "--provider", "binance", "--instruments", "COMP-USDT.BINANCE_US", "--for", "1500ms",
                "--out", str(out), "--config", str(config(tmp_path, server.ws_url, server.rest_url)),
            ]  # fmt: skip
            recording = asyncio.create_task(asyncio.to_thread(main, arguments))
            await until(lambda: server.sockets and server.sockets[0].received)
            while venue.remaining:
                await server.broadcast(venue.advance())
            return await recording

    assert asyncio.run(scenario()) == 0
    lines = [entry for _, entry in read_capture(out) if isinstance(entry, CaptureLine)]
    assert {line.source for line in lines} == {"open", "ws", "http"}
    capsys.readouterr()
    assert main(["fold", "binance", str(out)]) == 0
    rows = {row["instrument"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    bids, asks = venue.books["COMPUSDT"]
    # The loopback address does not say which of Binance's venues it is.
    (comp,) = [row for name, row in rows.items() if name.startswith("COMP")]
    assert comp["bids"][0][0] == max(map(float, bids))
    assert comp["asks"][0][0] == min(map(float, asks))
    assert comp["gaps"] == 0


def test_a_venue_that_cannot_be_reached_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config(tmp_path, "ws://127.0.0.1:9", "http://127.0.0.1:9")
    arguments = ["record", "--provider", "binance", "--for", "200ms", "--out", str(tmp_path / "o.jsonl")]
    assert main([*arguments, "--config", str(file)]) == 3
    assert "nothing came from binance" in capsys.readouterr().err


def test_usage_errors_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "o.jsonl")
    assert main(["record", "--provider", "mtgox", "--out", out]) == 2
    assert main(["record", "--provider", "binance", "--for", "soon", "--out", out]) == 2
    assert main(["record", "--provider", "binance", "--instruments", "what", "--out", out]) == 2
    assert not Path(out).exists() or Path(out).stat().st_size == 0


def test_a_mistake_in_the_arguments_leaves_an_older_recording_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "older.jsonl"
    out.write_text("kept")
    asked = ("--provider", "Binance", "--instruments", "btcusdt", "--out", str(out))
    assert main(["record", *asked]) == 2
    assert "SYMBOL.VENUE" in capsys.readouterr().err
    assert out.read_text() == "kept"
