"""Run as a process: a Ray cluster of two nodes, both on 127.0.0.1, until stdin ends.

    two_raylets.py PORT

Prints one JSON line once both nodes are there: the pid of the second one's raylet. `ray start` refuses a
second node on loopback; Ray's own test cluster does not. The line `silence` on stdin stops that raylet
without ending it, as a cut network would; the answer is the seconds until the node counted as dead.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from ray.cluster_utils import Cluster

RESOURCES = {"keeper": 10, "feed": 10}
NODE = {"num_cpus": 4, "object_store_memory": 100_000_000, "resources": RESOURCES}
NODES = 2
SILENCE_DEADLINE_S = 60.0


def main(port: int) -> None:
    head = {
        **NODE,
        "gcs_server_port": port,
        "include_dashboard": False,
        "dashboard_agent_listen_port": None,  # not the fixed one, which another Ray here may have
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(**NODE)
    (raylet,) = second.all_processes["raylet"]
    print(json.dumps({"address": cluster.address, "raylet": raylet.process.pid}), flush=True)
    for line in sys.stdin:
        if line.strip() == "silence":
            print(json.dumps(_seconds_until_dead(cluster, raylet.process.pid)), flush=True)


def _seconds_until_dead(cluster: Cluster, pid: int) -> float | None:
    """None where the node still counts as living at the deadline."""
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        while time.monotonic() - began < SILENCE_DEADLINE_S:
            if sum(node["Alive"] for node in cluster.global_state.node_table()) < NODES:
                return time.monotonic() - began
            time.sleep(0.1)
        return None
    finally:
        os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main(int(sys.argv[1]))
