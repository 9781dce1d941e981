"""kill -9 of one process after another, under load: what was acknowledged stays, clients see no seam."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.follower import EVERYTHING, Follower
from tests.scenarios.instance import Instance, until
from tests.scenarios.proof import books_equal_the_log, nothing_lost_or_doubled, report

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

SUPERVISOR = "ray::SupervisorActor"
SHARD_DEADLINE_S = 20.0
"""The bar is a p99 of 5 s on a quiet machine; a busy one must not fail the test."""


def kill(pid: int) -> Callable[[], None]:
    return lambda: os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("actor", ["keeper-shard-0", "keeper-shard-1"])
def test_a_killed_shard_serves_again_from_the_log(actor: str, instance: Instance, client: Follower) -> None:
    old = instance.wait_until_whole()[actor]["pid"]
    since = client.cursor
    taken = client.recovery_s(kill(old), *EVERYTHING)
    instance.wait_for_new(actor, old)
    nothing_lost_or_doubled(instance, client, since)
    report(f"kill {actor}", taken)
    assert max(taken) < SHARD_DEADLINE_S


def test_a_killed_feed_comes_back_as_a_new_incarnation(instance: Instance, client: Follower) -> None:
    old = instance.wait_until_whole()["feed-sim"]["pid"]
    since, before = client.cursor, instance.status()["feeds"][0]["incarnation"]
    taken = client.recovery_s(kill(old), *EVERYTHING)
    instance.wait_for_new("feed-sim", old)
    assert instance.status()["feeds"][0]["incarnation"] > before
    nothing_lost_or_doubled(instance, client, since)
    report("kill feed", taken)


@pytest.mark.parametrize("actor", ["projector", "reader-0", "connections"])
def test_the_stream_does_not_notice_the_death_of(actor: str, instance: Instance, client: Follower) -> None:
    old = instance.wait_until_whole()[actor]["pid"]
    since, closes = client.cursor, len(client.closes)
    taken = client.recovery_s(kill(old), *EVERYTHING)
    instance.wait_for_new(actor, old)
    assert client.closes[closes:] == []
    nothing_lost_or_doubled(instance, client, since)
    report(f"kill {actor}", taken)


def test_actors_outlive_their_supervisor_and_keep_their_partitions(
    instance: Instance, client: Follower
) -> None:
    before = instance.wait_until_whole()
    since, closes = client.cursor, len(client.closes)
    (old,) = instance.processes.named(SUPERVISOR)
    taken = client.recovery_s(kill(old), *EVERYTHING)
    until(lambda: instance.processes.named(SUPERVISOR) not in ([], [old]), 60.0, "another supervisor")
    after = instance.wait_until_whole()
    assert {name: line["pid"] for name, line in after.items()} == {
        name: line["pid"] for name, line in before.items()
    }
    assert [epochs(line) for line in after.values()] == [epochs(line) for line in before.values()]
    assert client.closes[closes:] == []
    nothing_lost_or_doubled(instance, client, since)
    report("kill supervisor", taken)


def epochs(line: dict[str, Any]) -> dict[str, int]:
    return {held["partition"]: held["epoch"] for held in line["partitions"]}


def test_after_the_death_of_a_gateway_clients_resume(instance: Instance, client: Follower) -> None:
    instance.wait_until_whole()
    since, closes = client.cursor, len(client.closes)
    (old,) = instance.processes.named("ray::ServeReplica:financehub:gateway")
    taken = client.recovery_s(kill(old), *EVERYTHING)
    assert client.closes[closes:]
    nothing_lost_or_doubled(instance, client, since)
    report("kill gateway", taken)


def test_a_killed_database_is_started_again(instance: Instance, client: Follower) -> None:
    instance.wait_until_whole()
    since = client.cursor
    postmaster = int((instance.data_dir / "pg/data/postmaster.pid").read_text().split()[0])
    taken = client.recovery_s(kill(postmaster), *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report("kill postmaster", taken)


def test_after_all_that_books_equal_the_log_and_the_log_is_sound(
    instance: Instance, client: Follower
) -> None:
    since, closed = client.cursor, len(client.bars)
    client.recovery_s(lambda: None, *EVERYTHING)
    until(lambda: len(client.bars) > closed, 30.0, "a bar closes")
    nothing_lost_or_doubled(instance, client, since)
    client.stop()
    books_equal_the_log(instance.tail(), client)
    assert instance.verify()["ok"]
    client.start()
    client.recovery_s(lambda: None, *EVERYTHING)
    nothing_lost_or_doubled(instance, client, since)
