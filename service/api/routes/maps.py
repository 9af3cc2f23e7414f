"""Routes for the map of one image. If the map is not stored, a worker makes it while the client waits."""

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
Run = Annotated[int, Query(description="Run of the cohort, from 0.")]
Cohort = Annotated[Text | None, Query(description="Name of the cohort; optional if the job has one cohort.")]
Variant = Annotated[
    Text,
    Query(
        max_length=40,
        description="clean, degraded, object, noise:0.2, hflip, shift:16,0, rotate:15, most:0.25, ...; also variants "
        "that the job did not measure.",
    ),
]
Wait = Annotated[float, Query(ge=0, le=60, description="Maximum seconds to wait for a worker to make the map.")]
PROBLEMS = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


def _responses(kind: str) -> dict[int | str, dict[str, Any]]:
    not_made = {"description": "No worker has made the map; request it again later"}
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}, 202: not_made, **PROBLEMS}


@router.get("/map.png", dependencies=[READ], response_class=Response, responses=_responses("image/png"))
async def map_png(  # noqa: PLR0913  # each parameter is a part of the map's address
    jobs: CurrentJobs, job_id: Text, image: int, run: Run = 0, cohort: Cohort = None, variant: Variant = "clean",
    wait: Wait = 30,
) -> Response:  # fmt: skip
    """Get the image as the model sees it, with the map as an overlay: dark is 0, bright is 1.

    The image is transformed as in the variant, but without noise and blur.
    """
    return await _answer(jobs, (job_id, image, cohort, run, variant), wait, "image/png", _png)


@router.get("/map.npy", dependencies=[READ], response_class=Response, responses=_responses("application/octet-stream"))
async def map_npy(  # noqa: PLR0913  # as in map_png
    jobs: CurrentJobs, job_id: Text, image: int, run: Run = 0, cohort: Cohort = None, variant: Variant = "clean",
    wait: Wait = 30,
) -> Response:  # fmt: skip
    """Get the native map as a numpy array, (h, w) float16 in [0, 1]."""
    return await _answer(jobs, (job_id, image, cohort, run, variant), wait, "application/octet-stream", _npy)


MapAddress = tuple[str, int, str | None, int, str]


async def _answer(
    jobs: Jobs, address: MapAddress, seconds: float, kind: str, encode: Callable[[MapQuery, FoundMap], bytes]
) -> Response:
    job_id, image, cohort, run, variant = address
    job = await run_in_threadpool(jobs.store.jobs.get, job_id)
    query = await run_in_threadpool(resolve_query, jobs, job, image, (cohort, run, variant))
    found = await _wait_for(jobs, query, seconds)
    if found is None:
        return Response(status_code=HTTPStatus.ACCEPTED, headers={"Retry-After": "2"})
    content = await run_in_threadpool(encode, query, found)
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


async def _wait_for(jobs: Jobs, query: MapQuery, seconds: float) -> FoundMap | None:
    """Return the map once a worker has made it, or None once the time is up. Notifies workers meanwhile."""
    found = await run_in_threadpool(find_map, jobs, query)
    if found is not None:
        return found
    await run_in_threadpool(jobs.store.map_requests.enqueue, [query.request])
    end, notify_at = time.monotonic() + seconds, 0.0
    while found is None and (now := time.monotonic()) < end:
        if now >= notify_at:
            await run_in_threadpool(jobs.notifier.notify)
            notify_at = now + NOTIFY_SECONDS
        await asyncio.sleep(POLL_SECONDS)
        found = await run_in_threadpool(find_map, jobs, query)
    return found


def _png(query: MapQuery, found: FoundMap) -> bytes:
    return overlay_png(transform_image(found.image, query.variant), found.native, query.size)


def _npy(query: MapQuery, found: FoundMap) -> bytes:
    return to_npy(found.native, query.size)
