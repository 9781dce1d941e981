"""One instance over two Ray nodes: shards on both, and the loss of one moves its partitions."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.scenarios.cluster import TwoNodes
from tests.scenarios.follower import EVERYTHING, Follower
from tests.scenarios.instance import START_TIMEOUT_S, CommandFailed, Instance, until
from tests.scenarios.processes import is_alive
from tests.scenarios.proof import nothing_lost_or_doubled, report

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

SHARDS = ("keeper-shard-0", "keeper-shard-1")


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with TwoNodes() as two:
        yield two


@pytest.fixture(scope="module")
def instance(cluster: TwoNodes) -> Iterator[Instance]:
    with Instance(**cluster.environment, FINANCEHUB_RAY_ADDRESS=cluster.address) as joined:
        joined.up()
        yield joined


@pytest.fixture(scope="module")
def client(instance: Instance) -> Iterator[Follower]:
    with Follower(f"ws://127.0.0.1:{instance.port}", instance.token()) as follower:
        yield follower


def test_shards_are_spread_over_the_nodes(instance: Instance) -> None:
    lines = instance.wait_until_whole()
    assert len({lines[name]["node"] for name in SHARDS}) == 2
    assert all(lines[name]["partitions"] for name in SHARDS)


def test_partitions_move_when_their_node_is_lost(
    cluster: TwoNodes, instance: Instance, client: Follower
) -> None:
    before = instance.wait_until_whole()
    since = client.cursor
    assert since is not None
    there = cluster.second_node()
    lost = [name for name in SHARDS if before[name]["pid"] in there]
    assert len(lost) == 1
    taken = client.recovery_s(cluster.kill_second_node, *EVERYTHING)
    assert cluster.second_node() == set()
    after = instance.wait_until_whole()
    assert len({after[name]["node"] for name in SHARDS}) == 1
    nothing_lost_or_doubled(instance, client, since)
    report("node lost", taken)


def test_another_instance_is_refused_in_the_same_cluster(cluster: TwoNodes, instance: Instance) -> None:
    with (
        Instance(**cluster.environment, FINANCEHUB_RAY_ADDRESS=cluster.address) as other,
        pytest.raises(CommandFailed) as refused,
    ):
        other.run("up", "--port", str(other.port), timeout_s=START_TIMEOUT_S)
    assert refused.value.code == 4
    assert "actors of another instance or build run in this Ray" in refused.value.stderr
    instance.wait_until_whole()


def test_a_start_after_a_killed_one_takes_over_what_is_left_in_the_cluster(
    cluster: TwoNodes, instance: Instance, client: Follower
) -> None:
    since = client.cursor
    assert since is not None
    os.kill(instance.pid, signal.SIGKILL)
    until(lambda: not is_alive(instance.pid), 20.0, "the starter is dead")
    before = ours(cluster)
    assert before, "detached actors outlive whoever started them"
    instance.up()
    instance.wait_until_whole()
    assert not (set(ours(cluster)) & set(before)) - gateway(before)
    client.recovery_s(lambda: None, *EVERYTHING)
    nothing_lost_or_doubled(instance, client, since)


def test_going_down_leaves_the_cluster_and_nothing_of_ours_in_it(
    cluster: TwoNodes, instance: Instance, client: Follower
) -> None:
    client.stop()
    instance.down()
    assert {**instance.processes.of_sessions(), **instance.processes.of_database()} == {}
    assert cluster.processes.named("gcs_server")
    until(lambda: not ours(cluster), 30.0, "no actor of ours is left")
    assert instance.verify()["ok"]


def ours(cluster: TwoNodes) -> dict[int, str]:
    """pid -> name of our processes in the cluster."""
    kinds = ("KeeperShard", "Supervisor", "FeedShell", "ServeReplica", "Projector")
    running = cluster.processes.of_sessions()
    return {pid: name for pid, name in running.items() if any(kind in name for kind in kinds)}


def gateway(processes: dict[int, str]) -> set[int]:
    """Serve replaces a replica by itself, in its own time."""
    return {pid for pid, name in processes.items() if "ServeReplica" in name}
