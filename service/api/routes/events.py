"""Routes for server-sent events: the state and progress of one job, and the changes of a list of jobs."""

import re
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from service.api.dependencies import READ, CurrentCaller
from service.api.errors import documented
from service.api.routes.jobs import CurrentJobs, Text, job_query
from service.api.sse import Feed
from service.auth.authenticator import StreamRevocation
from service.domain.api_key import Caller
from service.domain.job import OPEN_STATES
from service.storage import JobQuery

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

NOT_FOUND, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY
# A version has at most 18 digits. Python refuses to parse numbers with more than 4,300 digits.
VERSION = re.compile(r"[0-9]{1,18}")
# No cache may store the stream. Without the second header, nginx buffers events.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event:` the event, `id:` the version of the job, `data:` the job without its spec, as JSON",
        "content": {"text/event-stream": {}},
    }
}


@router.get(
    "/events",
    dependencies=[READ],
    operation_id="of_list_v1_jobs_events_get",  # generated clients use this name
    response_class=Response,
    responses={**STREAM, **documented(INVALID)},
)
async def stream_list(
    request: Request, caller: CurrentCaller, jobs: CurrentJobs, query: Annotated[JobQuery, Depends(job_query)]
) -> Response:
    """Stream the events of a list of jobs: `listed`, `state`, `progress`, `added` and `forgotten`.

    The stream ends when the caller's API key is revoked or expires, otherwise never.
    """
    return _stream(request, caller, _feed(request).list_events(jobs.store.jobs, query))


# generated clients use the name in `operation_id`
@router.get("/{job_id}/events", dependencies=[READ], operation_id="of_job_v1_jobs__job_id__events_get",
            response_class=Response, responses={
    **STREAM,
    204: {"description": "The job has ended, and the client has seen its last event"},
    **documented(NOT_FOUND, INVALID),
})  # fmt: skip
async def stream_job(
    request: Request,
    caller: CurrentCaller,
    jobs: CurrentJobs,
    job_id: Text,
    last_event_id: Annotated[str | None, Header(description="Version of the last event that was seen.")] = None,
) -> Response:
    """Stream the events of a job, `state` and `progress`, until it has ended."""
    job = await run_in_threadpool(jobs.store.jobs.get, job_id)
    seen = int(last_event_id) if last_event_id and VERSION.fullmatch(last_event_id) else None
    if seen == job.version and job.state not in OPEN_STATES:
        return Response(status_code=HTTPStatus.NO_CONTENT)  # tells an EventSource not to reconnect
    return _stream(request, caller, _feed(request).job_events(jobs.store.jobs, job_id, seen))


def _feed(request: Request) -> Feed:
    feed: Feed = request.app.state.feed
    return feed


def _stream(request: Request, caller: Caller, events: AsyncGenerator[bytes]) -> Response:
    revocation: StreamRevocation = request.app.state.stream_revocation
    until_revoked = revocation.until_revoked(caller, events)
    return StreamingResponse(until_revoked, media_type="text/event-stream", headers=HEADERS)
