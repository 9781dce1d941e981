"""Starting, stopping, and living beside another instance."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from deployments.app import free_port
from tests.scenarios.follower import Follower
from tests.scenarios.instance import ROOT, START_TIMEOUT_S, CommandFailed, Instance, until
from tests.scenarios.processes import is_alive

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

STOP_S = 60.0


@pytest.fixture(scope="module")
def neighbour(instance: Instance) -> Iterator[Instance]:
    """A second one at the same time, in the foreground of a session of its own, as in a terminal."""
    with Instance(FINANCEHUB_RAY_SHARDS="1", FINANCEHUB_FEEDS_SIM_RATE="1") as started:
        process = foreground(started)
        yield started
        process.kill()
        process.wait()


def foreground(instance: Instance) -> subprocess.Popen[bytes]:
    """`financehub up` as Ctrl-C finds it; returns once it serves."""
    log = (instance.folder / "terminal.log").open("ab")
    process = subprocess.Popen(
        instance.command("up", "--port", str(instance.port)),
        cwd=ROOT,
        env=instance.environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    instance.pid = process.pid
    instance.processes.noted.add(process.pid)
    serving = instance.data_dir / "run" / "instance.json"

    def serves() -> bool:
        assert process.poll() is None, (instance.folder / "terminal.log").read_text()[-2000:]
        return serving.exists() and json.loads(serving.read_text())["pid"] == process.pid

    until(serves, START_TIMEOUT_S, "it serves")
    return process


def test_two_instances_run_side_by_side(instance: Instance, neighbour: Instance) -> None:
    mine, other = instance.wait_until_whole(), neighbour.wait_until_whole()
    assert not {line["pid"] for line in mine.values()} & {line["pid"] for line in other.values()}
    first, second = instance.status(), neighbour.status()
    for different in ("http", "data_dir", "ray_address", "ray_dashboard"):
        assert first[different] != second[different]
    assert first["postgres"]["pid"] != second["postgres"]["pid"]


def test_everything_listens_on_loopback_only(instance: Instance, neighbour: Instance) -> None:
    for one in (instance, neighbour):
        listening = one.processes.listening()
        assert ("127.0.0.1", one.port) in listening
        outside = {place: name for place, name in listening.items() if not place[0].startswith("127.")}
        assert outside == {}


def test_a_second_start_on_the_same_data_is_refused(neighbour: Instance) -> None:
    with pytest.raises(CommandFailed) as refused:
        neighbour.run("up", "--port", str(free_port()))
    assert refused.value.code == 4
    assert "in use by process" in refused.value.stderr
    assert neighbour.status()["pid"] == neighbour.pid


def test_a_port_in_use_is_refused_by_name(instance: Instance) -> None:
    with Instance() as other, pytest.raises(CommandFailed) as refused:
        other.run("up", "--port", str(instance.port))
    assert refused.value.code == 2
    assert f"cannot listen on 127.0.0.1:{instance.port}" in refused.value.stderr


def test_ctrl_c_leaves_nothing_behind_and_the_next_start_continues(neighbour: Instance) -> None:
    neighbour.wait_until_whole()
    with Follower(f"ws://127.0.0.1:{neighbour.port}", neighbour.token()) as client:
        _interrupt_and_continue(neighbour, client)
        assert client.faults == []
    assert "4503" in client.closes[0]
    assert "this gateway is draining" in client.closes[0], "told by the gateway, while everything still ran"


def _interrupt_and_continue(neighbour: Instance, client: Follower) -> None:
    ports = [port for _, port in neighbour.processes.listening()]
    began_s = time.monotonic()
    os.killpg(neighbour.pid, signal.SIGINT)
    until(lambda: not is_alive(neighbour.pid), STOP_S, "the starter has ended")
    print(json.dumps({"scenario": "Ctrl-C", "seconds": round(time.monotonic() - began_s, 1)}))
    assert {**neighbour.processes.of_sessions(), **neighbour.processes.of_database()} == {}
    assert [port for port in ports if is_open(port)] == []
    written = neighbour.tail()
    assert written and neighbour.verify()["ok"]
    client.recovery_s(neighbour.up, "BTC-USD.SIM")
    neighbour.wait_until_whole()
    neighbour.down()
    assert {**neighbour.processes.of_sessions(), **neighbour.processes.of_database()} == {}
    more = neighbour.tail()
    assert continues(more, written)
    assert neighbour.verify()["ok"]


def continues(more: list[dict[str, object]], written: list[dict[str, object]]) -> bool:
    """All of the first log is in the second one, which goes on."""
    known = {(event["partition"], event["offset"]): event for event in more}
    same = all(known[event["partition"], event["offset"]] == event for event in written)
    return same and len(more) > len(written)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
