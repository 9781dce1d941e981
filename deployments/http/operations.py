"""Health, metrics, feeds, providers and the system's own state."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from msgspec import to_builtins

from actors.kept_task import reports
from deployments.http import schemas
from deployments.http.answering import snapshot
from deployments.http.serving import principal, serving
from domain.clock import format_time
from domain.errors import Unavailable
from observability.prometheus import CONTENT_TYPE, render

AnyRequest = Request[Any, Any, Any]


@get("/healthz", opt={"open": True}, summary="Alive", tags=["Operation"])
async def healthz() -> schemas.HealthBody:
    """This process answers. Open: it tells nothing else."""
    return schemas.HealthBody("ok")


@get("/readyz", opt={"open": True}, summary="Ready to serve", tags=["Operation"])
async def readyz(request: AnyRequest) -> schemas.HealthBody:
    """The log can be read through the actors; 503 where not, or while draining. Open."""
    here = serving(request)
    if here.draining:
        raise Unavailable("this gateway is draining")
    await here.directory.heads()
    return schemas.HealthBody("ready")


@get(
    "/metrics",
    opt={"metrics": True},
    media_type=CONTENT_TYPE,
    summary="Figures for Prometheus",
    tags=["Operation"],
)
async def metrics(request: AnyRequest) -> Response[str]:
    """Exposition format 0.0.4. Needs a token, unless the instance opens it to scrapers on loopback."""
    source = serving(request).metrics
    samples = [] if source is None else await source.samples()
    return Response(render(samples))


@get("/v1/feeds", summary="Feeds", tags=["Operation"])
async def list_feeds(request: AnyRequest) -> Response[schemas.FeedList]:
    """One per enabled provider."""
    feeds = await serving(request).directory.feeds()
    return snapshot(request, schemas.FeedList([schemas.feed_body(feed) for feed in feeds], None))


@get("/v1/providers", summary="Providers", tags=["Operation"])
async def list_providers(request: AnyRequest) -> Response[schemas.ProviderList]:
    """Who tells us, and how well."""
    feeds = await serving(request).directory.feeds()
    return snapshot(request, schemas.ProviderList([schemas.provider_body(feed) for feed in feeds], None))


@get("/v1/system", opt={"scope": "operate"}, summary="Actors, partitions, feeds", tags=["Operation"])
async def get_system(request: AnyRequest) -> dict[str, Any]:
    """As `financehub status --json` shows it, times apart; `gateway` is the one that answers. Role admin."""
    here = serving(request)
    tasks = [to_builtins(report) for report in reports(here.healths())]
    return schemas.system_body(await here.directory.system()) | {"gateway": {"tasks": tasks}}


@post("/v1/tickets", status_code=201, summary="A one-use ticket for a WebSocket", tags=["Access"])
async def post_ticket(request: AnyRequest) -> Response[schemas.TicketBody]:
    """For browsers, which cannot send a header: open `/v1/stream?ticket=…` with it, once, within 30 s."""
    sold = await serving(request).booth.sell(principal(request))
    return Response(
        schemas.TicketBody(sold.ticket, format_time(sold.expires)), headers={"Cache-Control": "no-store"}
    )


HANDLERS = [healthz, readyz, metrics, list_feeds, list_providers, get_system, post_ticket]
