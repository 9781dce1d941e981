"""The stream while the actors behind it restart, forget or fall silent."""

from __future__ import annotations

import asyncio

import pytest

from actors.connections import Named
from domain.access_events import digest_of
from tests.deployments.serving.kit import BTC, a_trade, check_chain

pytestmark = pytest.mark.anyio


async def test_subscriptions_are_audited_and_the_slot_is_given_back(serve, directory):
    async with serve() as served:
        async with served.socket() as client:
            session = (await client.next())["session"]
            await client.subscribe("trades", BTC)
        await served.app.drain()
    assert directory.audited == [(session, Named("trades", 1, 0, digest_of([BTC])))]
    assert directory.sessions == {}
    assert directory.closed[0][0] == session


async def test_a_restarted_connection_manager_gets_the_session_again(serve, directory):
    async with serve() as served, served.socket() as client:
        session = (await client.next())["session"]
        directory.sessions.clear()
        assert (await client.subscribe("trades", BTC))["instruments"] == [BTC]
        assert session in directory.sessions


async def test_a_gateway_that_was_given_up_closes_its_sockets_and_takes_new_ones(serve, directory):
    directory.lease_ms = 150
    async with serve() as served:
        async with served.socket() as client:
            await client.until("welcome")
            directory.given_up |= directory.gateways
            code, reason = await client.closed()
            assert (code, "out of reach" in reason) == (4503, True)
        async with served.socket() as client:
            await client.until("welcome")
            assert len(directory.gateways) == 2 and len(directory.sessions) == 1


async def test_events_that_memory_no_longer_holds_come_from_the_log(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.memory = 3
        directory.append(*(a_trade(price=float(price)) for price in range(1, 21)))
        frames = await client.take("trade", 20)
        assert [frame["price"] for frame in frames] == [float(price) for price in range(1, 21)]
        check_chain(frames)


async def test_polling_rests_without_subscriptions_and_begins_again(serve, directory):
    async with serve(idle_stop_s=0.0, tick_s=0.005) as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.append(a_trade(price=1.0))
        await client.until("trade")
        await client.send({"op": "unsubscribe", "channel": "trades"})
        await client.until("unsubscribed")
        async with asyncio.timeout(2):
            while served.app.stream.hub.running:  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.005)
        directory.append(a_trade(price=2.0))
        await client.subscribe("trades", BTC)
        directory.append(a_trade(price=3.0))
        assert (await client.until("trade"))["price"] == 3.0


async def test_a_failure_of_the_timers_interrupts_everybody(serve, monkeypatch):
    async with serve() as served, served.socket() as client:
        await client.until("welcome")
        monkeypatch.setattr(served.app.stream, "_measure", lambda: 1 / 0)
        assert (await client.closed())[0] == 4503


async def test_a_hole_in_what_an_owner_tells_is_filled_from_the_log(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.skips = 2
        directory.append(*(a_trade(price=float(price)) for price in range(5)))
        frames = await client.take("trade", 5)
        assert [frame["price"] for frame in frames] == [0.0, 1.0, 2.0, 3.0, 4.0]
        check_chain(frames)


async def test_the_stream_goes_on_after_the_owner_was_away(serve, directory):
    async with serve(poll_wait_s=0.02) as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.append(a_trade(price=1.0))
        await client.until("trade")
        directory.unavailable = True
        directory.append(a_trade(price=2.0))
        directory.unavailable = False
        assert (await client.until("trade"))["price"] == 2.0
        check_chain(client.of("trade"))
