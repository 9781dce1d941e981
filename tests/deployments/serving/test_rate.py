"""The rate is a user's, over all sockets, and a pattern costs as much as a message."""

from __future__ import annotations

import pytest

from deployments.ws.protocol import Ping, Subscribe, Unsubscribe
from deployments.ws.rate import MAX_USERS, REFUSALS, REFUSALS_S, Rate, Refusals, cost_of
from domain.errors import OverLimit
from tests.deployments.serving.kit import BTC

pytestmark = pytest.mark.anyio


def test_what_a_frame_costs():
    assert cost_of(Ping()) == 1
    assert cost_of(Subscribe("trades", (BTC,))) == 1
    assert cost_of(Subscribe("trades", tuple(f"*{n}.SIM" for n in range(200)))) == 200
    assert cost_of(Unsubscribe("trades", tuple(f"B?{n}.SIM" for n in range(7)))) == 7
    assert cost_of(Subscribe("trades", tuple(f"A{n}.SIM" for n in range(2_000)))) == 20
    assert cost_of(Subscribe("status")) == 1


def test_a_user_has_one_bucket_and_another_user_another():
    now_s = [0.0]
    rate = Rate(10.0, 20, lambda: now_s[0])
    assert [rate.take("ann", 10) for _ in range(3)] == [True, True, False]
    assert rate.take("bob", 20)
    now_s[0] = 1.0
    assert [rate.take("ann", 10), rate.take("ann")] == [True, False]


def test_what_costs_more_than_a_burst_is_let_through_once_and_paid_for_later():
    now_s = [0.0]
    rate = Rate(10.0, 20, lambda: now_s[0])
    assert rate.take("ann", 1_000)
    now_s[0] = 2.0
    assert not rate.take("ann")
    now_s[0] = 2.2
    assert rate.take("ann")


def test_users_who_have_gone_are_forgotten():
    now_s = [0.0]
    rate = Rate(1.0, 2, lambda: now_s[0])
    for number in range(MAX_USERS):
        assert rate.take(f"user-{number}")
    assert rate.take("one more")
    assert len(rate) == MAX_USERS
    now_s[0] = 10.0
    assert rate.take("later")
    assert len(rate) == 1


async def test_a_user_s_sockets_share_the_rate_and_another_user_s_do_not(serve):
    async with (
        serve(messages_per_s=0.1, message_burst=3) as served,
        served.socket() as first,
        served.socket() as second,
        served.socket(token=served.token(user="bob")) as other,
    ):
        for number in range(3):
            await first.send({"op": "ping", "id": number})
            await first.until("pong")
        await second.send({"op": "ping", "id": "fourth"})
        error = await second.until("error")
        assert (error["id"], error["code"]) == ("fourth", "rate_limited")
        await other.send({"op": "ping"})
        await other.until("pong")


async def test_patterns_are_charged_one_by_one_however_they_are_sent(serve):
    patterns = [f"*{number}.SIM" for number in range(5)]
    async with serve(messages_per_s=0.1, message_burst=12) as served, served.socket() as client:
        for number, op in enumerate(("subscribe", "unsubscribe")):
            await client.send({"op": op, "id": number, "channel": "trades", "instruments": patterns})
            assert (await client.until(f"{op}d"))["id"] == number
        await client.send({"op": "subscribe", "id": 3, "channel": "trades", "instruments": patterns})
        error = await client.until("error")
        assert (error["id"], error["code"]) == (3, "rate_limited")
        await client.send({"op": "ping"})
        await client.until("pong")


async def test_what_comes_with_the_token_is_charged_to_the_user_too(serve):
    patterns = [f"*{number}.SIM" for number in range(4)]
    asked = {"op": "subscribe", "channel": "trades", "instruments": patterns}
    async with serve(messages_per_s=0.1, message_burst=6) as served:
        for outcome in ("subscribed", "error"):
            async with served.socket(token=None) as client:
                await client.send({"op": "auth", "token": served.token()}, asked)
                await client.until(outcome)


async def test_a_socket_that_is_refused_now_and_then_lives_on(serve):
    refused, now_s = 0, [0.0]
    async with serve() as served, served.socket() as client:
        served.app.stream.rate = Rate(1.0, 2, lambda: now_s[0])
        while refused <= REFUSALS + 50:
            now_s[0] += 2.0
            await client.send(*({"op": "ping", "id": number} for number in range(4)))
            answers = [await client.until(lambda frame: frame["type"] in ("pong", "error")) for _ in range(4)]
            refused += sum(answer["type"] == "error" for answer in answers)
            assert any(answer["type"] == "pong" for answer in answers)


def test_refusals_are_forgiven_with_time_and_by_what_is_allowed():
    refusals = Refusals()
    assert not any(refusals.refused(0.0) for _ in range(REFUSALS))
    assert refusals.refused(0.0), "a flood"
    assert not any(refusals.refused(REFUSALS_S / 2) for _ in range(REFUSALS // 2))
    assert refusals.refused(REFUSALS_S / 2)
    refusals.allowed()
    assert [refusals.refused(REFUSALS_S / 2) for _ in range(5)] == [False] * 4 + [True]


def test_a_quiet_socket_outlives_any_number_of_refusals():
    refusals = Refusals()
    assert not any(refusals.refused(float(second)) for second in range(10 * REFUSALS))


async def test_the_welcome_says_rate_and_burst(serve):
    async with serve(messages_per_s=7.0, message_burst=9) as served, served.socket() as client:
        limits = (await client.until("welcome"))["limits"]
        assert (limits["messages_per_s"], limits["message_burst"]) == (7, 9)


class Counted(set):
    """Sessions, and how often somebody went through all of them."""

    rounds = 0

    def __iter__(self):
        self.rounds += 1
        return super().__iter__()


async def test_a_subscription_without_patterns_is_not_counted_against_all_sockets(serve):
    async with serve() as served, served.socket() as client:
        await client.until("welcome")
        sessions = served.app.stream.sessions = Counted(served.app.stream.sessions)
        served.app.stream.check_patterns("ann", 0)
        assert sessions.rounds == 0
        with pytest.raises(OverLimit):
            served.app.stream.check_patterns("ann", 201)
        assert sessions.rounds == 1
