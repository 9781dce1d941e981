"""A Ray cluster of two nodes on this machine: two raylets on loopback, as `ray start` makes them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

from deployments.app import free_port
from tests.scenarios.instance import ROOT, until
from tests.scenarios.processes import Processes, is_alive

RAY = Path(sys.executable).with_name("ray")
START_S = 180.0
PROBE_S = 40.0
COUNT_NODES = """
import ray
ray.init(address="{address}", log_to_driver=False, logging_level="ERROR")
print(sum(node["Alive"] for node in ray.nodes()))
"""
KEEPER = '{"keeper": 10, "feed": 10}'


class TwoNodes:
    """`head` and `worker`: sessions of the processes of each node."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.head = Processes(Path("/nonexistent"))
        self.worker = Processes(Path("/nonexistent"))

    def __enter__(self) -> TwoNodes:
        port = self.address.rpartition(":")[2]
        # Every port is chosen here: the defaults may belong to another Ray of this machine.
        client = f"--ray-client-server-port={free_port()}"
        self._start(self.head, "--head", f"--port={port}", client, "--include-dashboard=false")
        until(lambda: self.nodes() == 1, START_S, "the head node is there")
        self._start(self.worker, f"--address={self.address}")
        until(lambda: self.nodes() == 2, START_S, "the second node has joined")
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.kill_all()
        self.head.kill_all()

    def nodes(self) -> int:
        """Live nodes as the head knows them; 0 while it does not answer."""
        try:
            done = subprocess.run(
                [sys.executable, "-c", COUNT_NODES.format(address=self.address)],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 0
        return int(done.stdout.split()[-1]) if done.returncode == 0 else 0

    def kill_worker_node(self) -> None:
        """Everything on it at once, as when a machine loses power."""
        for pid in self.worker.of_sessions():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def _start(self, node: Processes, *arguments: str) -> None:
        process = subprocess.Popen(
            [
                *(str(RAY), "start", "--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1"),
                *("--num-cpus=4", "--object-store-memory=100000000", f"--resources={KEEPER}"),
                *arguments,
            ],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        node.noted.add(process.pid)
