"""A feed's own partition outlives a log that was away for longer than a writer waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from actors.feeds.provider_log import claim_provider
from domain.clock import ManualClock
from domain.errors import NotOwner, Retryable
from domain.feed_events import FeedLost
from storage.block import events_of
from storage.memory import Fault, MemoryLog
from storage.settings import WriterSettings
from storage.writer import LogWriter
from tests.builders import T0

PARTITION = "provider/toy"
LOSSES = tuple(FeedLost("toy", T0, connection, "gone") for connection in range(3))


def a_writer(log: MemoryLog, owner: str = "feed-toy#1") -> LogWriter:
    return LogWriter(log, owner, ManualClock(T0), WriterSettings(max_attempts=2, first_delay_s=0.0))


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.LATE, Fault.REFUSED])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_events_are_recorded_once_however_long_answers_go_missing(fault: Fault, times: int) -> None:
    faults: list[Fault] = []

    def script(operation: str, _: Sequence[str]) -> Fault | None:
        return faults.pop() if operation == "append" and faults else None

    async def scenario() -> list[object]:
        log = MemoryLog(faults=script)
        incarnation, provider_log = await claim_provider(a_writer(log), "toy")
        assert incarnation == 1
        faults.extend([fault] * times)
        waiting = list(LOSSES)
        while waiting:
            try:
                durable = await provider_log.append(waiting)
            except Retryable:
                continue
            del waiting[:durable]
        return [one.event for block in await log.read(PARTITION, 0) for one in events_of(block)]

    assert asyncio.run(scenario()) == list(LOSSES)


def test_another_incarnation_is_never_fought() -> None:
    async def scenario() -> str:
        faults = [Fault.LOST_REQUEST]
        log = MemoryLog(
            faults=lambda operation, _: faults.pop() if operation == "append" and faults else None
        )
        _, provider_log = await claim_provider(a_writer(log), "toy")
        await claim_provider(a_writer(log, "feed-toy#2"), "toy")
        for _ in range(2):
            with pytest.raises(NotOwner):
                await provider_log.append(LOSSES)
        return (await log.heads())[0].owner

    assert asyncio.run(scenario()) == "feed-toy#2"
