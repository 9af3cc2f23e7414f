"""Errors as RFC 9457 problems: one table from error to status, one handler a source of errors."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import ProgrammingError
from starlette.exceptions import HTTPException

from service import errors
from service.errors import FieldProblem, SalienceError
from service.pages.rendering import page
from service.schemas import Problem

RETRY_SECONDS = "2"
JOBS_RETRY_SECONDS = 30  # a job that runs may end by then
KINDS = {413: errors.BodyTooLarge.kind}
LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
RETRY = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}

log = logging.getLogger(__name__)

STATUS: Mapping[type[SalienceError], HTTPStatus] = {
    errors.SpecInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InputRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.JobsNotChosen: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ForeignForm: HTTPStatus.FORBIDDEN,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MapRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unknown: HTTPStatus.UNAUTHORIZED,
    errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    errors.TooMuch: HTTPStatus.TOO_MANY_REQUESTS,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.KeyUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.KeysNeeded: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InspectionRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactsAway: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.CursorInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FilterInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.DeliveryRefused: HTTPStatus.UNAUTHORIZED,
    errors.DeliveryMalformed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RegistryTrouble: HTTPStatus.BAD_GATEWAY,
    errors.NotSetUp: HTTPStatus.NOT_IMPLEMENTED,
    errors.SettingsInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SpecUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RemoteTrouble: HTTPStatus.BAD_GATEWAY,
    errors.DatabaseAway: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkStopped: HTTPStatus.CONFLICT,
    errors.WorkerStops: HTTPStatus.SERVICE_UNAVAILABLE,
}


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The problems that a route can answer, for its OpenAPI entry."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        int(status): {
            "description": status.phrase, "content": content, **({"headers": RETRY} if status in LATER else {})
        }
        for status in statuses
    }  # fmt: skip


def status_of(error: type[SalienceError]) -> HTTPStatus:
    """The status of an error's class, or of the nearest class above it. Raises LookupError for none."""
    for ancestor in error.__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    raise LookupError(f"{error.__name__} has no status")


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem."""
    app.add_exception_handler(SalienceError, _known)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    # Postgres says so of tables that are not there yet.
    app.add_exception_handler(ProgrammingError, _no_tables)


def unforeseen(request: str, path: str) -> Response:
    """The answer where nobody knows what went wrong: only the log does, under the request's ID."""
    detail = f"Something went wrong here; the service's log tells of request {request}"
    return _answer(path, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)


def _problem(request: Request, status: int, kind: str, detail: str, fields: Sequence[FieldProblem] = ()) -> Response:
    if _is_read_by_a_person(request):
        return page("problem.html", status, title=_title(kind), detail=detail)
    return _answer(request.url.path, status, kind, detail, fields)


def _answer(path: str, status: int, kind: str, detail: str, fields: Sequence[FieldProblem] = ()) -> Response:
    body = Problem(
        type=f"urn:salience:problem:{kind}",
        title=_title(kind),
        status=status,
        detail=detail,
        instance=path,
        errors=[{"field": each.field, "detail": each.detail} for each in fields],
    )
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _title(kind: str) -> str:
    return kind.replace("-", " ").capitalize()


def _is_read_by_a_person(request: Request) -> bool:
    """Whether a browser shows the answer as a page; the API answers problems to browsers too."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("Accept", "")


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, SalienceError)
    answer = _problem(request, status_of(type(error)), error.kind, str(error), error.problems())
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_SECONDS
    elif answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = str(error.facts.get("seconds", JOBS_RETRY_SECONDS))
    elif isinstance(error, errors.Unknown | errors.ScopeMissing):
        answer.headers["WWW-Authenticate"] = _challenge(request, error)
    return answer


def _challenge(request: Request, error: SalienceError) -> str:
    """What RFC 6750 has a service say of the key that it wants; of a browser that shows a page, a dialogue."""
    told = 'Bearer realm="salience"'
    if isinstance(error, errors.KeyRefused):
        told += ', error="invalid_token"'
    if isinstance(error, errors.ScopeMissing):
        return f'{told}, error="insufficient_scope", scope="{error.facts["needed"]}"'
    return f'{told}, Basic realm="salience"' if "text/html" in request.headers.get("Accept", "") else told


def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [FieldProblem.at(_place(each["loc"]), each["msg"]) for each in error.errors()]
    if [each.field for each in fields] == ["body"] and not _is_json(request):
        fields = [FieldProblem("header.Content-Type", "send the spec as application/json")]
    detail = "; ".join(f"{each.field}: {each.detail}" for each in fields)
    return _problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, fields)


def _is_json(request: Request) -> bool:
    return "json" in request.headers.get("Content-Type", "")


def _place(loc: Sequence[int | str]) -> Sequence[int | str]:
    """A field of the body goes by its own name; of the query, a header or the path, by that and its name."""
    return loc[1:] if loc[:1] == ("body",) and len(loc) > 1 else loc


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # only bodies that are no text come to this
        told = "send JSON, coded as UTF-8"
        unread = [FieldProblem("body", told)]
        return _problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", f"body: {told}", unread)
    kind = KINDS.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    answer = _problem(request, error.status_code, kind, str(error.detail))
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers.update(_allowed(request))
    return answer


def _allowed(request: Request) -> dict[str, str]:
    """All that may be done with a resource: several routes may share its path, and the router tells of one."""
    route = request.scope.get("route")
    methods = request.app.openapi()["paths"].get(getattr(route, "path", None), {})
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}


def _no_tables(request: Request, error: Exception) -> Response:
    log.error("The database is not as it must be: %s", error)
    return _known(request, errors.DatabaseAway())
