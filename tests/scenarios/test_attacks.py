"""Attacks without a token, through HAProxy and Serve: others are served, memory stays, all of it ends."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from websockets.sync.client import ClientConnection, connect

from deployments.auth.keys import load_or_make_key
from deployments.haproxy import CLIENT_S
from deployments.haproxy_config import HEALTH_ROOM, HTTP_REQUEST_S
from deployments.private_folder import short_folder
from deployments.settings import HttpSettings
from deployments.wire.limits import BODY_S, HEAD_S, MAX_BODY_BYTES, MAX_MESSAGE_BYTES
from tests.scenarios.attacker import ATTACKER, NEIGHBOUR, UPGRADE, Raw, all_closed_s, crowd, frame
from tests.scenarios.instance import Instance, until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

TEXT, PING = 1, 9
BOUND = HttpSettings().connections_per_address
SERVED_S = 3.0
"""A neighbour's request, on a busy machine."""
GROWTH_BYTES = 64 << 20


@pytest.fixture(scope="module")
def token(instance: Instance) -> str:
    return instance.token()


@pytest.fixture(scope="module", autouse=True)
def halves(instance: Instance) -> Iterator[list[Raw]]:
    """Begun first and looked at last: their time runs beside the other tests."""
    post = b"POST /v1/tickets HTTP/1.1\r\nHost: x\r\n"
    begun = (
        UPGRADE,
        post + b"Content-Length: 10\r\n\r\n1",
        post + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n",
    )
    connections = [Raw(instance.port, "127.0.0.4").send(half) for half in begun]
    yield connections
    for each in connections:
        each.sock.close()


@pytest.fixture(scope="module")
def quiet(instance: Instance, token: str) -> Iterator[tuple[ClientConnection, float]]:
    """A socket of somebody who only listens, and when it was opened."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"ws://127.0.0.1:{instance.port}/v1/stream"
    with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        assert "welcome" in str(socket.recv(10.0))
        yield socket, time.monotonic()


@dataclass
class Gateway:
    """Its process, and what it held before the attack."""

    pid: int
    before: int

    def grown(self) -> int:
        return resident(self.pid) - self.before


@pytest.fixture(autouse=True)
def gateway(instance: Instance, quiet: object) -> Iterator[Gateway]:
    """Afterwards others are served too, by the same process, whose memory has not grown much."""
    (pid,) = instance.processes.named("ServeReplica")
    attacked = Gateway(pid, resident(pid))
    yield attacked
    neighbour_is_served(instance)
    assert instance.processes.named("ServeReplica") == [pid]
    until(lambda: attacked.grown() < GROWTH_BYTES, 20.0, "memory is given back")


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def neighbour_is_served(instance: Instance) -> None:
    began = time.monotonic()
    with Raw(instance.port, NEIGHBOUR) as raw:
        assert b" 200 " in raw.get("/healthz")
    assert time.monotonic() - began < SERVED_S


def test_half_sent_requests_of_one_address_keep_nobody_out_and_end(instance: Instance) -> None:
    with crowd(instance.port, BOUND + 200, b"GET /v1/feeds HTTP/1.1\r\nHost: x\r\nX") as half:
        neighbour_is_served(instance)
        all_closed_s(half, HTTP_REQUEST_S + 10.0)


def test_health_has_room_beyond_an_address_bound(instance: Instance, token: str) -> None:
    with crowd(instance.port, BOUND + HEALTH_ROOM // 2, b"") as idle:
        until(lambda: Raw(instance.port).get("/v1/feeds").find(b" 429 ") > 0, 5.0, "the bound is reached")
        with Raw(instance.port) as raw:
            assert b" 200 " in raw.get("/healthz")
        with Raw(instance.port, NEIGHBOUR) as raw:
            assert b" 200 " in raw.get("/v1/feeds", f"Authorization: Bearer {token}")
        all_closed_s(idle, HTTP_REQUEST_S + 10.0)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (UPGRADE + b"A: " + b"a" * 8_192 + b"\r\n\r\n", 431),
        (UPGRADE.replace(b"/v1/stream", b"/" + b"a" * 8_192) + b"\r\n", 414),
        (UPGRADE + b"Content-Length: 3\r\n\r\nabc", 400),
        (UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400),
    ],
    ids=["a long header", "a long line", "a body", "a body in chunks"],
)
def test_an_upgrade_that_is_none_is_answered_and_ends(instance: Instance, sent: bytes, status: int) -> None:
    with Raw(instance.port) as raw:
        answer = raw.send(sent).rest()
        assert int(answer[9:12]) == status, answer[:200]


def test_pings_whose_pongs_are_not_read_cost_little_and_end(instance: Instance, gateway: Gateway) -> None:
    with crowd(instance.port, 10, UPGRADE + b"\r\n") as sockets:
        for each in sockets:
            assert each.status() == 101
        with ThreadPoolExecutor(len(sockets)) as pool:
            list(pool.map(lambda each: each.stuff(frame(PING, b"p" * 125), 64 << 20, 2.0), sockets))
        assert gateway.grown() < GROWTH_BYTES
        neighbour_is_served(instance)
        all_closed_s(sockets, 20.0)


def test_sockets_without_a_credential_are_few_and_short(instance: Instance) -> None:
    with crowd(instance.port, 400, UPGRADE + b"\r\n") as sockets:
        neighbour_is_served(instance)
        assert all_closed_s(sockets, 15.0) < 12.0


def test_deflate_bombs_are_not_unpacked(instance: Instance) -> None:
    packed = zlib.compressobj(wbits=-15)
    bomb = frame(TEXT | 0x40, (packed.compress(bytes(16 << 20)) + packed.flush(zlib.Z_SYNC_FLUSH))[:-4])
    offer = UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    with crowd(instance.port, 40, offer) as sockets:
        for each in sockets:
            assert b"deflate" not in each.head().lower()
            each.send(bomb)
        neighbour_is_served(instance)
        all_closed_s(sockets, 10.0)


def test_messages_and_fragments_beyond_their_bounds_close_the_socket(instance: Instance, token: str) -> None:
    too_much = [
        frame(TEXT, b"t" * (MAX_MESSAGE_BYTES + 1)),
        frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 100_000,
    ]
    for sent in too_much:
        with Raw(instance.port) as raw:
            raw.send(UPGRADE + f"Authorization: Bearer {token}\r\n\r\n".encode())
            assert b"101" in raw.head()
            raw.send(sent)
            assert (4400).to_bytes(2, "big") in raw.rest()


def test_a_queue_of_messages_with_a_token_costs_little(
    instance: Instance, token: str, gateway: Gateway
) -> None:
    ask = {"op": "unsubscribe", "channel": "trades", "instruments": ["*"], "id": "x" * 60_000}
    message = frame(TEXT, json.dumps(ask).encode())
    with crowd(instance.port, 20, UPGRADE + f"Authorization: Bearer {token}\r\n\r\n".encode()) as sockets:
        for each in sockets:
            assert each.status() == 101
        with ThreadPoolExecutor(len(sockets)) as pool:
            list(pool.map(lambda each: each.stuff(message, 16 << 20, 1.0), sockets))
        assert gateway.grown() < GROWTH_BYTES
        neighbour_is_served(instance)


def test_head_drops_nobodys_request(instance: Instance, token: str) -> None:
    def ask(number: int) -> None:
        with Raw(instance.port, NEIGHBOUR) as raw:
            for _ in range(20):
                method = "HEAD" if number % 2 else "GET"
                lines = f"{method} /v1/feeds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
                answer = raw.send(lines.encode()).head()
                assert b" 200 " in answer, answer
                length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while method == "GET" and len(answer.partition(b"\r\n\r\n")[2]) < length:
                    answer += raw.sock.recv(65_536)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(24)))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a":' * 2_000, 400),
        (b"[" * 2_000, 400),
        (b'{"instruments": ["\xff"], "specs": ["sma(5)"]}', 400),
        (b"%x\r\n" % (MAX_BODY_BYTES + 1) + b" " * (MAX_BODY_BYTES + 1) + b"\r\n0\r\n\r\n", 413),
    ],
    ids=["nested objects", "nested lists", "not UTF-8", "chunks over the bound"],
)
@pytest.mark.parametrize("path", ["/v1/indicators", "/v1/tickets"])
def test_a_body_is_never_a_500(instance: Instance, token: str, path: str, body: bytes, status: int) -> None:
    length = b"Transfer-Encoding: chunked" if status == 413 else b"Content-Length: %d" % len(body)
    with Raw(instance.port) as raw:
        raw.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode())
        answer = raw.send(length + b"\r\n\r\n" + body).head()
    expected = 201 if path == "/v1/tickets" and status == 400 else status  # a ticket asks for no body
    assert int(answer[9:12]) == expected, answer


def test_a_token_of_the_far_future_is_refused_cleanly(instance: Instance) -> None:
    key = load_or_make_key(instance.data_dir)
    claims = {"iss": "financehub", "aud": "financehub", "sub": "a", "role": "admin", "iat": 0, "exp": 10**30}
    forged = jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})
    with Raw(instance.port) as raw:
        assert b" 401 " in raw.get("/v1/feeds", f"Authorization: Bearer {forged}")
    with Raw(instance.port) as raw:
        raw.send(UPGRADE + f"Authorization: Bearer {forged}\r\n\r\n".encode())
        assert (4401).to_bytes(2, "big") in raw.rest()


def test_no_port_tells_figures_without_a_token(instance: Instance) -> None:
    for (address, port), name in instance.processes.listening().items():
        for path in ("/metrics", "/stats", "/haproxy?stats"):
            with Raw(port, ATTACKER) as raw:
                raw.sock.settimeout(2.0)
                try:
                    answer = raw.get(path)
                except TimeoutError:
                    continue
                told = answer.startswith(b"HTTP/1.") and b" 200 " in answer[:20]
                assert not told, f"{name} at {address}:{port} answers {path}"


def inner_ports(instance: Instance) -> list[int]:
    """Where a gateway is reached past HAProxy."""
    found = []
    for (_, port), name in instance.processes.listening().items():
        if "ServeReplica" in name or "ProxyActor" in name:
            with Raw(port) as raw, contextlib.suppress(TimeoutError):
                raw.sock.settimeout(2.0)
                found += [port] if b" 200 " in raw.get("/healthz") else []
    return found


def test_a_gateways_own_port_bounds_heads_and_speaks_to_no_forged_id(instance: Instance) -> None:
    ports = inner_ports(instance)
    assert len(ports) == 2, "the gateway's own, and that of Serve's fallback proxy"
    for port in ports:
        with Raw(port) as raw:
            raw.send(b"GET / HTTP/1.1\r\nA: ").stuff(b"a", 200 << 20, 1.0)
            assert int(raw.head()[9:12]) == 431
    for place in (instance.port, *ports):
        with Raw(place) as raw:
            answer = raw.get(
                "/healthz", "X-Request-ID: forged-by-the-caller", "X-Request-Timeout-Seconds: 0.000001"
            )
            assert b" 200 " in answer and b"forged" not in answer
    logs = short_folder(instance.data_dir / "run") / "ray" / "session_latest" / "logs" / "serve"
    written = [file for file in logs.glob("*.log") if b"forged-by" in file.read_bytes()]
    assert list(logs.glob("*.log")) and not written


def test_what_haproxy_answers_itself_is_not_sniffed_either(instance: Instance) -> None:
    for path in ("/-/healthz", "/-/routes", "/v1/none", "/"):
        with Raw(instance.port) as raw:
            assert b"x-content-type-options: nosniff" in raw.get(path).lower()


def test_half_an_upgrade_and_half_a_body_were_refused_and_have_ended(halves: list[Raw]) -> None:
    for each in halves:
        assert each.status() == 408
    all_closed_s(halves, BODY_S + CLIENT_S + 5.0)


def test_a_quiet_socket_is_cut_by_nobody(quiet: tuple[ClientConnection, float]) -> None:
    socket, since_s = quiet
    longest_s = max(HEAD_S, BODY_S, CLIENT_S, HTTP_REQUEST_S) + 1.0
    left_s = longest_s - (time.monotonic() - since_s)
    if left_s > 0:
        with pytest.raises(TimeoutError):
            socket.recv(left_s)
    socket.send('{"op": "ping", "id": 1}')
    assert "pong" in str(socket.recv(10.0))
