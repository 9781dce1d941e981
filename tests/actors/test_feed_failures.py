"""A feed whose hand-over fails for good says so in its own log, ends, and stands in nobody's way."""

from __future__ import annotations

import asyncio

import pytest

from domain.errors import Conflict, FinanceHubError, Malformed, Unavailable
from domain.feed_events import WHOLE_FEED, FeedLost
from tests.actors.receiving_end import KeepingSender
from tests.actors.test_feed import ListSource, Stage


class FailingSender(KeepingSender):
    """Has failed, as every call says."""

    failure: FinanceHubError = Malformed("batch 7 never passes")

    def heartbeat(self, clock: int) -> None:
        raise self.failure

    async def drained(self) -> None:
        raise self.failure


class FailingStage(Stage):
    def _sender(self, incarnation: int) -> KeepingSender:
        self.senders.append(FailingSender(incarnation))
        return self.senders[-1]


def test_why_a_feed_ended_is_recorded_before_it_ends() -> None:
    async def scenario() -> None:
        stage = FailingStage(ListSource([]))
        with pytest.raises(Malformed):
            await stage.actor.run()
        lost = stage.writer.events[-1]
        assert isinstance(lost, FeedLost)
        assert (lost.connection, lost.reason) == (WHOLE_FEED, "Malformed: batch 7 never passes")
        assert stage.senders[0].closed

    asyncio.run(scenario())


def test_a_log_that_is_away_does_not_keep_a_failed_feed_from_ending() -> None:
    async def scenario() -> None:
        stage = FailingStage(ListSource([]))
        stage.writer.failures = [Unavailable("the log is away")] * 10_000
        async with asyncio.timeout(2):
            with pytest.raises(Malformed):
                await stage.actor.run()

    asyncio.run(scenario())


@pytest.mark.parametrize("failure", [Malformed("never passes"), Conflict("a newer one is there")])
def test_a_feed_that_has_failed_can_be_stopped(failure: FinanceHubError) -> None:
    async def scenario() -> None:
        stage = FailingStage(ListSource([]))
        running = asyncio.create_task(stage.actor.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        FailingSender.failure = failure
        async with asyncio.timeout(1):
            await stage.actor.stop()
        assert running.cancelled()

    asyncio.run(scenario())
