"""Deaths that take the whole instance along: it ends clean, and the next start continues from the log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.follower import EVERYTHING, Follower
from tests.scenarios.instance import Instance, until
from tests.scenarios.processes import is_alive
from tests.scenarios.proof import books_equal_the_log, nothing_lost_or_doubled, report

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

DISK_BYTES = 400 * 1024 * 1024
DETECTED_S = 60.0


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    """Its data directory is a small file system of its own, so that it can be filled."""
    with Instance() as started, small_disk(started.data_dir):
        started.up()
        yield started
        started.processes.kill_all()


class small_disk:
    """A tmpfs: by root, or by sudo without a password (as on CI's machines)."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._become = [] if os.geteuid() == 0 else ["sudo", "-n"]

    def __enter__(self) -> Path:
        self._place.mkdir()
        options = f"size={DISK_BYTES},mode=0711,uid={os.getuid()}"
        self._run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._place))
        return self._place

    def __exit__(self, *_: object) -> None:
        self._run("umount", "-l", str(self._place))

    def _run(self, *command: str) -> None:
        subprocess.run([*self._become, *command], check=True, capture_output=True)


@pytest.fixture(scope="module")
def client(instance: Instance) -> Iterator[Follower]:
    with Follower(f"ws://127.0.0.1:{instance.port}", instance.token()) as follower:
        yield follower


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as out:
        try:
            while out.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    return ballast


def test_a_full_disk_stops_the_log_and_nothing_else(instance: Instance, client: Follower) -> None:
    instance.wait_until_whole()
    since = client.cursor
    ballast = fill(instance.data_dir)
    until(lambda: "No space left on device" in server_log(instance), 60.0, "PostgreSQL feels the full disk")
    taken = client.recovery_s(ballast.unlink, *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report("disk full, then freed", taken)


def server_log(instance: Instance) -> str:
    return (instance.data_dir / "pg" / "server.log").read_text(errors="replace")


@pytest.mark.parametrize("process", ["gcs_server", "raylet/raylet"])
def test_without_its_ray_head_it_ends_and_a_cold_start_continues(
    process: str, instance: Instance, client: Follower
) -> None:
    since = client.cursor
    os.kill(instance.processes.named(process)[0], signal.SIGKILL)
    until(lambda: not is_alive(instance.pid), DETECTED_S, "the starter has ended")
    until(lambda: not instance.processes.of_sessions(), 30.0, "nothing of it is left")
    instance.up()
    taken = client.recovery_s(lambda: None, *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report(f"kill {process}, cold start, clients again after", taken)


def test_after_everything_was_killed_a_cold_start_continues(instance: Instance, client: Follower) -> None:
    since = client.cursor
    instance.kill_everything()
    started_s = instance.up()
    taken = client.recovery_s(lambda: None, *EVERYTHING)
    instance.wait_until_whole()
    nothing_lost_or_doubled(instance, client, since)
    report("kill everything: start, then clients", [started_s, *taken])


def test_after_all_that_books_equal_the_log_and_the_log_is_sound(
    instance: Instance, client: Follower
) -> None:
    client.stop()
    instance.down()
    assert {**instance.processes.of_sessions(), **instance.processes.of_database()} == {}
    books_equal_the_log(instance.tail(), client)
    assert instance.verify()["ok"]
