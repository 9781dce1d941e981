"""The body of every error, RFC 9457; needs no framework, so that refusals below the routes speak it too."""

from __future__ import annotations

import msgspec
from msgspec import Struct

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/docs#problem-"


class Row(Struct, frozen=True):
    """`slug` ends the problem's `type`, which is a place in the docs page."""

    status: int
    slug: str
    title: str


class FieldError(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong. `candidates`: ids that an ambiguous alias fits."""

    detail: str
    parameter: str | None = None
    candidate: str | None = None


class Problem(Struct, frozen=True):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


FRAMEWORK: dict[int, Row] = {
    400: Row(400, "bad-parameter", "A parameter is wrong"),
    401: Row(401, "unauthenticated", "A valid token is needed"),
    403: Row(403, "forbidden", "The token does not allow this"),
    404: Row(404, "not-found", "There is no such thing"),
    405: Row(405, "method-not-allowed", "This method is not served here"),
    408: Row(408, "too-late", "The request did not arrive in time"),
    413: Row(413, "too-large", "The request is too large"),
    414: Row(414, "uri-too-long", "The request line is too long"),
    429: Row(429, "over-limit", "A limit of this system is reached"),
    431: Row(431, "headers-too-large", "The request's headers are too large"),
    503: Row(503, "unavailable", "Not available now: try again"),
}
MALFORMED = Row(400, "malformed", "The request cannot be understood")
INTERNAL = Row(500, "internal", "Something went wrong here")


def problem(row: Row, detail: str, errors: tuple[FieldError, ...] = ()) -> Problem:
    return Problem(TYPE_PREFIX + row.slug, row.title, row.status, detail, errors)


def body(given: Problem) -> bytes:
    return msgspec.json.encode(given)
