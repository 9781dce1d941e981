"""Run as a process: a Ray cluster of two nodes, both on 127.0.0.1, until stdin ends.

    two_raylets.py PORT

Prints one JSON line once both nodes are there: the pid of the second one's raylet. `ray start` refuses a
second node on loopback; Ray's own test cluster does not.
"""

from __future__ import annotations

import json
import sys

from ray.cluster_utils import Cluster

RESOURCES = {"keeper": 10, "feed": 10}
NODE = {"num_cpus": 4, "object_store_memory": 100_000_000, "resources": RESOURCES}


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
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
