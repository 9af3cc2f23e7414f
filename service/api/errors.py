"""Answers every error as an RFC 9457 problem. One table maps the class of an error to its status."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import ProgrammingError
from starlette.exceptions import HTTPException

from service import errors
from service.api.schemas import Problem
from service.errors import FieldProblem, SalienceError

RETRY_SECONDS = "2"
JOBS_RETRY_SECONDS = 30  # time in which an open job may end
KINDS = {413: errors.BodyTooLarge.kind}
RETRYABLE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
RETRY_HEADER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}

log = logging.getLogger(__name__)

STATUS: Mapping[type[SalienceError], HTTPStatus] = {
    errors.SpecInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InputRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.ComparisonIncomplete: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CrossSiteForm: HTTPStatus.FORBIDDEN,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MapRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    errors.LimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.InvalidApiKey: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ApiKeysRequired: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InspectionRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactStoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.CursorInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FilterInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.DeliveryRefused: HTTPStatus.UNAUTHORIZED,
    errors.DeliveryMalformed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RegistryUnavailable: HTTPStatus.BAD_GATEWAY,
    errors.NotConfigured: HTTPStatus.NOT_IMPLEMENTED,
    errors.SettingsInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SpecUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.LeaseLost: HTTPStatus.CONFLICT,
    errors.WorkerShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
}


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of the problems that a route answers with these statuses."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        int(status): {
            "description": status.phrase,
            "content": content,
            **({"headers": RETRY_HEADER} if status in RETRYABLE else {}),
        }
        for status in statuses
    }  # fmt: skip


def status_for(error: type[SalienceError]) -> HTTPStatus:
    """Return the status of an error class or of its nearest ancestor in STATUS. Raises LookupError if there is none."""
    for ancestor in error.__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    raise LookupError(f"{error.__name__} has no status")


def install(app: FastAPI, problem_page: Callable[..., Response]) -> None:
    """Install the error handlers. `problem_page(status, title=..., detail=...)` renders a problem for a browser."""
    app.state.problem_page = problem_page
    app.add_exception_handler(SalienceError, _salience_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    # Postgres raises a ProgrammingError if a table does not exist yet.
    app.add_exception_handler(ProgrammingError, _missing_tables)


def internal_error(request: str, path: str) -> Response:
    """Return the response for an unhandled error. It does not reveal the cause, which is in the log."""
    detail = f"An internal error occurred. The log of the service describes it under the request ID {request}."
    return _answer(path, HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", detail)


def _problem(request: Request, status: int, kind: str, detail: str, fields: Sequence[FieldProblem] = ()) -> Response:
    if _wants_html(request):
        page: Response = request.app.state.problem_page(status, title=_title(kind), detail=detail)
        return page
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


def _wants_html(request: Request) -> bool:
    """Return whether to answer with an HTML page. Requests to the API always get a JSON problem."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("Accept", "")


def _salience_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SalienceError)
    answer = _problem(request, status_for(type(error)), error.kind, str(error), error.problems())
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_SECONDS
    elif answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = str(error.facts.get("seconds", JOBS_RETRY_SECONDS))
    elif isinstance(error, errors.Unauthenticated | errors.ScopeMissing):
        answer.headers["WWW-Authenticate"] = _challenge(request, error)
    return answer


def _challenge(request: Request, error: SalienceError) -> str:
    """Return the WWW-Authenticate header by RFC 6750. For a browser it also asks for a login dialogue."""
    challenge = 'Bearer realm="salience"'
    if isinstance(error, errors.ApiKeyRefused):
        challenge += ', error="invalid_token"'
    if isinstance(error, errors.ScopeMissing):
        return f'{challenge}, error="insufficient_scope", scope="{error.facts["needed"]}"'
    return f'{challenge}, Basic realm="salience"' if "text/html" in request.headers.get("Accept", "") else challenge


def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [FieldProblem.at(_field_location(each["loc"]), each["msg"]) for each in error.errors()]
    if [each.field for each in fields] == ["body"] and not _is_json(request):
        fields = [FieldProblem("header.Content-Type", "send the body as application/json")]
    detail = "; ".join(f"{each.field}: {each.detail}" for each in fields)
    return _problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, fields)


def _is_json(request: Request) -> bool:
    return "json" in request.headers.get("Content-Type", "")


def _field_location(loc: Sequence[int | str]) -> Sequence[int | str]:
    """Return the location of a field. The prefix `body` is omitted; other prefixes, such as `query`, are kept."""
    return loc[1:] if loc[:1] == ("body",) and len(loc) > 1 else loc


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI answers 400 only for a body that is not text
        message = "send JSON in UTF-8"
        problems = [FieldProblem("body", message)]
        return _problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", f"body: {message}", problems)
    kind = KINDS.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    answer = _problem(request, error.status_code, kind, str(error.detail))
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers.update(_allowed(request))
    return answer


def _allowed(request: Request) -> dict[str, str]:
    """Return the Allow header with the methods of all routes of a path; Starlette lists only those of one route."""
    route = request.scope.get("route")
    methods = request.app.openapi()["paths"].get(getattr(route, "path", None), {})
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}


def _missing_tables(request: Request, error: Exception) -> Response:
    log.error("The schema of the database is missing or outdated; run `salience migrate`: %s", error)
    return _salience_error(request, errors.DatabaseUnavailable())
