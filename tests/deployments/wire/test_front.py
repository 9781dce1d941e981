"""What stands before Serve: whose headers reach it, and what every answer carries."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.wire.front import TAKEN, Front
from deployments.wire.headers import SECURITY_HEADERS
from deployments.ws.lobby import address_of

pytestmark = pytest.mark.anyio
OF_SERVE = [
    (b"X-Request-ID", b"forged"),
    (b"x-request-timeout-seconds", b"-1"),
    (b"x-request-disconnect-disabled", b"?1"),
    (b"x_session_id", b"\xff"),
    (b"serve_multiplexed_model_id", b"\xff"),
    (b"traceparent", b"00-1-2-01"),
]


class Serve:
    """What would be called with the request; answers with the headers that it is given."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = list(headers)
        self.scope: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})


async def asked(
    serve: Serve, scope: dict[str, Any], *, direct: bool = True, behind_haproxy: bool = False
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    front = Front(serve, direct=direct, behind_haproxy=behind_haproxy)
    await front(scope, None, send)  # type: ignore[arg-type]
    return sent


async def test_nobody_outside_speaks_serves_own_headers() -> None:
    serve = Serve()
    scope = {"type": "http", "headers": [*OF_SERVE, (b"accept", b"*/*")]}
    await asked(serve, scope)
    assert serve.scope["headers"] == [(b"accept", b"*/*")]
    assert len(scope["headers"]) == 7, "the server's own scope is as it was"


@pytest.mark.parametrize("name", [b"x-financehub-peer", b"X-FinanceHub-Peer", b"x_financehub_peer"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_only_haproxy_says_whom_it_speaks_for(name: bytes, kind: str) -> None:
    scope = {"type": kind, "headers": [(name, b"192.0.2.1")], "client": ("198.51.100.9", 1)}
    open_door, guarded = Serve(), Serve()
    await asked(open_door, scope, direct=False)
    assert open_door.scope["headers"] == []
    assert address_of(open_door.scope) == "198.51.100.9"
    await asked(guarded, scope, direct=False, behind_haproxy=True)
    assert guarded.scope["headers"] == [(name, b"192.0.2.1")]


@pytest.mark.parametrize("direct", [True, False])
async def test_serve_reads_no_socket_ahead_where_the_application_runs_beside_it(direct: bool) -> None:
    serve = Serve()
    await asked(serve, {"type": "websocket", "headers": []}, direct=direct)
    assert ((b"x-request-disconnect-disabled", b"?1") in serve.scope["headers"]) is direct


@pytest.mark.parametrize("direct", [True, False])
async def test_what_the_client_has_taken_is_known_where_the_application_runs_beside_it(direct: bool) -> None:
    serve = Serve()
    scope = {"type": "websocket", "headers": [], "extensions": {"websocket.http.response": {}, TAKEN: int}}
    await asked(serve, scope, direct=direct)
    assert (TAKEN in serve.scope["extensions"]) is direct
    assert "websocket.http.response" in serve.scope["extensions"]


async def test_every_answer_carries_what_all_carry_and_its_own_goes_first() -> None:
    own = (b"Cache-Control", b"private, no-cache")
    (answer,) = await asked(Serve(own), {"type": "http", "headers": []})
    given = dict(answer["headers"])
    assert given[b"Cache-Control"] == own[1] and b"cache-control" not in given
    assert {name for name, _ in SECURITY_HEADERS} <= {name.lower() for name in given}
