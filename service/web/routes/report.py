"""A job's report over HTTP: one self-contained HTML file."""

import asyncio
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from service.api.dependencies import READ
from service.api.errors import documented
from service.api.routes.jobs import CurrentJobs, Text
from service.jobs.service import Jobs
from service.web.report.build import report
from service.web.report.document import content_policy

router = APIRouter(prefix="/v1/jobs", tags=["results"])

POLL_SECONDS = 0.5
Wait = Annotated[float, Query(ge=0, le=60, description="seconds to wait for images that workers still compute")]


@router.get("/{job_id}/report", dependencies=[READ], response_class=Response, responses={
    200: {"description": "The report", "content": {"text/html": {"schema": {"type": "string"}}}},
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
})  # fmt: skip
async def job_report(jobs: CurrentJobs, job_id: Text, wait: Wait = 0) -> Response:
    """Get the report of a job that succeeded, as one HTML page."""
    end = time.monotonic() + wait
    while time.monotonic() < end and await run_in_threadpool(_unfinished, jobs, job_id):
        await asyncio.sleep(POLL_SECONDS)
    headers = {
        "Content-Security-Policy": f"{content_policy()}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(
        await run_in_threadpool(report, jobs, job_id), media_type="text/html; charset=utf-8", headers=headers
    )


def _unfinished(jobs: Jobs, job_id: str) -> bool:
    return jobs.store.map_requests.pending_count(job_id) > 0
