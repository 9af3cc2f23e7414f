"""One picture's map over HTTP: kept ones at once, others made by a worker while the caller waits."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from service.api.dependencies import READ
from service.api.errors import documented
from service.api.map_images import overlay_png, to_npy, transform_image
from service.api.routes.jobs import CurrentJobs, Text
from service.jobs.map_lookup import FoundMap, MapQuery, find_map, resolve_query
from service.jobs.service import Jobs

router = APIRouter(prefix="/v1/jobs/{job_id}/images/{image}", tags=["results"])

POLL_SECONDS, NOTIFY_SECONDS = 0.2, 2.0
Run = Annotated[int, Query(description="the cohort's run, from 0")]
Cohort = Annotated[Text | None, Query(description="the cohort's name; may be left out where there is one")]
Variant = Annotated[
    Text,
    Query(
        max_length=40,
        description="clean, degraded, object, noise:0.2, hflip, shift:16,0, rotate:15, most:0.25, ...; also what the "
        "job did not measure",
    ),
]
Wait = Annotated[float, Query(ge=0, le=60, description="seconds to wait for a worker to make it")]
PROBLEMS = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


def _responses(kind: str) -> dict[int | str, dict[str, Any]]:
    later = {"description": "A worker has not made it yet; ask again"}
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}, 202: later, **PROBLEMS}


@router.get("/map.png", dependencies=[READ], response_class=Response, responses=_responses("image/png"))
async def map_png(  # noqa: PLR0913  # each is a part of the address
    jobs: CurrentJobs, job_id: Text, image: int, run: Run = 0, cohort: Cohort = None, variant: Variant = "clean",
    wait: Wait = 30,
) -> Response:  # fmt: skip
    """Get the image as the model sees it, with its map over it: dark is 0, bright is 1.

    The variant's transformation is drawn; noise and blur are not: the map of such a variant lies over the clean image.
    """
    return await _answer(jobs, (job_id, image, cohort, run, variant), wait, "image/png", _png)


@router.get("/map.npy", dependencies=[READ], response_class=Response, responses=_responses("application/octet-stream"))
async def map_npy(  # noqa: PLR0913  # as above
    jobs: CurrentJobs, job_id: Text, image: int, run: Run = 0, cohort: Cohort = None, variant: Variant = "clean",
    wait: Wait = 30,
) -> Response:  # fmt: skip
    """Get the native map as a numpy array, (h, w) float16 in [0, 1]."""
    return await _answer(jobs, (job_id, image, cohort, run, variant), wait, "application/octet-stream", _npy)


MapAddress = tuple[str, int, str | None, int, str]


async def _answer(
    jobs: Jobs, which: MapAddress, seconds: float, kind: str, made: Callable[[MapQuery, FoundMap], bytes]
) -> Response:
    job_id, image, cohort, run, variant = which
    job = await run_in_threadpool(jobs.store.jobs.get, job_id)
    request = await run_in_threadpool(resolve_query, jobs, job, image, (cohort, run, variant))
    found = await _await(jobs, request, seconds)
    if found is None:
        return Response(status_code=HTTPStatus.ACCEPTED, headers={"Retry-After": "2"})
    content = await run_in_threadpool(made, request, found)
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


async def _await(jobs: Jobs, asked: MapQuery, seconds: float) -> FoundMap | None:
    """The map once it is there, None once the time is up; who waits rings again, should a ring be lost."""
    found = await run_in_threadpool(find_map, jobs, asked)
    if found is not None:
        return found
    await run_in_threadpool(jobs.store.map_requests.enqueue, [asked.request])
    end, ring_at = time.monotonic() + seconds, 0.0
    while found is None and (now := time.monotonic()) < end:
        if now >= ring_at:
            await run_in_threadpool(jobs.notifier.notify)
            ring_at = now + NOTIFY_SECONDS
        await asyncio.sleep(POLL_SECONDS)
        found = await run_in_threadpool(find_map, jobs, asked)
    return found


def _png(asked: MapQuery, found: FoundMap) -> bytes:
    return overlay_png(transform_image(found.image, asked.variant), found.native, asked.size)


def _npy(asked: MapQuery, found: FoundMap) -> bytes:
    return to_npy(found.native, asked.size)
