"""A job's report over HTTP: one HTML file with nothing outside it."""

import asyncio
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from service.http_errors import documented
from service.jobs import Jobs
from service.pages.report.document import content_policy
from service.reporting import report
from service.routes.access import READ
from service.routes.jobs import JobsHere, Text

router = APIRouter(prefix="/v1/jobs", tags=["results"])

LOOK_SECONDS = 0.5
Wait = Annotated[float, Query(ge=0, le=60, description="seconds to wait for pictures that workers still make")]


@router.get("/{job_id}/report", dependencies=[READ], response_class=Response, responses={
    200: {"description": "The report", "content": {"text/html": {"schema": {"type": "string"}}}},
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
})  # fmt: skip
async def job_report(jobs: JobsHere, job_id: Text, wait: Wait = 0) -> Response:
    """Get the report of a job that succeeded, one HTML page for people."""
    end = time.monotonic() + wait
    while time.monotonic() < end and await run_in_threadpool(_unfinished, jobs, job_id):
        await asyncio.sleep(LOOK_SECONDS)
    headers = {
        "Content-Security-Policy": f"{content_policy()}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(
        await run_in_threadpool(report, jobs, job_id), media_type="text/html; charset=utf-8", headers=headers
    )


def _unfinished(jobs: Jobs, job_id: str) -> bool:
    return jobs.store.map_requests.waiting(job_id) > 0
