"""One running instance and one client, shared by the scenarios that leave them healthy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.follower import Follower
from tests.scenarios.instance import Instance


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    with Instance() as started:
        started.up()
        yield started


@pytest.fixture(scope="session")
def client(instance: Instance) -> Iterator[Follower]:
    with Follower(f"ws://127.0.0.1:{instance.port}", instance.token()) as follower:
        yield follower
