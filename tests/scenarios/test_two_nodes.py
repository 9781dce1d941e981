"""One instance over two Ray nodes: shards on both, and the loss of one moves its partitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.cluster import TwoNodes
from tests.scenarios.follower import EVERYTHING, Follower
from tests.scenarios.instance import Instance, until
from tests.scenarios.proof import nothing_lost_or_doubled, report

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.timeout(400)]

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
    there = set(cluster.worker.of_sessions())
    lost = [name for name in SHARDS if before[name]["pid"] in there]
    assert len(lost) == 1
    taken = client.recovery_s(cluster.kill_worker_node, *EVERYTHING)
    until(lambda: not cluster.worker.of_sessions(), 30.0, "the node is gone")
    after = instance.wait_until_whole()
    assert len({after[name]["node"] for name in SHARDS}) == 1
    nothing_lost_or_doubled(instance, client, since)
    report("node lost", taken)


def test_going_down_leaves_the_cluster_and_nothing_of_ours_in_it(
    cluster: TwoNodes, instance: Instance, client: Follower
) -> None:
    client.stop()
    instance.down()
    assert {**instance.processes.of_sessions(), **instance.processes.of_database()} == {}
    assert cluster.nodes() == 1
    until(lambda: not ours(cluster), 30.0, "no actor of ours is left")
    assert instance.verify()["ok"]


def ours(cluster: TwoNodes) -> list[str]:
    kinds = ("KeeperShard", "Supervisor", "FeedShell", "ServeReplica", "Projector")
    return [name for name in cluster.head.of_sessions().values() if any(kind in name for kind in kinds)]
