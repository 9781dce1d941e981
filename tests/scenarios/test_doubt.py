"""Commits whose outcome nobody knows, and an owner that wakes up after others have taken over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.scenarios.follower import EVERYTHING, Follower
from tests.scenarios.instance import ROOT, Instance, until
from tests.scenarios.proof import nothing_lost_or_doubled, report

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'financehub'"
WAITING = f"{OURS} AND wait_event_type = 'Lock'"
BUSY = f"{OURS} AND state = 'active'"
EPOCHS = "SELECT partition, epoch, first_offset FROM log_blocks ORDER BY partition, first_offset"
ASK = Path(__file__).with_name("ask_shard.py")
TIMED_OUT_S = 30.0
SHARDS = 2


@asynccontextmanager
async def database(instance: Instance) -> AsyncIterator[asyncpg.Connection]:
    running = json.loads((instance.data_dir / "run" / "instance.json").read_text())
    connection = await asyncpg.connect(running["dsn"])
    try:
        yield connection
    finally:
        await connection.close()


def test_appends_that_time_out_are_settled_without_loss_or_repeat(
    instance: Instance, client: Follower
) -> None:
    """A lock on the heads outlasts the writers' patience; what they had sent may still commit behind it."""
    instance.wait_until_whole()
    since = client.cursor

    async def lock_until_given_up() -> None:
        async with database(instance) as holder, database(instance) as observer, holder.transaction():
            await holder.execute("LOCK TABLE log_heads IN SHARE MODE")
            await waiting(observer, at_least=2 * SHARDS)

    taken = client.recovery_s(lambda: asyncio.run(lock_until_given_up()), *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report("append timed out, outcome unknown", taken)


async def waiting(observer: asyncpg.Connection, at_least: int) -> None:
    """Until so many backends of ours wait for a lock.

    A writer has one append in flight: the second wait of a shard means that it has given up the first,
    whose backend still waits and will commit behind its back.
    """
    async with asyncio.timeout(TIMED_OUT_S):
        while len(await observer.fetch(WAITING)) < at_least:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.05)


def test_appends_cut_off_in_the_middle_are_settled_without_loss_or_repeat(
    instance: Instance, client: Follower
) -> None:
    instance.wait_until_whole()
    since = client.cursor

    async def cut(times: int) -> None:
        async with database(instance) as killer:
            while times:
                for row in await killer.fetch(BUSY):
                    await killer.execute("SELECT pg_terminate_backend($1)", row["pid"])
                    times = max(0, times - 1)

    taken = client.recovery_s(lambda: asyncio.run(cut(20)), *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report("20 connections cut in mid-statement", taken)


def test_a_shard_that_slept_through_its_takeover_neither_answers_nor_appends(
    instance: Instance, client: Follower
) -> None:
    lines = instance.wait_until_whole()
    since = client.cursor
    sleeper, pid = "keeper-shard-0", lines["keeper-shard-0"]["pid"]
    held = [place["partition"] for place in lines[sleeper]["partitions"]]
    with asked_after_waking(instance, sleeper) as asker:
        taken = client.recovery_s(lambda: os.kill(pid, signal.SIGSTOP), *EVERYTHING)
        until(lambda: moved(instance, held, sleeper), 60.0, "its partitions have moved")
        heads = {e["partition"]: e["offset"] for e in instance.tail(client.cursor)}
        print("go", file=asker.stdin, flush=True)
        assert asker.stdout is not None
        assert asker.stdout.readline() == "asked\n"
        os.kill(pid, signal.SIGCONT)
        answers = [json.loads(line) for line in asker.stdout]
    assert answers, "the shard was asked"
    stale = [a for a in answers if a["offset"] is not None and a["offset"] < heads[a["partition"]]]
    assert stale == []
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    epochs_never_fall(asyncio.run(blocks(instance)))
    report("shard asleep: its partitions elsewhere after", taken)


def moved(instance: Instance, partitions: list[str], source: str) -> bool:
    owners = instance.owners()
    return all(owners.get(partition, source) != source for partition in partitions)


@contextmanager
def asked_after_waking(instance: Instance, shard: str) -> Iterator[subprocess.Popen[str]]:
    """A driver that asks one shard directly, past all routing, while it sleeps."""
    command = [sys.executable, str(ASK), str(instance.data_dir), shard, *EVERYTHING]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as asker:
        try:
            assert asker.stdout is not None
            assert asker.stdout.readline() == "ready\n"
            yield asker
        finally:
            asker.kill()


async def blocks(instance: Instance) -> list[Any]:
    async with database(instance) as connection:
        return list(await connection.fetch(EPOCHS))


def epochs_never_fall(rows: list[Any]) -> None:
    """Nobody appended under an epoch that another owner had replaced."""
    newest: dict[str, int] = {}
    for row in rows:
        assert row["epoch"] >= newest.get(row["partition"], 0), dict(row)
        newest[row["partition"]] = row["epoch"]
