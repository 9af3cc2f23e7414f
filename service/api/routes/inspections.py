"""Inspections over HTTP: what a model or an image set is, looked at by a worker while the caller waits."""

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from service.api.dependencies import READ, SUBMIT
from service.api.errors import documented
from service.api.routes.jobs import CurrentJobs, Text
from service.api.schemas import InspectionBody
from service.domain.inspection import Inspect, Inspection
from service.errors import InspectionRefused
from service.jobs.service import Jobs

router = APIRouter(prefix="/v1", tags=["inspections"])

NOT_FOUND, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY
POLL_SECONDS = 0.2
NOTIFY_SECONDS = 2.0
LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": InspectionBody, "description": "A worker has not looked yet; ask again at the Location"}
}
Wait = Annotated[float, Query(ge=0, le=60, description="seconds to wait for a worker to have looked")]


@router.post("/inspect", dependencies=[SUBMIT], responses={**LATER, **documented(INVALID)})
async def inspect(asked: Inspect, jobs: CurrentJobs, response: Response, wait: Wait = 30) -> InspectionBody:
    """Inspect a model or an image set without an audit."""
    number = await run_in_threadpool(jobs.inspect, asked)
    return _answer(await _await(jobs, number, wait), response)


@router.get("/inspections/{inspection}", dependencies=[READ], responses={**LATER, **documented(NOT_FOUND, INVALID)})
async def get(inspection: Text, jobs: CurrentJobs, response: Response, wait: Wait = 0) -> InspectionBody:
    """Get an inspection."""
    return _answer(await _await(jobs, inspection, wait), response)


async def _await(jobs: Jobs, number: str, seconds: float) -> Inspection:
    """The inspection, once a worker has looked or the time is up; who waits rings again, should a ring be lost."""
    end, ring_at = time.monotonic() + seconds, 0.0
    while True:
        found = await run_in_threadpool(jobs.store.inspections.get, number)
        now = time.monotonic()
        if not found.done and now >= ring_at:
            await run_in_threadpool(jobs.notifier.notify)
            ring_at = now + NOTIFY_SECONDS
        if found.done or now >= end:
            return found
        await asyncio.sleep(POLL_SECONDS)


def _answer(found: Inspection, response: Response) -> InspectionBody:
    if found.error is not None:
        raise InspectionRefused(field=found.error.get("field", "uri"), reason=found.error["detail"])
    if not found.done:
        response.status_code = HTTPStatus.ACCEPTED
        response.headers["Location"] = f"/v1/inspections/{found.id}"
        response.headers["Retry-After"] = "2"
    return InspectionBody(id=found.id, done=found.done, found=found.found)
