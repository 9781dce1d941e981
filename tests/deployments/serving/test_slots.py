"""A gateway's slots survive a restart of the ConnectionManager, and die with the gateway."""

from __future__ import annotations

import asyncio

import pytest

from actors.connections import ConnectionManager, ConnectionSettings
from deployments.auth.principal import SCOPES, Principal
from deployments.ws.slots import Slots
from domain.clock import ManualClock
from domain.errors import OverLimit, Unauthenticated, Unavailable
from storage.memory import MemoryLog
from tests.deployments.serving.kit import START
from tests.deployments.serving.log_directory import LogDirectory

pytestmark = pytest.mark.anyio

ANN = Principal("ann", "viewer", SCOPES["viewer"], START + 1)
LIMITS = ConnectionSettings(max_sockets_per_user=2, lease_ms=300, report_ms=300)


class ManagedDirectory(LogDirectory):
    """Asks a real manager, which is replaced by one that knows what the log says and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.audit_log = MemoryLog()
        self.elapsed_s = 0.0
        self.lives = 0
        self.registered = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def restart(self) -> None:
        """The old one is killed: nothing of it ends in order."""
        self.lives += 1
        made = ConnectionManager(
            self.audit_log,
            self.clock,
            LIMITS,
            owner=f"m{self.lives}",
            cluster="here",
            monotonic=lambda: self.elapsed_s,
        )
        await made.gateways.load()
        self.manager = made

    async def sell_ticket(self, ticket, user) -> None:
        self.manager.sell_ticket(ticket, user)

    async def open_session(self, *arguments) -> None:
        self.manager.open_session(*arguments)
        await self.answers.wait()

    async def subscribed(self, *arguments) -> None:
        self.manager.subscribed(*arguments)

    async def close_session(self, *arguments) -> None:
        self._check()
        self.manager.close_session(*arguments)

    async def register_gateway(self, gateway, sessions, opening=()) -> int:
        lease_ms = await self.manager.admit_gateway(gateway, sessions, opening)
        self.registered.set()
        return lease_ms

    async def renew_gateway(self, gateway) -> int:
        return self.manager.renew(gateway)

    async def leave_gateway(self, gateway) -> None:
        self._check()
        await self.manager.leave(gateway)

    async def round(self) -> None:
        self.registered.clear()
        await asyncio.wait_for(self.registered.wait(), 5.0)

    def open(self) -> list[str]:
        return [info.session for info in self.manager.sessions()]


@pytest.fixture
async def directory() -> ManagedDirectory:
    made = ManagedDirectory()
    await made.restart()
    return made


async def test_a_restarted_manager_hears_who_is_there_and_what_they_listen_to(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    await slots.subscribed("s1", "trades", ["BTC-USD.SIM", "*.SIM"])
    await directory.restart()
    await directory.round()
    (known,) = directory.manager.sessions()
    assert (known.session, known.user, known.subscriptions) == ("s1", "ann", {"trades": 2})
    await slots.stop()


async def test_a_subscription_does_not_wait_for_the_next_registration(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    await directory.restart()
    await slots.subscribed("s1", "book", ["ETH-USD.SIM"])
    assert directory.open() == ["s1"]
    await slots.stop()


async def test_a_dead_gateway_gives_its_slots_back_after_its_lease(directory):
    dead, alive = Slots(directory, "g1", directory.clock), Slots(directory, "g2", directory.clock)
    for slots in (dead, alive):
        await slots.take(f"of-{id(slots)}", ANN)
    with pytest.raises(OverLimit):
        await alive.take("third", ANN)
    await dead.stop()
    directory.elapsed_s += 0.2
    await directory.round()
    directory.elapsed_s += 0.2
    assert await directory.manager.sweep() == ["g1"]
    await alive.take("third", ANN)
    await alive.stop()


async def test_through_a_restart_of_the_manager_two_gateways_hold_exactly_the_limit(directory):
    first, second = Slots(directory, "g1", directory.clock), Slots(directory, "g2", directory.clock)
    await second.take("s0", ANN)
    await first.take("s1", ANN)
    await directory.restart()
    opened = 0
    async with asyncio.timeout(5.0):
        while directory.manager.gateways.awaited:
            with pytest.raises(Unavailable):
                await first.take(f"early-{opened}", ANN)
            await directory.round()
    for slots in (first, second):
        with pytest.raises(OverLimit):
            await slots.take("one too many", ANN)
    assert sorted(directory.open()) == ["s0", "s1"]
    for slots in (first, second):
        await slots.stop()


async def test_a_slot_that_was_refused_is_not_said_to_be_held(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    await slots.take("s2", ANN)
    with pytest.raises(OverLimit):
        await slots.take("s3", ANN)
    await slots.give_back("s1", 1000, "bye")
    await directory.restart()
    await directory.round()
    assert directory.open() == ["s2"]
    await slots.stop()


async def test_a_handshake_that_waits_while_the_manager_restarts_gets_no_slot_by_registration(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    directory.answers.clear()
    waiting = asyncio.create_task(slots.take("s2", ANN))
    await directory.round()
    assert sorted(directory.open()) == ["s1", "s2"]  # asked for, and no ghost
    await directory.restart()
    await directory.round()
    assert directory.open() == ["s1"]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await slots.stop()


async def test_a_socket_whose_client_goes_during_the_handshake_leaves_no_ghost(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    directory.answers.clear()
    waiting = asyncio.create_task(slots.take("s2", ANN))
    await directory.round()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await directory.round()
    assert directory.open() == ["s1"]
    await slots.stop()


async def test_a_close_that_does_not_arrive_is_made_good_by_the_next_renewal(directory):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    directory.unavailable = True
    await slots.give_back("s1", 1000, "bye")
    directory.unavailable = False
    await directory.round()
    assert directory.open() == []
    await slots.stop()


async def test_a_gateway_that_was_given_up_drops_its_sockets_and_begins_again_under_another_name(directory):
    lost = asyncio.Event()
    slots = Slots(directory, "g1", directory.clock, lost.set)
    await slots.take("s1", ANN)
    directory.elapsed_s += 0.4
    assert await directory.manager.sweep() == ["g1"]
    await asyncio.wait_for(lost.wait(), 5.0)
    await slots.take("s2", ANN)
    assert [(info.session, info.gateway) for info in directory.manager.sessions()] == [("s2", "g1.2")]
    await slots.stop()


async def test_a_handshake_at_a_gateway_that_was_given_up_is_refused_once(directory):
    lost = asyncio.Event()
    slots = Slots(directory, "g1", directory.clock, lost.set)
    await slots.take("s1", ANN)
    directory.elapsed_s += 0.4
    await directory.manager.sweep()
    with pytest.raises(Unavailable):
        await slots.take("s2", ANN)
    assert lost.is_set()
    await slots.take("s3", ANN)
    assert directory.open() == ["s3"]
    await slots.stop()


async def test_for_a_gateway_that_ended_in_order_no_manager_waits(directory):
    ending, staying = Slots(directory, "g1", directory.clock), Slots(directory, "g2", directory.clock)
    for slots in (ending, staying):
        await slots.take(f"of-{id(slots)}", ANN)
    await ending.give_back(f"of-{id(ending)}", 4503, "draining")
    await ending.stop()
    await directory.restart()
    assert directory.manager.gateways.awaited == {"g2"}
    await staying.stop()


@pytest.mark.parametrize("unreachable", [True, False])
async def test_a_gateway_that_cannot_sign_off_or_still_holds_sockets_is_waited_for(directory, unreachable):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    if unreachable:
        await slots.give_back("s1", 4503, "draining")
    directory.unavailable = unreachable
    await slots.stop()
    await directory.restart()
    assert directory.manager.gateways.awaited == {"g1"}


async def test_one_ticket_raced_over_two_gateways_opens_one_socket(directory):
    both = Slots(directory, "g1", directory.clock), Slots(directory, "g2", directory.clock)
    directory.manager.sell_ticket("t", "ann")
    holder = Principal("ann", "viewer", SCOPES["viewer"], START + 1, "t")
    tries = [slots.take(f"s{n}-{id(slots)}", holder) for n in range(5) for slots in both]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is None] == [None]
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {Unauthenticated}
    assert len(directory.open()) == 1
    for slots in both:
        await slots.stop()


async def test_renewing_goes_on_after_an_error_that_nobody_expected(directory, monkeypatch):
    slots = Slots(directory, "g1", directory.clock)
    await slots.take("s1", ANN)
    failed = asyncio.Event()

    async def fails(_gateway: str) -> int:
        failed.set()
        raise RuntimeError("no such thing")

    with monkeypatch.context() as patched:
        patched.setattr(directory, "renew_gateway", fails)
        await asyncio.wait_for(failed.wait(), 5.0)
    await directory.round()
    assert directory.open() == ["s1"]
    await slots.stop()
