"""From a problem (RFC 9457) that the service answered to the error that is raised here."""

from collections.abc import Mapping

import httpx

from service.domain import Json
from service.errors import (
    FieldProblem,
    RemoteBusy,
    RemoteConflict,
    RemoteForbidden,
    RemoteInvalid,
    RemoteNotFound,
    RemoteRefused,
)

KINDS: Mapping[int, type[RemoteRefused]] = {
    401: RemoteForbidden,
    403: RemoteForbidden,
    404: RemoteNotFound,
    409: RemoteConflict,
    422: RemoteInvalid,
    429: RemoteBusy,
    503: RemoteBusy,
}


def refusal(answer: httpx.Response) -> RemoteRefused:
    """The error that an answer stands for; where it is no problem, told by its status."""
    problem = _problem(answer)
    detail = problem.get("detail") or f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}"
    fields = [FieldProblem(str(each["field"]), str(each["detail"])) for each in problem.get("errors") or ()]
    kind = KINDS.get(answer.status_code, RemoteRefused)
    return kind(detail=detail, status=answer.status_code, type=problem.get("type", "about:blank"), fields=fields)


def _problem(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
