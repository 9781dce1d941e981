"""Every error as `application/problem+json` (RFC 9457): the only table from error to status."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from deployments.problem import (
    FRAMEWORK,
    INTERNAL,
    MALFORMED,
    MEDIA_TYPE,
    FieldError,
    Problem,
    Row,
    body,
    problem,
)
from domain.errors import (
    Ambiguous,
    Conflict,
    Corrupt,
    FinanceHubError,
    Forbidden,
    Gone,
    Malformed,
    NotFound,
    OutcomeUnknown,
    OverLimit,
    Rejected,
    Retryable,
    Throttled,
    TimeUnclear,
    Unauthenticated,
)
from observability.log import get_log

log = get_log("http")

RETRY_AFTER_S = 1


class UnknownParameter(Malformed):
    """A query parameter that the route does not have; `parameter` names it."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message, parameter)
        self.parameter = parameter

    def __str__(self) -> str:
        return str(self.args[0])


class BadParameter(UnknownParameter):
    """A parameter whose value is out of range or cannot be read."""


TABLE: tuple[tuple[type[FinanceHubError], Row], ...] = (
    (UnknownParameter, Row(400, "bad-parameter", "A parameter is wrong")),
    (Malformed, MALFORMED),
    (Unauthenticated, Row(401, "unauthenticated", "A valid token is needed")),
    (Forbidden, Row(403, "forbidden", "The token does not allow this")),
    (NotFound, Row(404, "not-found", "There is no such thing")),
    (Gone, Row(410, "gone", "Retention has dropped what was asked for")),
    (TimeUnclear, Row(400, "time-unclear", "The log's clock was wrong at that time")),
    (Ambiguous, Row(409, "ambiguous", "The alias fits several instruments")),
    (OverLimit, Row(429, "over-limit", "A limit of this system is reached")),
    (Rejected, Row(400, "rejected", "The request cannot be carried out")),
    (Throttled, Row(503, "throttled", "A provider's rate limit is reached")),
    (OutcomeUnknown, Row(503, "outcome-unknown", "The outcome is not known")),
    (Retryable, Row(503, "unavailable", "Not available now: try again")),
    (Conflict, Row(409, "conflict", "Somebody else was first")),
    (Corrupt, Row(500, "corrupt", "Stored data contradict themselves")),
    (FinanceHubError, Row(500, "internal", "Something went wrong here")),
)
"""First match wins."""


def row_of(error: FinanceHubError) -> Row:
    return next(row for kind, row in TABLE if isinstance(error, kind))


def from_domain(request: Request[Any, Any, Any], error: FinanceHubError) -> Response[bytes]:
    """The handler for our own errors."""
    row = row_of(error)
    if row.status >= 500 and row.status != 503:
        log.error("request_failed", path=request.url.path, error=repr(error))
    return _response(problem(row, str(error) or row.title, _details(error)), headers_for(error, row))


def from_framework(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The handler for the framework's: validation, unknown paths, methods, sizes."""
    row = FRAMEWORK.get(error.status_code, INTERNAL)
    detail = row.title if row.status >= 500 else (error.detail or row.title)
    headers = {key: value for key, value in (error.headers or {}).items() if key.lower() != "content-type"}
    return _response(problem(row, detail, _validation_details(error.extra)), headers)


def from_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else is a bug: logged here, told without details."""
    log.error("request_failed", path=request.url.path, error=repr(error))
    return _response(problem(INTERNAL, "an internal error was logged"), {})


def headers_for(error: FinanceHubError, row: Row) -> dict[str, str]:
    if row.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="financehub"'}
    if isinstance(error, Retryable):
        after_s = getattr(error, "retry_after_s", None) or RETRY_AFTER_S
        return {"Retry-After": str(max(1, round(after_s)))}
    return {"Retry-After": str(RETRY_AFTER_S)} if row.status == 429 else {}


def _response(given: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(body(given), status_code=given.status, media_type=MEDIA_TYPE, headers=headers)


def _details(error: FinanceHubError) -> tuple[FieldError, ...]:
    if isinstance(error, Ambiguous):
        return tuple(FieldError("fits", candidate=name) for name in error.candidates)
    if isinstance(error, UnknownParameter):
        return (FieldError(str(error), parameter=error.parameter),)
    return ()


def _validation_details(extra: object) -> tuple[FieldError, ...]:
    if not isinstance(extra, list):
        return ()
    return tuple(
        FieldError(str(item.get("message", "")), parameter=item.get("key"))
        for item in extra
        if isinstance(item, dict)
    )
