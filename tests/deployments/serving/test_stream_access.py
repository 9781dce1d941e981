"""Who gets a socket, for how long, and what bad behaviour leads to."""

from __future__ import annotations

import asyncio

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization

from deployments.asgi import ServingSettings, create_app
from deployments.auth.tokens import AUDIENCE, ISSUER
from domain.clock import NS_PER_S
from tests.deployments.serving.kit import BTC, a_trade

pytestmark = pytest.mark.anyio


async def test_the_first_message_may_bring_the_token_and_more(serve, directory):
    async with serve() as served, served.socket(token=None) as client:
        await client.send(
            {"op": "auth", "token": served.token()},
            {"op": "subscribe", "id": 1, "channel": "trades", "instruments": [BTC]},
        )
        assert (await client.next())["type"] == "welcome"
        assert (await client.until("subscribed"))["id"] == 1


async def test_without_a_credential_the_socket_closes_after_the_deadline(serve):
    async with serve(auth_deadline_s=0.05) as served, served.socket(token=None) as client:
        assert (await client.closed())[0] == 4401
        assert client.of("error")[0]["code"] == "unauthenticated"


async def test_nothing_works_before_authentication(serve):
    async with serve(auth_deadline_s=0.2) as served, served.socket(token=None) as client:
        await client.send({"op": "subscribe", "id": 5, "channel": "trades", "instruments": [BTC]})
        error = await client.next()
        assert (error["type"], error["id"], error["code"]) == ("error", 5, "unauthenticated")
        assert (await client.closed())[0] == 4401
        assert client.of("subscribed", "welcome") == []


@pytest.mark.parametrize("way", ["header", "message", "ticket"])
async def test_a_bad_token_closes_with_4401_and_is_never_repeated(serve, way):
    secret = "eyJhbGciOiJFZERTQSJ9.very-secret.signature"
    async with serve() as served:
        path = f"/v1/stream?ticket={secret}" if way == "ticket" else "/v1/stream"
        async with served.socket(path, token=secret if way == "header" else None) as client:
            if way == "message":
                await client.send({"op": "auth", "token": secret})
            code, reason = await client.closed()
            assert code == 4401
            assert secret not in reason + str(client.seen)
            assert served.directory.sessions == {}


async def test_a_long_lived_token_in_the_url_is_no_ticket(serve):
    async with serve() as served, served.socket(f"/v1/stream?ticket={served.token()}", token=None) as client:
        assert (await client.closed())[0] == 4401


async def test_a_ticket_opens_one_socket_only(serve):
    async with serve() as served:
        async with served.http("trader") as http:
            answer = await http.post("/v1/tickets")
        assert answer.status_code == 201
        ticket = answer.json()["ticket"]
        async with served.socket(f"/v1/stream?ticket={ticket}", token=None) as client:
            assert (await client.next())["type"] == "welcome"
        async with served.socket(f"/v1/stream?ticket={ticket}", token=None) as client:
            code, reason = await client.closed()
            assert (code, "used before" in reason) == (4401, True)


async def test_a_ticket_expires_within_the_minute(serve, clock):
    async with serve() as served:
        async with served.http() as http:
            ticket = (await http.post("/v1/tickets")).json()["ticket"]
        clock.advance(40 * NS_PER_S)
        async with served.socket(f"/v1/stream?ticket={ticket}", token=None) as client:
            assert (await client.closed())[0] == 4401


async def test_a_socket_opened_by_ticket_ends_with_the_token_behind_it(serve, clock):
    async with serve() as served:
        async with served.http() as http:
            ticket = (await http.post("/v1/tickets")).json()["ticket"]
        async with served.socket(f"/v1/stream?ticket={ticket}", token=None) as client:
            await client.until("welcome")
            clock.advance(3601 * NS_PER_S)
            assert (await client.closed())[0] == 4401


async def test_expiry_is_announced_and_then_carried_out(serve, clock):
    async with (
        serve(expiring_before_s=60) as served,
        served.socket(token=served.token(ttl_s=100)) as client,
    ):
        await client.until("welcome")
        clock.advance(50 * NS_PER_S)
        assert (await client.until("expiring"))["expires"] == "2027-01-15T08:01:40Z"
        clock.advance(51 * NS_PER_S)
        code, reason = await client.closed()
        assert (code, reason) == (4401, "the token has expired")
        assert len(client.of("expiring")) == 1


async def test_refresh_extends_the_session(serve, clock):
    async with serve() as served, served.socket(token=served.token(ttl_s=100)) as client:
        await client.until("welcome")
        clock.advance(90 * NS_PER_S)
        await client.until("expiring")
        await client.send({"op": "refresh", "id": 7, "token": served.token(ttl_s=500)})
        again = await client.until("welcome")
        assert (again["id"], again["expires"]) == (7, "2027-01-15T08:09:50Z")
        clock.advance(100 * NS_PER_S)
        await client.send({"op": "ping", "id": 8})
        assert (await client.until("pong"))["id"] == 8


@pytest.mark.parametrize("token", ["garbage", "other user"])
async def test_a_refresh_that_is_not_ones_own_changes_nothing(serve, token):
    async with serve() as served, served.socket() as client:
        given = served.token(user="bob") if token == "other user" else token
        await client.send({"op": "refresh", "id": 7, "token": given})
        error = await client.until("error")
        assert error["code"] in ("unauthenticated", "forbidden")
        await client.send({"op": "ping"})
        await client.until("pong")


async def test_too_many_sockets_of_a_user_close_with_4429(serve, directory):
    directory.max_sockets = 1
    async with serve() as served, served.socket() as first:
        await first.until("welcome")
        async with served.socket() as second:
            assert (await second.closed())[0] == 4429
            assert second.of("error")[0]["code"] == "over_limit"
        async with served.socket(token=served.token(user="bob")) as third:
            await third.until("welcome")


async def test_a_gateway_has_a_ceiling_of_its_own(serve):
    async with serve(max_sockets=1) as served, served.socket() as first:
        await first.until("welcome")
        async with served.socket() as second:
            assert (await second.closed())[0] == 4429


async def test_draining_closes_with_4503_and_refuses_new_sockets(serve):
    async with serve() as served, served.socket() as client:
        await client.until("welcome")
        await served.app.drain()
        assert (await client.closed())[0] == 4503
        async with served.socket() as late:
            assert (await late.closed())[0] == 4503


async def test_a_handshake_under_way_while_the_gateway_drains_ends_with_4503(serve, directory, monkeypatch):
    asked, answer = asyncio.Event(), asyncio.Event()
    open_session = directory.open_session

    async def slowly(*session) -> None:
        asked.set()
        await answer.wait()
        await open_session(*session)

    monkeypatch.setattr(directory, "open_session", slowly)
    async with serve() as served, served.socket() as client:
        await asked.wait()
        await served.app.drain()
        answer.set()
        assert (await client.closed())[0] == 4503
        assert directory.sessions == {}


async def test_a_session_is_forgotten_though_its_handler_is_cancelled_behind_the_close_frame(
    directory, authority
):
    """As Ray Serve does once the client has answered the close frame."""
    app = create_app(directory, authority, ServingSettings())
    token = authority.issue("ann", "viewer", 60.0)
    scope = {
        "type": "websocket",
        "path": "/v1/stream",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "subprotocols": [],
    }
    incoming: asyncio.Queue[dict] = asyncio.Queue()
    welcomed, codes = asyncio.Event(), []

    async def send(message: dict) -> None:
        if message["type"] == "websocket.send":
            welcomed.set()
        elif message["type"] == "websocket.close":
            codes.append(message["code"])
            asyncio.get_running_loop().call_soon(handler.cancel)

    incoming.put_nowait({"type": "websocket.connect"})
    handler = asyncio.create_task(app(scope, incoming.get, send))
    await welcomed.wait()
    await app.drain()
    await asyncio.wait([handler])
    assert codes == [4503]
    assert app.stream.sessions == set()
    assert directory.sessions == {}


async def test_an_owner_that_cannot_be_reached_closes_with_4503(serve, directory):
    directory.unavailable = True
    async with serve() as served, served.socket() as client:
        assert (await client.closed())[0] == 4503


BAD = [
    "not json",
    "{",
    "[1, 2]",
    '{"op":"dance"}',
    '{"op":"subscribe"}',
    '{"op":"ping","id":{"deep":1}}',
    '"text"',
    "null",
    "[" * 30_000,
    '{"op":"ping","id":' * 3_000,
    "",
    "\u0000",
    '{"op":"subscribe","channel":"trades","instruments":' + "[" * 20_000,
]


async def test_a_bad_frame_is_answered_and_the_socket_lives(serve):
    async with serve(bad_frames_allowed=100) as served, served.socket() as client:
        for number, message in enumerate(BAD):
            await client.connection.send(message)
            assert (await client.until("error"))["code"] == "bad_frame", message[:80]
            await client.send({"op": "ping", "id": number})
            assert (await client.until("pong"))["id"] == number


GARBAGE = [b"", b"\xff\xfe\x00", b"\x93\xc1", b"\x91" * 20_000, b"\xdd\xff\xff\xff\xff", b"\x81\xa2op\xa4pin"]


async def test_binary_garbage_is_answered_and_the_socket_lives(serve):
    async with serve() as served, served.socket(subprotocol="msgpack") as client:
        for number, message in enumerate(GARBAGE):
            await client.connection.send(message)
            assert (await client.until("error"))["code"] == "bad_frame", message[:20]
            await client.send({"op": "ping", "id": number})
            assert (await client.until("pong"))["id"] == number


async def test_the_id_of_a_bad_frame_is_echoed_where_it_can_be_read(serve):
    async with serve() as served, served.socket() as client:
        await client.connection.send('[{"op":"ping","id":1},{"op":"ping","id":2,"x":1},{"op":"ping","id":3}]')
        answers = [await client.until(lambda f: f["type"] in ("pong", "error")) for _ in range(3)]
        assert sorted((frame["type"], frame["id"]) for frame in answers) == [
            ("error", 2),
            ("pong", 1),
            ("pong", 3),
        ]


async def test_repeated_abuse_closes_with_4400(serve):
    async with serve(bad_frames_allowed=3) as served, served.socket() as client:
        for _ in range(6):
            await client.connection.send("nonsense")
        assert (await client.closed())[0] == 4400
        assert len(client.of("error")) >= 3


async def test_abuse_before_authentication_closes_with_4400(serve):
    async with serve(bad_frames_allowed=3) as served, served.socket(token=None) as client:
        for _ in range(6):
            await client.connection.send("nonsense")
        assert (await client.closed())[0] == 4400


async def test_a_message_over_the_limit_closes_with_4400(serve):
    async with serve() as served, served.socket() as client:
        await client.connection.send('{"op":"ping","id":"' + "x" * 70_000 + '"}')
        code, reason = await client.closed()
        assert (code, "65536" in reason) == (4400, True)


async def test_messages_over_the_rate_are_refused_and_then_the_socket_is_closed(serve):
    async with serve(messages_per_s=1.0, message_burst=5) as served, served.socket() as client:
        for _ in range(300):
            await client.send({"op": "ping"})
            if client.connection.close_code is not None:
                break
        code, _ = await client.closed()
        assert code == 4429
        assert len(client.of("pong")) < 20
        assert client.of("error")[0]["code"] == "rate_limited"


async def test_a_message_over_the_rate_is_refused_with_its_id(serve):
    async with serve(messages_per_s=1.0, message_burst=1) as served, served.socket() as client:
        await client.send({"op": "ping", "id": 1}, {"op": "ping", "id": "two"})
        error = await client.until("error")
        assert (error["id"], error["code"]) == ("two", "rate_limited")


async def test_subscriptions_of_a_socket_are_limited(serve):
    async with serve(max_subscriptions=1) as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        await client.send({"op": "subscribe", "id": 2, "channel": "quotes", "instruments": [BTC]})
        error = await client.until("error")
        assert (error["id"], error["code"]) == (2, "over_limit")


async def test_a_client_that_vanishes_leaves_nothing_behind(serve, directory):
    async with serve() as served:
        async with served.socket() as client:
            await client.subscribe("trades", "*.SIM")
            client.connection.transport.abort()
        directory.append(a_trade())
        for _ in range(100):
            if not directory.sessions:
                break
            await asyncio.sleep(0.01)
        assert directory.sessions == {}
        assert served.app.stream.sessions == set()


def forged(served, **claims) -> dict:
    now = served.authority.clock.now_ns() // NS_PER_S
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "eve",
        "role": "admin",
        "iat": now,
        "exp": now + 60,
        **claims,
    }


async def test_no_algorithm_but_ours_is_taken(serve, signing_key):
    public = signing_key.public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    headers = {"kid": signing_key.kid}
    async with serve() as served:
        part = jwt.utils.base64url_encode
        hollow = (
            part(msgspec.json.encode({"alg": "none", "typ": "JWT", **headers}))
            + b"."
            + part(msgspec.json.encode(forged(served)))
            + b"."
        ).decode()
        swapped = jwt.encode(forged(served), public, algorithm="HS256", headers=headers)
        for token in (hollow, swapped):
            async with served.socket(token=token) as client:
                assert (await client.closed())[0] == 4401
