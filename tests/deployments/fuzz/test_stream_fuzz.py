"""What a socket may be sent: whatever it is, the answer is frames and, at worst, a close code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.asgi import Gateway, ServingSettings, create_app
from deployments.auth.keys import make_key
from deployments.auth.tokens import Authority
from deployments.ws.settings import StreamSettings
from domain.clock import ManualClock
from tests.deployments.serving.kit import BTC, START, a_snapshot, a_trade
from tests.deployments.serving.log_directory import LogDirectory

CODES = {4400, 4401, 4403, 4429}
ANSWERS = {
    "welcome", "subscribed", "unsubscribed", "pong", "error", "cursor", "trade", "book_snapshot", "status",
    "gap", "expiring",
}  # fmt: skip
DEADLINE_S = 10.0
FUZZ = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {"op": st.sampled_from(["auth", "subscribe", "unsubscribe", "ping", "refresh", "x"]) | VALUES},
    optional={
        "id": VALUES,
        "channel": st.sampled_from(["trades", "book", "bars", "status", "alerts"]) | VALUES,
        "instruments": st.lists(st.sampled_from([BTC, "BTC", "*", "?.SIM", "[", "****"]) | VALUES) | VALUES,
        "interval": st.sampled_from(["1s", "1m", "1d"]) | VALUES,
        "depth": VALUES,
        "cursor": st.sampled_from(["c1.kA", "c1.", "now"]) | VALUES,
        "token": VALUES,
    },
)
FRAMES = NEARLY | st.lists(NEARLY, max_size=4) | VALUES


class Wire:
    """The application and one event loop; `talk` is one socket from handshake to close."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.authority = Authority(make_key(), clock=ManualClock(START))
        directory = LogDirectory()
        directory.introduce(BTC, base="BTC")
        directory.append(a_trade(), a_snapshot())
        stream = StreamSettings(tick_s=0.01, cursor_every_s=0.01, poll_linger_s=0.0, poll_wait_s=0.02)
        self.app: Gateway = create_app(directory, self.authority, ServingSettings(stream=stream))

    def talk(
        self, messages: list[str | bytes], *, path: str = "/v1/stream", query: bytes = b"", token: str = ""
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Messages to a socket -> the frames it sent, and its close code where the server closed."""
        return self.loop.run_until_complete(self._talk(messages, path, query, token))

    async def _talk(
        self, messages: list[str | bytes], path: str, query: bytes, token: str
    ) -> tuple[list[dict[str, Any]], int | None]:
        frames: list[dict[str, Any]] = []
        code: int | None = None
        answered = asyncio.Event()
        pending: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        pending.put_nowait({"type": "websocket.connect"})
        for message in messages:
            key = "text" if isinstance(message, str) else "bytes"
            pending.put_nowait({"type": "websocket.receive", key: message})
        last = {"op": "ping", "id": "the last"}
        pending.put_nowait({"type": "websocket.receive", "text": json.dumps(last)})

        async def receive() -> dict[str, Any]:
            return await pending.get()

        async def send(message: Any) -> None:
            nonlocal code
            if message["type"] == "websocket.close":
                code = message["code"]
                answered.set()
            elif message["type"] == "websocket.send":
                text = message.get("text")
                told = (
                    msgspec.json.decode(text)
                    if text is not None
                    else msgspec.msgpack.decode(message["bytes"])
                )
                assert isinstance(told, list)
                frames.extend(told)
                if any(frame["type"] in ("pong", "error") and frame["id"] == "the last" for frame in told):
                    answered.set()

        headers = [(b"authorization", b"Bearer " + token.encode("latin-1", "replace"))] if token else []
        scope = {"type": "websocket", "path": path, "query_string": query, "headers": headers}
        serving = asyncio.ensure_future(self.app({**scope, "subprotocols": []}, receive, send))
        async with asyncio.timeout(DEADLINE_S):
            await answered.wait()
            pending.put_nowait({"type": "websocket.disconnect", "code": 1000})
            await serving
        return frames, code


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.loop.run_until_complete(made.app.drain())
    made.loop.close()


def check(wire: Wire, frames: list[dict[str, Any]], code: int | None, token: str = "") -> None:
    """Known frames, known codes, no secret repeated, nobody left behind."""
    assert {frame["type"] for frame in frames} <= ANSWERS
    assert code in {None, *CODES}
    assert not token or token not in json.dumps(frames)
    assert not wire.app.stream.sessions


@FUZZ
@given(messages=st.lists(FRAMES, max_size=6), packed=st.booleans())
def test_frames_of_any_shape_are_answered(wire: Wire, messages: list[Any], packed: bool) -> None:
    encode = msgspec.msgpack.encode if packed else lambda message: msgspec.json.encode(message).decode()
    token = wire.authority.issue("ann", "viewer", 3600)
    frames, code = wire.talk([encode(message) for message in messages], token=token)
    check(wire, frames, code, token)
    assert frames[0]["type"] == "welcome"
    assert code is None or frames[-1]["type"] in ("error", "cursor")


@FUZZ
@given(messages=st.lists(st.text(max_size=60) | st.binary(max_size=60), max_size=14))
def test_garbage_is_answered_and_ends_with_4400_when_it_goes_on(
    wire: Wire, messages: list[str | bytes]
) -> None:
    frames, code = wire.talk(messages, token=wire.authority.issue("ann", "viewer", 3600))
    check(wire, frames, code)
    assert code in (None, 4400)


@pytest.mark.parametrize(
    "message",
    [
        "[" * 60_000,
        '{"op":' * 9_000,
        '{"op":"ping","id":"' + "x" * 65_000 + '"}',
        b"\x91" * 60_000,
        b"\x81\xa1a" * 20_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        '{"op":"ping","id":' + "9" * 60_000 + "}",
        '{"op":"ping","id":"\\ud800"}',
        "\x00",
    ],
    ids=range(11),
)
def test_a_hostile_message_costs_at_most_the_socket(wire: Wire, message: str | bytes) -> None:
    frames, code = wire.talk([message], token=wire.authority.issue("ann", "viewer", 3600))
    check(wire, frames, code)
    assert code in (None, 4400)


def test_a_flood_ends_with_4429(wire: Wire) -> None:
    token = wire.authority.issue("ann", "viewer", 3600)
    frames, code = wire.talk(['{"op":"ping"}'] * 2_000, token=token)
    check(wire, frames, code)
    assert code == 4429


@FUZZ
@given(token=st.text(st.characters(max_codepoint=255), min_size=1, max_size=80), first=st.booleans())
def test_a_made_up_token_closes_with_4401_and_is_never_repeated(wire: Wire, token: str, first: bool) -> None:
    messages: list[str | bytes] = [] if first else [json.dumps({"op": "auth", "token": token})]
    frames, code = wire.talk(messages, token=token if first else "")
    check(wire, frames, code)
    assert code == 4401
    assert len(token) < 8 or token not in json.dumps(frames, ensure_ascii=False)


@FUZZ
@given(path=st.text(max_size=40), query=st.binary(max_size=60))
def test_any_path_and_query_is_served_or_closed_with_a_code(wire: Wire, path: str, query: bytes) -> None:
    token = wire.authority.issue("ann", "viewer", 3600)
    for target in (f"/{path}", f"/ws/market/{path}", f"/ws/market/{path}/trades", "/ws/market/BTC/orderbook"):
        frames, code = wire.talk([], path=target, query=query, token=token)
        check(wire, frames, code, token)
