"""The door of every route: open by declaration only, otherwise a token with the scope it needs."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from deployments.auth.bearer import bearer_token
from deployments.auth.principal import Principal
from deployments.http.serving import Serving
from domain.errors import Unauthenticated

Connection = ASGIConnection[Any, Any, Any, Any]
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Handlers declare `opt={"open": True}` (no data) or `opt={"scope": "operate"}`; default `read`.

    Raises Unauthenticated, Forbidden.
    """
    here: Serving = connection.app.state["serving"]
    if handler.opt.get("open"):
        return
    if handler.opt.get("metrics") and here.metrics_open and _from_loopback(connection):
        return
    caller = _caller(here, connection)
    caller.require(handler.opt.get("scope", "read"))
    connection.scope["auth"] = caller


def _caller(here: Serving, connection: Connection) -> Principal:
    token = bearer_token(connection.scope["headers"])
    if token is None:
        raise Unauthenticated("send `Authorization: Bearer <token>`; `financehub token` makes one")
    return here.authority.verify(token)


def _from_loopback(connection: Connection) -> bool:
    """A direct connection from this machine: behind a proxy everybody would look like that."""
    client = connection.scope.get("client")
    if client is None or any(name.lower() in FORWARDED for name, _ in connection.scope["headers"]):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False
