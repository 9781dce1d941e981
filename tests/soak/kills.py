"""Kill -9 of one process after another while clients follow everything: `python -m tests.soak.kills`.

Starts an instance on loopback over a data directory of its own with the simulator, and clients that check
every link of every chain and come back with their newest cursor. Prints what was killed, what was followed
and what `financehub verify` says; ends with 1 on any fault.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.follower import EVERY_CHANNEL, EVERYTHING, Follower
from tests.scenarios.instance import CommandFailed, Instance, until
from tests.scenarios.proof import nothing_lost_or_doubled

ROLES: Mapping[str, str] = {
    "keeper shard": "ray::KeeperShardActor",
    "feed": "ray::FeedShell",
    "reader": "ray::ReaderActor",
    "projector": "ray::ProjectorActor",
    "ConnectionManager": "ray::ConnectionsActor",
    "supervisor": "ray::SupervisorActor",
    "gateway replica": "ray::ServeReplica:financehub:gateway",
    "Serve proxy": "/bin/haproxy -db",
    "manager of the proxy": "ray::HAProxyManager",
}
"""Role -> part of the command line of its processes; PostgreSQL is found by its lock file."""
POSTGRES = "PostgreSQL"
PAUSE_S = (2.0, 9.0)
"""Between two kills: some meet a system that has recovered, some one that has not."""
CHECK_EVERY_S = 45.0
"""So often the system is let come to rest and what clients have is compared with the log."""
SETTLE_S = 120.0
GATEWAYS = 2


@dataclass
class Outcome:
    """What a run has seen."""

    kills: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    reconnects: int = 0
    seams: list[str] = field(default_factory=list)
    """Links that do not join, and what clients and log do not agree on."""
    verdict: str = "not reached"

    @property
    def ok(self) -> bool:
        """Something was killed and followed, without a seam, and the log is sound."""
        return bool(self.kills) and self.frames > 0 and not self.seams and self.verdict == "ok"

    def lines(self) -> list[str]:
        by_role = ", ".join(f"{role} {count}" for role, count in sorted(self.kills.items()))
        return [
            f"kills       {sum(self.kills.values())}: {by_role or 'none'}",
            f"frames      {self.frames:,} followed",
            f"reconnects  {self.reconnects}",
            f"seams       {len(self.seams)}",
            *(f"            {seam}" for seam in self.seams[:10]),
            f"verify      {self.verdict}",
        ]


def soak(instance: Instance, seconds: float, seed: int, clients: int) -> Outcome:
    """Kill until the time is over; the instance runs already."""
    outcome, chance = Outcome(), random.Random(seed)
    token = instance.token()
    url = f"ws://127.0.0.1:{instance.port}"
    followers = [Follower(url, token, EVERY_CHANNEL).start() for _ in range(clients)]
    try:
        _kill_and_check(instance, followers, outcome, chance, time.monotonic() + seconds)
    except AssertionError as error:  # a check that failed, or something that did not come back in time
        outcome.seams.append(str(error))
    finally:
        for follower in followers:
            follower.stop()
    outcome.frames = sum(follower.frames for follower in followers)
    outcome.reconnects = sum(follower.connects - 1 for follower in followers)
    outcome.seams += [fault for follower in followers for fault in follower.faults]
    return outcome


def _kill_and_check(
    instance: Instance, followers: Sequence[Follower], outcome: Outcome, chance: random.Random, until_s: float
) -> None:
    since = followers[0].cursor or ""
    checked_s = time.monotonic()
    for role in _in_random_order(chance):
        if time.monotonic() >= until_s:
            break
        if _kill_one(instance, role, chance):
            outcome.kills[role] += 1
            print(f"[{until_s - time.monotonic():5.0f} s left] killed {role}", flush=True)
        time.sleep(chance.uniform(*PAUSE_S))
        if time.monotonic() - checked_s > CHECK_EVERY_S:
            since = _check(instance, followers, since)
            checked_s = time.monotonic()
    _check(instance, followers, since)


def _in_random_order(chance: random.Random) -> Iterator[str]:
    """Every role once in each round."""
    while True:
        yield from chance.sample([*ROLES, POSTGRES], len(ROLES) + 1)


def _kill_one(instance: Instance, role: str, chance: random.Random) -> bool:
    """False where it was dead already."""
    pids = _postmaster(instance.data_dir) if role == POSTGRES else instance.processes.named(ROLES[role])
    if not pids:
        return False
    try:
        os.kill(chance.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _postmaster(data_dir: Path) -> list[int]:
    try:
        return [int((data_dir / "pg" / "data" / "postmaster.pid").read_text().split()[0])]
    except (OSError, IndexError, ValueError):
        return []


def _check(instance: Instance, followers: Sequence[Follower], since: str) -> str:
    """Once everything serves again every client has what the log has; the cursor to check from next."""
    instance.wait_until_whole(SETTLE_S)
    for follower in followers:
        follower.recovery_s(lambda: None, *EVERYTHING)
    reached = followers[0].cursor or since
    for follower in followers:
        nothing_lost_or_doubled(instance, follower, since)
    return reached


def _verdict(instance: Instance) -> str:
    try:
        report: dict[str, Any] = instance.verify()
    except CommandFailed as failure:
        return f"failed: {failure}"
    return "ok" if report["ok"] else json.dumps(report)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.soak.kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=2)
    asked = parser.parse_args(arguments)
    with Instance(FINANCEHUB_HTTP_GATEWAYS=str(GATEWAYS)) as instance:
        instance.up()
        outcome = soak(instance, 60.0 * asked.minutes, asked.seed, asked.clients)
        instance.down()
        until(lambda: not instance.processes.of_sessions(), 30.0, "nothing is left running")
        outcome.verdict = _verdict(instance)
        print("\n".join(outcome.lines()), flush=True)
        if not outcome.ok:
            print(instance.log()[-4000:], file=sys.stderr)
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())
