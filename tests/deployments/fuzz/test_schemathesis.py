"""The OpenAPI document against the application by an outside judge: inputs that fit it, and that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from deployments.asgi import ServingSettings, create_app
from deployments.auth.keys import make_key
from deployments.auth.tokens import Authority
from domain.clock import ManualClock
from tests.deployments.serving.kit import BTC, START, a_bar, a_delta, a_quote, a_snapshot, a_ticker, a_trade
from tests.deployments.serving.log_directory import LogDirectory

AUTHORITY = Authority(make_key(), clock=ManualClock(START))
EXAMPLES = 15
"""Per operation and phase."""


def the_app() -> Any:
    """Without a lifespan: every test client would drain it."""
    directory = LogDirectory()
    directory.introduce(BTC, base="BTC")
    directory.append(a_trade(), a_quote(), a_ticker(), a_bar(), a_snapshot(), a_delta(bids=((98.5, 1.0),)))
    app = create_app(directory, AUTHORITY, ServingSettings())

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return served


@pytest.fixture(autouse=True)
def waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("deployments.http.serving.AFTER_WAIT_S", 0.0)
    yield


document = schemathesis.openapi.from_asgi("/openapi.json", the_app())


@document.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)
def test_the_application_keeps_to_its_document(case: Any) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {AUTHORITY.issue('ann', 'admin', 3600)}"},
        excluded_checks=[positive_data_acceptance],
    )
