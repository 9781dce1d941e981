"""A whole instance on TimescaleDB with 64 market partitions: it serves, survives a kill, and is sound."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.ids import market_partition
from tests.scenarios.instance import ROOT, START_TIMEOUT_S, Instance, until
from tests.scenarios.processes import is_alive
from tests.scenarios.proof import offsets_are_dense, trade_ids_are_dense
from tests.services import drop_database, fresh_database, timescale_dsn

__all__ = ["timescale_dsn"]

pytestmark = [pytest.mark.ray, pytest.mark.timescale, pytest.mark.timeout(400)]

PARTITIONS = 64
WATCHED = "BTC-USD.SIM"
FLOW_S = 60.0


class OnTimescale(Instance):
    """Served from a database that is given as `--dsn`, not from the embedded one."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn = dsn

    def up(self) -> float:
        began_s = time.monotonic()
        where = ("--port", str(self.port), "--dsn", self.dsn)
        said = self.run("up", "--detach", "--json", *where, timeout_s=START_TIMEOUT_S)
        self.pid = json.loads(said)["pid"]
        self.processes.noted.add(self.pid)
        return time.monotonic() - began_s

    def holder(self) -> tuple[int, str, int]:
        """(epoch, actor, pid) of the watched instrument's partition; the highest epoch counts."""
        partition = market_partition(WATCHED, PARTITIONS)
        return max(
            (place["epoch"], name, line["pid"])
            for name, line in self.actors().items()
            for place in line["partitions"]
            if place["partition"] == partition
        )

    def newest(self, what: str, **query: object) -> list[dict[str, Any]]:
        """Trades or bars of the watched instrument over HTTP. Empty while it does not answer."""
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        address = f"http://127.0.0.1:{self.port}/v1/instruments/{WATCHED}/{what}?{asked}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {self.token()}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["items"]
        except OSError:
            return []
        return found


@pytest.fixture(scope="module")
def served(timescale_dsn: str) -> Iterator[OnTimescale]:
    dsn = fresh_database(timescale_dsn)
    try:
        with OnTimescale(dsn) as started:
            started.up()
            yield started
    finally:
        drop_database(dsn, timescale_dsn)


def trades_after(served: OnTimescale, ids: set[str]) -> set[str]:
    """Waits for trades that were not there before."""

    def newer() -> set[str]:
        return {trade["trade_id"] for trade in served.newest("trades", limit=1000)} - ids

    found: set[str] = until(newer, FLOW_S, "new trades over HTTP")
    return found


def test_status_shows_the_extension_and_an_owner_for_each_of_64_partitions(served: OnTimescale) -> None:
    report = served.status()
    assert report["postgres"]["timescaledb"]
    assert report["postgres"]["license"] in ("apache", "timescale")
    assert report["postgres"]["pid"] is None
    held = [place["partition"] for line in report["actors"] for place in line["partitions"]]
    assert len(held) == len(set(held)) == PARTITIONS
    assert not (served.data_dir / "pg").exists()


def test_trades_and_bars_flow_on_after_a_shard_was_killed(served: OnTimescale) -> None:
    before = trades_after(served, set())
    epoch, owner, old = served.holder()
    os.kill(old, signal.SIGKILL)
    served.wait_for_new(owner, old)
    before |= trades_after(served, before)
    trades_after(served, before)
    assert served.holder()[0] > epoch
    bars = until(lambda: served.newest("bars", interval="1s"), FLOW_S, "bars over HTTP")
    assert all(bar["high"] >= bar["low"] > 0 for bar in bars)


def test_the_read_models_fill_hypertables(served: OnTimescale) -> None:
    async def chunks(dsn: str) -> dict[str, int]:
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(
                "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables"
            )
        finally:
            await connection.close()
        return dict(map(tuple, rows))

    full = until(lambda: all(asyncio.run(chunks(served.dsn)).values()), FLOW_S, "a chunk in each hypertable")
    assert full


def test_the_log_is_sound_while_it_runs_and_when_it_has_stopped(served: OnTimescale) -> None:
    assert served.verify()["ok"]
    served.down()
    assert not is_alive(served.pid)
    assert served.processes.of_sessions() == {}
    report = served.verify()
    assert len(report["partitions"]) > PARTITIONS
    assert all(
        line["state_equal"] for line in report["partitions"] if line["partition"].startswith("market/")
    )
    events = served.tail()
    ends = offsets_are_dense(events, dict.fromkeys([line["partition"] for line in report["partitions"]], 0))
    assert ends == {line["partition"]: line["head"] for line in report["partitions"] if line["head"]}
    trade_ids_are_dense(events)


def test_a_stopped_log_is_read_by_address_from_anywhere(served: OnTimescale, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deployments.cli", "tail", "--data-dir", str(elsewhere)),
            "--dsn",
            served.dsn,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events == served.tail()
    assert not elsewhere.exists()
