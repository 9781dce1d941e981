"""Fixtures of the serving tests: real sockets on loopback, one event loop, a directory over a list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deployments.asgi import ServingSettings, create_app
from deployments.auth.keys import SigningKey, make_key
from deployments.auth.tokens import Authority
from deployments.ws.settings import StreamSettings
from domain.clock import ManualClock
from tests.deployments.serving.kit import START, Served, running
from tests.deployments.serving.log_directory import LogDirectory


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    return make_key()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def authority(signing_key: SigningKey, clock: ManualClock) -> Authority:
    return Authority(signing_key, clock=clock)


@pytest.fixture
def directory() -> LogDirectory:
    made = LogDirectory()
    made.introduce("BTC-USD.SIM", base="BTC")
    made.introduce("ETH-USD.SIM", base="ETH")
    return made


@pytest.fixture
def serve(directory: LogDirectory, authority: Authority):
    """`async with serve(**stream settings) as served`."""

    @asynccontextmanager
    async def start(*, metrics_open: bool = False, telemetry=None, **stream) -> AsyncIterator[Served]:
        settings = ServingSettings(
            stream=StreamSettings(**{"tick_s": 0.02, "cursor_every_s": 0.05, "poll_linger_s": 0.0, **stream}),
            metrics_open=metrics_open,
        )
        app = create_app(directory, authority, settings, telemetry)
        async with running(app) as address:
            yield Served(app, address, authority, directory)

    return start
