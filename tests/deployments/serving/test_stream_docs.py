"""docs/stream.md says what the code does."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from deployments.ws import protocol
from deployments.ws.channels import KINDS
from deployments.ws.settings import StreamSettings
from tests.deployments.serving.kit import BTC, a_trade

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "stream.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def test_every_client_frame_in_the_docs_is_understood():
    lines = [line for language, block in BLOCKS if language == "json" for line in block.splitlines()]
    frames = [protocol.read_frame(msgspec.Raw(line.encode()), text=True) for line in lines if '"op"' in line]
    assert {type(frame).__name__ for frame in frames} == {
        "Auth",
        "Subscribe",
        "Unsubscribe",
        "Ping",
        "Refresh",
    }


def test_every_close_code_and_channel_is_documented():
    codes = {value for name, value in vars(protocol).items() if name.startswith("CLOSE_")}
    assert codes == {int(code) for code in re.findall(r"^\| (4\d{3}) \|", TEXT, re.MULTILINE)}
    for channel in KINDS:
        assert f"| `{channel}` |" in TEXT


def test_the_bounds_in_the_docs_are_the_defaults():
    defaults = StreamSettings()
    for said in (
        f"{defaults.outbox_frames:,} frames",
        f"{defaults.outbox_bytes // 2**20} MiB",
        f"{defaults.conflate_above_frames} frames",
        f"{defaults.conflate_above_bytes // 1024} KiB",
        f"for {defaults.slow_close_s:g} s",
        f"over {defaults.max_message_bytes // 1024} KiB",
        f"({defaults.messages_per_s:g}/s, bursts of {defaults.message_burst})",
        f"{defaults.patterns_per_user} patterns",
    ):
        assert said in TEXT, said


@pytest.mark.anyio
async def test_the_python_client_of_the_docs_survives_a_reconnect(serve, directory):
    (source,) = [block for language, block in BLOCKS if language == "python"]
    namespace: dict = {}
    exec(compile(source, "docs/stream.md", "exec"), namespace)
    async with serve() as served:
        frames = namespace["follow"](f"ws://{served.address}/v1/stream", served.token(), [BTC])
        waiting = asyncio.ensure_future(anext(frames))
        await directory.told.wait()
        directory.append(a_trade(price=1.0))
        got = [(await asyncio.wait_for(waiting, 5))["price"]]
        for session in list(served.app.stream.sessions):
            session.close(protocol.CLOSE_DRAINING, "test")
        await directory.ended.wait()
        directory.append(a_trade(price=2.0), a_trade(price=3.0))
        for _ in range(2):
            got.append((await asyncio.wait_for(anext(frames), 5))["price"])
        await frames.aclose()
    assert got == [1.0, 2.0, 3.0]
    assert len({session for session, _ in directory.audited}) == 2
