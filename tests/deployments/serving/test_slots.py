"""A gateway's slots survive a restart of the ConnectionManager, and die with the gateway."""

from __future__ import annotations

import asyncio

import pytest

from actors.connections import ConnectionManager, ConnectionSettings
from deployments.auth.principal import SCOPES, Principal
from deployments.ws.slots import Slots
from domain.clock import NS_PER_MS, ManualClock
from domain.errors import OverLimit
from storage.memory import MemoryLog
from tests.deployments.serving.kit import START
from tests.deployments.serving.log_directory import LogDirectory

pytestmark = pytest.mark.anyio

ANN = Principal("ann", "viewer", SCOPES["viewer"], START + 1)
LIMITS = ConnectionSettings(max_sockets_per_user=2, lease_ms=300)


class ManagedDirectory(LogDirectory):
    """Asks a real manager, which can be replaced by one that knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.restart()

    def restart(self) -> None:
        self.manager = ConnectionManager(MemoryLog(), self.clock, LIMITS, owner="m")
        self.registered = asyncio.Event()

    async def open_session(self, *arguments) -> None:
        self.manager.open_session(*arguments)

    async def subscribed(self, *arguments) -> None:
        self.manager.subscribed(*arguments)

    async def close_session(self, *arguments) -> None:
        self.manager.close_session(*arguments)

    async def register_gateway(self, gateway, sessions) -> int:
        lease_ms = self.manager.register(gateway, sessions)
        self.registered.set()
        return lease_ms

    async def round(self) -> None:
        self.registered.clear()
        await asyncio.wait_for(self.registered.wait(), 5.0)


async def test_a_restarted_manager_is_told_again_who_is_there_and_what_they_listen_to():
    directory = ManagedDirectory()
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    await slots.subscribed("s1", "trades", ["BTC-USD.SIM"])
    directory.restart()
    await directory.round()
    (known,) = directory.manager.sessions()
    assert (known.session, known.user, known.subscriptions) == ("s1", "ann", (("trades", ("BTC-USD.SIM",)),))
    await slots.stop()


async def test_a_subscription_does_not_wait_for_the_next_registration():
    directory = ManagedDirectory()
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    directory.restart()
    await slots.subscribed("s1", "book", ["ETH-USD.SIM"])
    assert [info.session for info in directory.manager.sessions()] == ["s1"]
    await slots.stop()


async def test_a_dead_gateway_gives_its_slots_back_after_its_lease():
    directory = ManagedDirectory()
    dead, alive = Slots(directory, "g1", directory.clock), Slots(directory, "g2", directory.clock)
    for slots in (dead, alive):
        await slots.take(f"of-{id(slots)}", ANN)
    with pytest.raises(OverLimit):
        await alive.take("third", ANN)
    await directory.round()
    await dead.stop()
    directory.clock.advance(200 * NS_PER_MS)
    await directory.round()
    directory.clock.advance(200 * NS_PER_MS)
    assert directory.manager.expire_silent() == ["g1"]
    await alive.take("third", ANN)
    await alive.stop()


async def test_a_slot_that_was_refused_is_not_told_as_held():
    directory = ManagedDirectory()
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    await slots.take("s2", ANN)
    with pytest.raises(OverLimit):
        await slots.take("s3", ANN)
    await slots.give_back("s1", 1000, "bye")
    directory.restart()
    await directory.round()
    assert [info.session for info in directory.manager.sessions()] == ["s2"]
    await slots.stop()
