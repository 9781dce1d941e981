"""Connection slots and their audit: no ghosts, no lost slots, no commit in a handshake."""

from __future__ import annotations

import asyncio

import pytest

from actors.access_audit import AuditSettings, audit_partition
from actors.connections import GATEWAY_LOST, ConnectionManager, ConnectionSettings, Named, SessionInfo
from domain.access_events import SessionClosed, SessionOpened, SessionSubscribed, digest_of
from domain.clock import NS_PER_S, ManualClock
from domain.errors import Conflict, NotFound, OverLimit, Unavailable
from storage.block import events_of
from storage.memory import Fault, MemoryLog
from tests.builders import T0

pytestmark = pytest.mark.anyio

QUICK = AuditSettings(linger_ms=0, backoff_base_s=0.001, backoff_cap_s=0.002)
LATER = T0 + 3600 * NS_PER_S
A_TRADES = Named("trades", 1, 0, digest_of(["A.SIM"]))


class Elapsed:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def _manager(log: MemoryLog | None = None, *, owner: str = "connections#1", **settings: object):
    clock = ManualClock(T0)
    chosen = ConnectionSettings(**{"audit": QUICK, **settings})
    return ConnectionManager(log or MemoryLog(), clock, chosen, owner=owner), clock


def _measured(**settings: object):
    """With a monotonic clock, and a wall clock that follows it only where a test lets it."""
    clock, elapsed = ManualClock(T0), Elapsed()
    chosen = ConnectionSettings(**{"audit": QUICK, **settings})
    return ConnectionManager(MemoryLog(), clock, chosen, owner="m", monotonic=elapsed), clock, elapsed


def _open(manager: ConnectionManager, session: str, user: str = "ann", gateway: str = "g1") -> SessionInfo:
    return manager.open_session(session, user, "trader", LATER, gateway)


async def _audited(log: MemoryLog) -> list[object]:
    events = []
    for head in await log.heads("access"):
        for block in await log.read(head.partition, 0, max_blocks=1000):
            events += [recorded.event for recorded in events_of(block)]
    return events


def _info(session: str, user: str = "ann", gateway: str = "g1") -> SessionInfo:
    return SessionInfo(session, user, "trader", gateway, T0, LATER)


async def test_a_user_gets_as_many_sockets_as_the_limit_and_no_more():
    manager, _ = _manager(max_sockets_per_user=2)
    _open(manager, "s1")
    _open(manager, "s2")
    with pytest.raises(OverLimit):
        _open(manager, "s3")
    _open(manager, "s4", user="bob")
    assert [info.session for info in manager.sessions("ann")] == ["s1", "s2"]


async def test_a_closed_session_gives_its_slot_back():
    manager, _ = _manager(max_sockets_per_user=1)
    _open(manager, "s1")
    manager.close_session("s1", 1000, "bye")
    assert _open(manager, "s2").session == "s2"
    assert len(manager) == 1


async def test_opening_the_same_session_again_is_one_session_with_the_first_outcome():
    manager, clock = _manager(max_sockets_per_user=1)
    first = _open(manager, "s1")
    clock.advance(NS_PER_S)
    assert _open(manager, "s1") == first
    assert len(manager) == 1


async def test_closing_an_unknown_session_does_nothing():
    log = MemoryLog()
    manager, _ = _manager(log)
    await manager.start()
    manager.close_session("never", 1000, "bye")
    await manager.stop()
    assert await _audited(log) == []


async def test_the_system_as_a_whole_is_bounded():
    manager, _ = _manager(max_sessions=2)
    _open(manager, "s1", user="a")
    _open(manager, "s2", user="b")
    with pytest.raises(Unavailable):
        _open(manager, "s3", user="c")


async def test_of_subscriptions_each_channel_s_number_of_names_is_remembered():
    manager, _ = _manager()
    _open(manager, "s1")
    manager.subscribed("s1", A_TRADES)
    manager.subscribed("s1", Named("book", 1, 1, digest_of(["B.SIM", "*.SIM"])))
    manager.subscribed("s1", Named("book", 3, 0, digest_of(["C.SIM", "D.SIM", "E.SIM"])))
    (info,) = manager.sessions()
    assert info.subscriptions == {"trades": 1, "book": 5}
    with pytest.raises(NotFound):
        manager.subscribed("unknown", A_TRADES)


async def test_opened_subscribed_and_closed_reach_the_audit_in_this_order():
    log = MemoryLog()
    manager, clock = _manager(log)
    await manager.start()
    _open(manager, "s1")
    clock.advance(5)
    manager.subscribed("s1", A_TRADES)
    manager.close_session("s1", 4401, "expired")
    await manager.stop()
    assert await _audited(log) == [
        SessionOpened("s1", "ann", "trader", T0, "g1", LATER),
        SessionSubscribed("s1", "ann", T0 + 5, "trades", (), 1, 0, digest_of(["A.SIM"])),
        SessionClosed("s1", "ann", T0 + 5, 4401, "expired"),
    ]
    assert [head.partition for head in await log.heads() if head.offset] == [audit_partition("ann", 4)]


async def test_a_handshake_never_waits_for_the_log():
    never = asyncio.Event()
    log = MemoryLog(delay=lambda _operation: never.wait())
    manager, _ = _manager(log)
    await manager.start()
    await asyncio.sleep(0.01)
    assert _open(manager, "s1").session == "s1"
    assert manager.audit.backlog == 1


async def test_a_stalled_audit_refuses_new_sessions_and_subscriptions_but_lets_sessions_close():
    manager, _ = _manager(audit=AuditSettings(backlog=2))
    _open(manager, "s1")
    _open(manager, "s2")
    with pytest.raises(Unavailable):
        _open(manager, "s3")
    with pytest.raises(Unavailable):
        manager.subscribed("s1", A_TRADES)
    manager.close_session("s1", 1000, "bye")
    assert [info.session for info in manager.sessions()] == ["s2"]
    assert manager.audit.backlog == 3


async def test_the_audit_survives_refusals_and_lost_answers_and_holds_each_event_once():
    faults = iter([Fault.REFUSED, Fault.LOST_ANSWER, Fault.LOST_REQUEST, None, Fault.LOST_ANSWER])
    log = MemoryLog(faults=lambda operation, _: next(faults, None) if operation == "append" else None)
    manager, _ = _manager(log)
    await manager.start()
    for number in range(5):
        _open(manager, f"s{number}", user=f"user-{number}")
        await asyncio.sleep(0.005)
    await manager.stop()
    names = [event.session for event in await _audited(log) if isinstance(event, SessionOpened)]
    assert sorted(names) == [f"s{number}" for number in range(5)]
    assert manager.audit.backlog == 0 and manager.audit.written == 5


async def test_an_audit_that_lost_its_partitions_claims_them_again_and_loses_nothing():
    log = MemoryLog()
    old, _ = _manager(log, audit=AuditSettings(linger_ms=0, backlog=3))
    await old.start()
    _open(old, "s1")
    await _until(lambda: old.audit.written == 1)
    new, _ = _manager(log, owner="connections#2")
    await new.start()
    _open(new, "s2")
    await _until(lambda: new.audit.written == 1)
    _open(old, "s3")
    await _until(lambda: old.audit.written == 2)
    assert old.audit.task.health.failures == 1 and not old.audit.full
    _open(new, "s4")
    await new.stop()
    await old.stop()
    assert [event.session for event in await _audited(log)] == ["s1", "s2", "s3", "s4"]


async def test_an_error_that_is_not_ours_ends_no_audit():
    class Faulty(MemoryLog):
        faults = 2

        async def append(self, blocks):
            if self.faults:
                self.faults -= 1
                raise RuntimeError("a driver's own error")
            await super().append(blocks)

    manager, _ = _manager(Faulty(), audit=AuditSettings(linger_ms=0, backoff_base_s=0.001))
    await manager.start()
    _open(manager, "s1")
    await _until(lambda: manager.audit.written == 1)
    health = manager.audit.task.health
    assert (health.failures, health.alive, health.failing) == (2, True, False)
    assert "a driver's own error" in health.error
    await manager.stop()


async def test_an_event_that_no_block_can_hold_keeps_no_other_out_of_the_audit():
    log = MemoryLog()
    manager, _ = _manager(log, audit=AuditSettings(linger_ms=0, backoff_base_s=0.001))
    await manager.start()
    _open(manager, "s1")
    _open(manager, "s2", user="half a pair: \ud800")
    _open(manager, "s3")
    await _until(lambda: manager.audit.written == 2)
    assert (manager.audit.unwritable, manager.audit.task.health.failures) == (1, 1)
    await manager.stop()
    assert [event.session for event in await _audited(log)] == ["s1", "s3"]


async def test_register_brings_back_what_a_restarted_manager_forgot():
    manager, _ = _manager()
    manager.register("g1", [_info("s1"), _info("s2", user="bob")])
    assert {info.session for info in manager.sessions()} == {"s1", "s2"}
    manager.close_session("s1", 1000, "bye")
    assert manager.sessions("ann") == []


async def test_register_drops_the_ghosts_of_that_gateway_and_of_no_other():
    manager, _ = _manager()
    _open(manager, "ghost")
    _open(manager, "alive")
    _open(manager, "elsewhere", gateway="g2")
    manager.register("g1", [_info("alive")])
    assert {info.session for info in manager.sessions()} == {"alive", "elsewhere"}


async def test_registered_sessions_keep_running_even_over_the_limit_but_count():
    manager, _ = _manager(max_sockets_per_user=1)
    manager.register("g1", [_info("s1"), _info("s2")])
    assert len(manager) == 2
    with pytest.raises(OverLimit):
        _open(manager, "s3")


async def test_expire_drops_everything_of_a_dead_gateway_and_audits_it():
    log = MemoryLog()
    manager, _ = _manager(log)
    await manager.start()
    _open(manager, "s1")
    _open(manager, "s2")
    _open(manager, "s3", gateway="g2")
    assert manager.expire("g1") == 2
    assert [info.session for info in manager.sessions()] == ["s3"]
    await manager.stop()
    closed = [event for event in await _audited(log) if isinstance(event, SessionClosed)]
    assert {(event.session, event.code) for event in closed} == {("s1", GATEWAY_LOST), ("s2", GATEWAY_LOST)}


async def test_a_registered_gateway_that_stays_silent_past_its_lease_is_expired():
    manager, _, elapsed = _measured(lease_ms=1_000)
    assert manager.register("g1", [_info("s1")]) == 1_000
    manager.register("g2", [_info("s2", gateway="g2")])
    elapsed.s += 0.9
    manager.renew("g2")
    elapsed.s += 0.2
    assert manager.expire_silent() == ["g1"]
    assert [info.session for info in manager.sessions()] == ["s2"]


@pytest.mark.parametrize("step_s", [3600, -3600])
async def test_a_lease_does_not_follow_the_machine_s_clock_when_it_is_set(step_s):
    manager, clock, elapsed = _measured(lease_ms=1_000)
    manager.register("g1", [_info("s1")])
    clock.advance(step_s * NS_PER_S)
    elapsed.s += 0.9
    assert manager.expire_silent() == []
    elapsed.s += 0.2
    assert manager.expire_silent() == ["g1"]


async def test_a_manager_that_did_not_run_itself_takes_nobody_for_dead():
    manager, _, elapsed = _measured(lease_ms=15_000)
    manager.register("g1", [_info("s1")])
    elapsed.s += 60.0
    assert manager.expire_silent() == []
    for _ in range(14):
        elapsed.s += 1.0
        assert manager.expire_silent() == []
    elapsed.s += 2.0
    assert manager.expire_silent() == ["g1"]


async def test_a_gateway_that_opens_before_it_registers_has_a_lease_to_lose():
    manager, _, elapsed = _measured(lease_ms=1_000)
    _open(manager, "s1")
    elapsed.s += 1.1
    assert manager.expire_silent() == ["g1"]
    assert len(manager) == 0


async def test_a_gateway_that_was_given_up_gets_nothing_under_that_name():
    manager, _, elapsed = _measured(lease_ms=1_000, max_sockets_per_user=1)
    manager.register("g1", [_info("s1")])
    elapsed.s += 1.1
    manager.expire_silent()
    _open(manager, "s2", gateway="g2")
    for call in (
        lambda: manager.register("g1", [_info("s1")]),
        lambda: manager.renew("g1"),
        lambda: _open(manager, "s3", user="bob", gateway="g1"),
    ):
        with pytest.raises(Conflict):
            call()
    assert [info.session for info in manager.sessions()] == ["s2"]


async def test_what_a_gateway_is_about_to_open_is_no_ghost_and_has_no_slot_yet():
    manager, _ = _manager(max_sockets_per_user=1)
    manager.register("g1", [], opening=["under way"])
    _open(manager, "s1")
    with pytest.raises(OverLimit):
        _open(manager, "under way")
    manager.register("g1", [], opening=["s1"])
    assert [info.session for info in manager.sessions()] == ["s1"]


async def test_users_spread_over_the_audit_partitions_and_one_user_stays_in_one():
    names = {audit_partition(f"user-{number}", 4) for number in range(100)}
    assert names == {"access/00", "access/01", "access/02", "access/03"}
    assert audit_partition("ann", 4) == audit_partition("ann", 4)


async def _until(reached) -> None:
    for _ in range(2_000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not reached within two seconds")
