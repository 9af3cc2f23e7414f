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
from service.schemas import Problem

RETRY_SECONDS = "2"

log = logging.getLogger(__name__)

STATUS: Mapping[type[SalienceError], HTTPStatus] = {
    errors.SpecInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InputRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InspectionRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ArtifactRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CursorInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FilterInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
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
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


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


def _problem(request: Request, status: int, kind: str, detail: str, fields: Sequence[FieldProblem] = ()) -> Response:
    body = Problem(
        type=f"urn:salience:problem:{kind}",
        title=kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=[{"field": each.field, "detail": each.detail} for each in fields],
    )
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, SalienceError)
    answer = _problem(request, status_of(type(error)), error.kind, str(error), error.problems())
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_SECONDS
    return answer


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
    phrase = HTTPStatus(error.status_code).phrase
    answer = _problem(request, error.status_code, phrase.lower().replace(" ", "-"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _no_tables(request: Request, error: Exception) -> Response:
    log.error("The database is not as it must be: %s", error)
    return _known(request, errors.DatabaseAway())
