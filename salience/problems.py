"""From a problem (RFC 9457) that the service answered to the error that is raised here."""

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


def error_from(answer: httpx.Response) -> RequestRejected:
    """The error that an answer stands for; where it is no problem, told by its status."""
    problem = _read_problem(answer)
    detail = problem.get("detail") or f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}"
    fields = [FieldProblem(str(each["field"]), str(each["detail"])) for each in problem.get("errors") or ()]
    kind = ERRORS.get(answer.status_code, RequestRejected)
    return kind(detail=detail, status=answer.status_code, type=problem.get("type", "about:blank"), fields=fields)


def _read_problem(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
