"""Routes for inspections: a worker inspects a model or an image set while the client waits."""

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
NOT_DONE: dict[int | str, dict[str, Any]] = {
    202: {"model": InspectionBody, "description": "No worker has finished the inspection; request the Location later"}
}
Wait = Annotated[float, Query(ge=0, le=60, description="Maximum seconds to wait for the inspection.")]


@router.post("/inspect", dependencies=[SUBMIT], responses={**NOT_DONE, **documented(INVALID)})
async def inspect(target: Inspect, jobs: CurrentJobs, response: Response, wait: Wait = 30) -> InspectionBody:
    """Inspect a model or an image set without an audit."""
    number = await run_in_threadpool(jobs.inspect, target)
    return _answer(await _wait_for(jobs, number, wait), response)


@router.get("/inspections/{inspection}", dependencies=[READ], responses={**NOT_DONE, **documented(NOT_FOUND, INVALID)})
async def get(inspection: Text, jobs: CurrentJobs, response: Response, wait: Wait = 0) -> InspectionBody:
    """Get an inspection."""
    return _answer(await _wait_for(jobs, inspection, wait), response)


async def _wait_for(jobs: Jobs, number: str, seconds: float) -> Inspection:
    """Return the inspection once it is done or the time is up. Notifies workers meanwhile."""
    end, notify_at = time.monotonic() + seconds, 0.0
    while True:
        found = await run_in_threadpool(jobs.store.inspections.get, number)
        now = time.monotonic()
        if not found.done and now >= notify_at:
            await run_in_threadpool(jobs.notifier.notify)
            notify_at = now + NOTIFY_SECONDS
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
