"""The HTTP application: routes, guard, errors, parameter check."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from deployments.http import anomalies, docs, history, indicators, instruments, live, operations, patterns
from deployments.http.allow import Allowed
from deployments.http.bodies import BodyRequest
from deployments.http.guard import guard
from deployments.http.parameters import KnownParameters
from deployments.http.problems import from_bug, from_domain, from_framework
from deployments.http.serving import Serving
from deployments.wire.limits import MAX_BODY_BYTES
from domain.errors import FinanceHubError

HANDLERS = [
    *(*operations.HANDLERS, *instruments.HANDLERS, *history.HANDLERS, *indicators.HANDLERS),
    *(*anomalies.HANDLERS, *patterns.HANDLERS, *docs.HANDLERS, *live.HANDLERS),
]


def make_http(serving: Serving) -> Litestar:
    """The Litestar application; its state carries `serving`."""
    known, allowed = KnownParameters(), Allowed()

    async def check(request: Request[Any, Any, Any]) -> None:
        known.check(request)

    app = Litestar(
        route_handlers=HANDLERS,
        guards=[guard],
        before_request=check,
        before_send=[allowed.complete],
        request_class=BodyRequest,
        exception_handlers={
            FinanceHubError: from_domain,
            HTTPException: from_framework,
            Exception: from_bug,
        },
        openapi_config=docs.OPENAPI,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        state=State({"serving": serving}),
    )
    known.learn(app)
    allowed.learn(app)
    return app
