"""Converts an error response of the service, a problem document (RFC 9457), into an exception."""

from collections.abc import Mapping

import httpx

from salience.errors import (
    FieldProblem,
    InvalidRequest,
    RequestConflict,
    RequestForbidden,
    RequestRejected,
    ResourceNotFound,
    ServiceBusy,
)
from salience.models import Json

ERRORS: Mapping[int, type[RequestRejected]] = {
    401: RequestForbidden,
    403: RequestForbidden,
    404: ResourceNotFound,
    409: RequestConflict,
    422: InvalidRequest,
    429: ServiceBusy,
    503: ServiceBusy,
}


def error_from(response: httpx.Response) -> RequestRejected:
    """Return the exception for an error response. Without a problem document, its message names the status."""
    problem = _read_problem(response)
    detail = problem.get("detail") or f"{response.request.url} answered {response.status_code} {response.reason_phrase}"
    fields = [FieldProblem(str(each["field"]), str(each["detail"])) for each in problem.get("errors") or ()]
    kind = ERRORS.get(response.status_code, RequestRejected)
    return kind(detail=detail, status=response.status_code, type=problem.get("type", "about:blank"), fields=fields)


def _read_problem(response: httpx.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
