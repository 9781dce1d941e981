"""A feed's process runs one incarnation after another, whatever ended the one before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.feeds.base import FeedSettings
from actors.roles import FeedShell
from actors.runtime import Runtime
from domain.errors import Conflict, Unavailable
from tests.actors.shard_bench import turns, until

pytestmark = pytest.mark.anyio

RUNTIME = Runtime(dsn="", partition_count=1, shards=1, readers=0, feeds={"sim": FeedSettings()})


@pytest.fixture(autouse=True)
def a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.shells.node_id", lambda: "here")
    monkeypatch.setattr("actors.roles.FEED_RETRY_S", 0.001)


class Status:
    __struct_fields__ = ("state",)
    state = "connected"


class Incarnation:
    """Ends with an error, or runs until it is cancelled."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.began = False

    async def run(self) -> None:
        self.began = True
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Its task is stopped by the shell."""

    def status(self) -> Status:
        return Status()


class Feed(FeedShell):
    """Over no database; its incarnations end with the errors it is given, and then go on."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__("feed-sim", RUNTIME)
        self.errors = list(errors)
        self.lives: list[Incarnation] = []

    async def connect(self) -> Any:
        return None

    async def _source(self) -> Any:
        return None

    def _incarnation(self, source: Any) -> Any:
        self.lives.append(Incarnation(self.errors.pop(0) if self.errors else None))
        return self.lives[-1]


@pytest.mark.parametrize(
    "error", [Unavailable("no log"), RuntimeError("a defect"), KeyError("x")], ids=lambda e: type(e).__name__
)
async def test_an_incarnation_that_fails_is_followed_by_another(error: Exception) -> None:
    feed = Feed(error, error)
    await feed.report()
    await until(lambda: len(feed.lives) == 3 and feed.lives[-1].began)
    (task,) = [task for task in (await feed.report())["tasks"] if task["task"] == "incarnations"]
    assert (task["alive"], task["failures"]) == (True, 2)
    await feed.stop()


async def test_one_that_was_replaced_begins_again_only_when_the_supervisor_still_asks_for_it() -> None:
    feed = Feed(Conflict("a newer incarnation has taken over"))
    await feed._ready()
    await until(lambda: feed.lives[0].began)
    await turns()
    assert len(feed.lives) == 1, "nobody has asked: it may be the stale one of two"
    await feed.report()
    await until(lambda: len(feed.lives) == 2 and feed.lives[1].began)
    await feed.stop()
