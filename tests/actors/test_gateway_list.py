"""A ConnectionManager that begins again waits for the gateways that it had: limits hold through a restart."""

from __future__ import annotations

import pytest

from actors.access_audit import AuditSettings
from actors.connections import ConnectionManager, ConnectionSettings, SessionInfo
from actors.gateway_list import MAX_LOST, PARTITION
from domain.clock import NS_PER_S, ManualClock
from domain.errors import Conflict, NotFound, OverLimit, Unavailable
from storage.memory import Fault, MemoryLog
from storage.settings import WriterSettings
from storage.writer import LogWriter
from tests.builders import T0

pytestmark = pytest.mark.anyio

LATER = T0 + 3600 * NS_PER_S
LIMIT = 3


class World:
    """A log, and one life of the manager after the other."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog()
        self.clock = ManualClock(T0)
        self.elapsed_s = 0.0
        self.lives = 0

    async def manager(self, cluster: str = "cluster-1", **settings: object) -> ConnectionManager:
        self.lives += 1
        chosen = ConnectionSettings(
            **{"max_sockets_per_user": LIMIT, "audit": AuditSettings(linger_ms=0), **settings}
        )
        made = ConnectionManager(
            self.log,
            self.clock,
            chosen,
            owner=f"connections#{self.lives}",
            cluster=cluster,
            monotonic=lambda: self.elapsed_s,
        )
        await made.start()
        return made

    async def pass_s(self, manager: ConnectionManager, seconds: float) -> list[str]:
        """Time, and the sweeps in it."""
        found: list[str] = []
        for _ in range(int(seconds)):
            self.elapsed_s += 1.0
            found += await manager.sweep()
        return found


def _open(manager: ConnectionManager, session: str, gateway: str) -> SessionInfo:
    return manager.open_session(session, "ann", "viewer", LATER, gateway)


async def _two_gateways(world: World) -> tuple[list[SessionInfo], list[SessionInfo]]:
    """The first has two of the user's three sockets, the second the last one."""
    manager = await world.manager()
    await manager.admit_gateway("g1", [])
    await manager.admit_gateway("g2", [])
    held = [_open(manager, "s1", "g1"), _open(manager, "s2", "g1")], [_open(manager, "s3", "g2")]
    await manager.stop()
    return held


async def test_a_restarted_manager_opens_nothing_until_all_its_gateways_have_reported():
    world = World()
    first, second = await _two_gateways(world)
    manager = await world.manager()
    for gateway in ("g1", "g2", "new"):
        with pytest.raises(Unavailable, match="g1, g2"):
            _open(manager, "more", gateway)
    await manager.admit_gateway("g2", second)
    with pytest.raises(Unavailable, match="g1"):
        _open(manager, "more", "g2")
    await manager.admit_gateway("g1", first)
    with pytest.raises(OverLimit):
        _open(manager, "more", "g2")
    manager.close_session("s1", 1000, "bye")
    assert _open(manager, "more", "g2").session == "more"
    assert len(manager) == LIMIT
    await manager.stop()


async def test_the_slots_of_a_gateway_that_died_with_the_manager_are_free_after_the_time_to_report():
    world = World()
    first, _ = await _two_gateways(world)
    manager = await world.manager(report_ms=10_000)
    await manager.admit_gateway("g1", first)
    for _ in range(10):
        with pytest.raises(Unavailable):
            _open(manager, "more", "g1")
        manager.renew("g1")
        await world.pass_s(manager, 1)
    manager.renew("g1")
    await world.pass_s(manager, 1)
    assert _open(manager, "more", "g1").session == "more"
    with pytest.raises(OverLimit):
        _open(manager, "and more", "g1")
    await manager.stop()


async def test_a_gateway_that_comes_too_late_has_lost_its_sockets_also_after_another_restart():
    world = World()
    first, second = await _two_gateways(world)
    manager = await world.manager(report_ms=2_000)
    await manager.admit_gateway("g1", first)
    await world.pass_s(manager, 3)
    _open(manager, "taken", "g1")
    held = manager.sessions()
    await manager.stop()
    for _ in range(2):
        with pytest.raises(Conflict):
            await manager.admit_gateway("g2", second)
        manager = await world.manager()
        with pytest.raises(Conflict):
            await manager.admit_gateway("g2", second)
        await manager.admit_gateway("g1", held)
        assert len(manager) == LIMIT
        await manager.stop()


async def test_of_gateways_in_another_life_of_the_cluster_nobody_waits():
    world = World()
    await _two_gateways(world)
    manager = await world.manager("cluster-2")
    await manager.admit_gateway("g7", [])
    assert _open(manager, "s", "g7").session == "s"
    await manager.stop()


async def test_a_new_gateway_has_no_socket_before_the_log_knows_it():
    refused = [True]
    quick = WriterSettings(max_attempts=1)
    world = World(
        MemoryLog(faults=lambda op, names: Fault.REFUSED if op == "append" and refused[0] else None)
    )
    manager = await world.manager()
    manager.gateways._writer = LogWriter(world.log, "connections#1", world.clock, quick)
    await manager.gateways._writer.claim(PARTITION)
    with pytest.raises(Unavailable):
        await manager.admit_gateway("g1", [])
    refused[0] = False
    await manager.admit_gateway("g1", [])
    await manager.stop()
    assert (await world.manager()).gateways.awaited == {"g1"}


async def test_no_slot_is_free_before_the_log_says_that_its_gateway_is_given_up():
    refused = [False]
    world = World(
        MemoryLog(faults=lambda op, names: Fault.REFUSED if op == "append" and refused[0] else None)
    )
    manager = await world.manager(lease_ms=2_000)
    await manager.admit_gateway("g1", [])
    _open(manager, "s1", "g1")
    manager.gateways._writer = LogWriter(
        world.log, "connections#1", world.clock, WriterSettings(max_attempts=1)
    )
    await manager.gateways._writer.claim(PARTITION)
    refused[0] = True
    world.elapsed_s += 3.0
    with pytest.raises(Unavailable):
        await manager.sweep()
    assert len(manager) == 1
    with pytest.raises(Conflict):
        manager.renew("g1")
    refused[0] = False
    assert await manager.sweep() == ["g1"]
    assert len(manager) == 0
    await manager.stop()


async def test_a_manager_that_was_replaced_admits_nobody_any_more():
    world = World()
    old = await world.manager()
    await old.admit_gateway("g1", [])
    new = await world.manager()
    with pytest.raises(Unavailable, match="taken over"):
        await old.admit_gateway("g2", [])
    with pytest.raises(Unavailable, match="taken over"):
        _open(old, "s1", "g1")
    for each in (old, new):
        await each.stop()


async def test_a_list_that_has_not_changed_is_not_written_again():
    world = World()
    manager = await world.manager()
    for _ in range(3):
        await manager.admit_gateway("g1", [])
        await manager.sweep()
    (head,) = [head for head in await world.log.heads() if head.partition == PARTITION]
    assert head.offset == 1
    await manager.stop()


async def test_lost_gateways_are_remembered_up_to_a_bound():
    world = World()
    manager = await world.manager(lease_ms=500)
    manager.register("first", [])
    await world.pass_s(manager, 1)
    for number in range(MAX_LOST):
        manager.register(f"g{number}", [])
    with pytest.raises(Conflict):
        manager.renew("first")
    await world.pass_s(manager, 1)
    with pytest.raises(NotFound):
        manager.renew("first")
    with pytest.raises(Conflict):
        manager.renew("g0")
    await manager.stop()
