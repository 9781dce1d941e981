"""`/docs` and `/openapi.json`: the schema, and a page made of it that needs nothing from outside."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from deployments.http.docs_page import page

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
