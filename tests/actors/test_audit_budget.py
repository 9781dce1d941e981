"""One user's audit is bounded by the hour, and what is left out of it is counted."""

from __future__ import annotations

import msgspec
import pytest

from actors.access_audit import AccessAudit, AuditSettings
from actors.audit_budget import BLOCK_BYTES, AuditBudget
from actors.connections import ConnectionManager, ConnectionSettings, Named
from domain.access_events import AuditCut, SessionClosed, SessionOpened, SessionSubscribed, digest_of
from domain.clock import NS_PER_S, ManualClock
from storage.block import events_of
from storage.memory import MemoryLog
from storage.postgres_retention import ROW_BYTES
from tests.builders import T0

pytestmark = pytest.mark.anyio

HOUR_S = 3600
LIMIT = 10_000
LONG = ["*" * 60 + str(number) for number in range(1_000)]


def _subscribed(user: str = "ann", at: int = T0) -> SessionSubscribed:
    return SessionSubscribed("s", user, at, "trades", (), 0, 1_000, digest_of(LONG))


async def _read(log: MemoryLog) -> list[object]:
    return [
        recorded.event
        for head in await log.heads("access")
        for block in await log.read(head.partition, 0, max_blocks=1000)
        for recorded in events_of(block)
    ]


def test_a_user_fills_an_hour_s_bytes_and_no_more_while_others_are_written():
    budget = AuditBudget(lambda: 0.0, LIMIT)
    taken = [event for event in [_subscribed()] * 100 if budget.admits(event)]
    size = BLOCK_BYTES + len(msgspec.msgpack.encode(_subscribed()))
    assert len(taken) == LIMIT // size
    assert budget.admits(_subscribed("bob"))


def test_what_is_beyond_is_one_event_per_hour_and_user():
    elapsed_s = [0.0]
    budget = AuditBudget(lambda: elapsed_s[0], 0)
    for event in (
        SessionOpened("s", "ann", "viewer", T0, "g", T0),
        *[_subscribed(at=T0 + 5)] * 3,
        SessionClosed("s", "ann", T0 + 9, 1000, ""),
    ):
        assert not budget.admits(event)
    assert budget.ended(T0) == []
    elapsed_s[0] = HOUR_S
    end = T0 + HOUR_S * NS_PER_S
    assert budget.ended(end) == [AuditCut("ann", end, T0, opened=1, subscribed=3, closed=1)]
    assert budget.ended(end) == []


def test_an_hour_that_ends_with_the_next_event_is_counted_too():
    elapsed_s = [0.0]
    budget = AuditBudget(lambda: elapsed_s[0], BLOCK_BYTES + 200)
    assert [budget.admits(_subscribed()) for _ in range(3)] == [True, False, False]
    elapsed_s[0] = HOUR_S
    later = T0 + HOUR_S * NS_PER_S
    assert budget.admits(_subscribed(at=later))
    assert budget.ended(later) == [AuditCut("ann", later, T0, 0, 2, 0)]


async def test_what_was_left_out_is_written_when_the_process_stops():
    log = MemoryLog()
    settings = AuditSettings(linger_ms=0, user_bytes_per_hour=LIMIT)
    audit = AccessAudit(log, ManualClock(T0), settings, owner="m")
    await audit.start()
    for _ in range(100):
        audit.record(_subscribed())
    await audit.stop()
    *written, cut = await _read(log)
    assert isinstance(cut, AuditCut)
    assert cut.subscribed + len(written) == 100
    kept_bytes = sum(ROW_BYTES + len(block.payload) for block in log.blocks("access/01"))
    assert all(head.partition == "access/01" for head in await log.heads()) and kept_bytes <= LIMIT + 1_000


async def test_long_lists_of_long_patterns_are_a_number_and_a_digest():
    """As four sockets bring them that subscribe 50 times a second for a minute."""
    log = MemoryLog()
    limits = ConnectionSettings(audit=AuditSettings(linger_ms=0))
    manager = ConnectionManager(log, ManualClock(T0), limits, owner="m")
    await manager.start()
    named = Named("trades", 0, len(LONG), digest_of(LONG))
    for socket in range(4):
        manager.open_session(f"s{socket}", "ann", "viewer", T0, "g")
        for _ in range(50 * 60):
            manager.subscribed(f"s{socket}", named)
    await manager.stop()
    bytes_written = sum(
        len(block.payload) for head in await log.heads() for block in log.blocks(head.partition)
    )
    assert bytes_written < limits.audit.user_bytes_per_hour
    found = await _read(log)
    assert found[1] == SessionSubscribed("s0", "ann", T0, "trades", (), 0, 1_000, digest_of(LONG))
    counted = sum(event.subscribed for event in found if isinstance(event, AuditCut))
    assert counted + sum(isinstance(event, SessionSubscribed) for event in found) == 4 * 50 * 60


def test_a_digest_tells_lists_apart_and_not_their_order():
    assert digest_of(["a", "b"]) == digest_of(["b", "a", "b"])
    assert digest_of(["ab"]) != digest_of(["a", "b"]) != digest_of(["a"])
    assert len(digest_of(LONG)) == 16
