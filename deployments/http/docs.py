"""`/docs` and `/openapi.json`: the schema, and a page made of it that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from actors.indicators_query import MAX_SPECS, MAX_VALUES
from deployments.http.docs_page import page
from deployments.http.indicators import MAX_QUESTIONS
from domain.market.intervals import INTERVAL_NS

TITLE = "FinanceHub"
VERSION = "1"
DESCRIPTION = (
    "Market data that is durable before it is visible. Errors are problem+json; answers about state carry "
    "a cursor; lists carry next_page. The live stream is described in docs/stream.md."
)


def nowhere(_connection: Any, _handler: Any) -> None:
    """The framework's own pages of the schema load scripts from elsewhere: ours, below, are the only ones."""
    raise NotFoundException


OPENAPI = OpenAPIConfig(
    title=TITLE,
    version=VERSION,
    description=DESCRIPTION,
    use_handler_docstrings=True,
    security=[{"bearer": []}],
    components=Components(
        security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
    ),
    openapi_router=Router(
        "/-/schema", route_handlers=[], guards=[nowhere], opt={"open": True}, include_in_schema=False
    ),
)


@get("/openapi.json", opt={"open": True}, include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The schema. Open: it holds no data."""
    return Response(schema(request.app), media_type="application/json")


@get("/docs", opt={"open": True}, include_in_schema=False)
async def docs(request: Request[Any, Any, Any]) -> Response[str]:
    """The schema for people. Open: it holds no data."""
    state = request.app.state
    if "docs_page" not in state:
        state["docs_page"] = page(schema(request.app))
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy}
    return Response(state["docs_page"], media_type=MediaType.HTML, headers=headers)


BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("Question", "instruments"): {"minItems": 1, "maxItems": MAX_QUESTIONS},
    ("Question", "specs"): {"minItems": 1, "maxItems": MAX_SPECS},
    ("Question", "interval"): {"enum": list(INTERVAL_NS)},
    ("Question", "limit"): {"minimum": 1, "maximum": MAX_VALUES},
}
"""What a handler checks in a body, by component and property, in JSON Schema's words."""


def _precise(made: dict[str, Any]) -> None:
    """What the framework cannot tell: bounds of bodies, that nobody sends null in a query, pairs."""
    for (component, name), bounds in BODIES.items():
        made["components"]["schemas"][component]["properties"][name].update(bounds)
    for operation in (found for item in made["paths"].values() for found in item.values()):
        for parameter in operation.get("parameters", ()):
            for choice in parameter["schema"].pop("oneOf", ()):
                if choice != {"type": "null"}:
                    parameter["schema"].update({**choice, **parameter["schema"]})
    for found in _pairs(made["components"]["schemas"]):
        items = found.pop("prefixItems")
        found.update(items=items[0], minItems=len(items), maxItems=len(items))


def _pairs(part: Any) -> Iterator[dict[str, Any]]:
    """Arrays of a fixed length; ours hold one type."""
    if isinstance(part, dict):
        if "prefixItems" in part:
            yield part
        for below in list(part.values()):
            yield from _pairs(below)
    elif isinstance(part, list):
        for below in part:
            yield from _pairs(below)


def schema(app: Litestar) -> dict[str, Any]:
    """OpenAPI 3.1, with every route's security as it really is."""
    if "schema" not in app.state:
        made = app.openapi_schema.to_schema()
        for operation in (found for item in made["paths"].values() for found in item.values()):
            for status in ("400", "500"):
                operation["responses"].pop(status, None)
            operation["responses"]["default"] = {
                "description": "a problem",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
        for path in ("/healthz", "/readyz"):
            made["paths"][path]["get"]["security"] = []
        _precise(made)
        made["components"].setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        app.state["schema"] = made
    found: dict[str, Any] = app.state["schema"]
    return found


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `errors` names each wrong parameter, or each candidate of an ambiguous alias.",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string"},
                    "parameter": {"type": "string"},
                    "candidate": {"type": "string"},
                },
            },
        },
    },
}

HANDLERS = [openapi_json, docs]
