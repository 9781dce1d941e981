"""A Ray cluster of two nodes on this machine, on loopback, and the loss of one."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from deployments.app import free_port
from tests.scenarios.instance import ROOT
from tests.scenarios.processes import Processes, below

SCRIPT = Path(__file__).with_name("two_raylets.py")


CLUSTER_YAML = ROOT / "cluster.yaml"
_HEALTH_CHECK = re.compile(r"(RAY_health_check_\w+)=(\d+)")


def health_checks() -> dict[str, str]:
    """The environment in which the cluster launcher starts the head: how it watches the nodes."""
    commands = yaml.safe_load(CLUSTER_YAML.read_text())["head_start_ray_commands"]
    return dict(_HEALTH_CHECK.findall("\n".join(commands)))


class TwoNodes:
    """`environment` lets others join; `processes` are those of both nodes."""

    def __init__(self) -> None:
        self.address = ""
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            **health_checks(),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray then stays on loopback
        }
        self.processes = Processes(Path("/nonexistent"))
        self._second = 0

    def __enter__(self) -> TwoNodes:
        starter = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(free_port())],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.processes.noted.add(starter.pid)
        assert starter.stdout is not None
        said = starter.stdout.readline()
        if not said:
            self.processes.kill_all()
            raise AssertionError("the cluster does not start")
        told = json.loads(said)
        self.address, self._second = told["address"], told["raylet"]
        self._starter = starter
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.kill_all()
        self._starter.wait()

    def silence_second_node(self) -> float | None:
        """Stop its raylet without ending it -> seconds until it counted as dead; None: it never did."""
        assert self._starter.stdin is not None and self._starter.stdout is not None
        print("silence", file=self._starter.stdin, flush=True)
        seconds: float | None = json.loads(self._starter.stdout.readline())
        return seconds

    def second_node(self) -> set[int]:
        """Its raylet and all that it has started."""
        return below(self._second)

    def kill_second_node(self) -> None:
        """Everything on it at once, as when a machine loses power."""
        for pid in self.second_node():
            os.kill(pid, signal.SIGKILL)
