"""Routes for per-image values: JSON in pages, or CSV in one stream."""

from array import array
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse

from service.api.dependencies import READ
from service.api.errors import documented
from service.api.pagination import decode, encode
from service.api.routes.csv_lines import csv_lines
from service.api.routes.jobs import CurrentJobs, Text
from service.api.schemas import ImageBody, ImagePage
from service.domain.job import Job
from service.domain.work import ACROSS_RUNS
from service.errors import NotAcceptable
from service.jobs.service import Jobs
from service.storage.images import MeasuredImage

router = APIRouter(prefix="/v1/jobs", tags=["results"])

JSON, CSV = "application/json", "text/csv"
MEDIA_TYPES = {"*/*": JSON, "application/*": JSON, JSON: JSON, "text/*": CSV, CSV: CSV}
STREAM_PAGE = 500


@router.get("/{job_id}/images", dependencies=[READ], response_model=ImagePage, responses={
    200: {"content": {CSV: {"schema": {"type": "string"}}}},
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.UNPROCESSABLE_ENTITY),
})  # fmt: skip
def images(
    job_id: Text,
    jobs: CurrentJobs,
    accept: Annotated[str, Header()] = "*/*",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Get the measured values of every image and run, as pages of JSON or as one CSV file."""
    job = jobs.store.jobs.get(job_id)
    if _choose(accept) == CSV:
        first = jobs.image_values(job, 0, STREAM_PAGE)
        return StreamingResponse(csv_lines(job, _all(jobs, job, first)), media_type=f"{CSV}; charset=utf-8")
    start = decode(cursor) or 0
    found = jobs.image_values(job, start, limit)
    more = start + limit < job.images_audited
    page = ImagePage(items=[_body(job, each) for each in found], next=encode(start + limit) if more else None)
    return Response(page.model_dump_json(), media_type=JSON)


def _choose(accept: str) -> str:
    """Return the available media type that the client prefers. Raises NotAcceptable."""
    for wanted in sorted(accept.split(","), key=_quality, reverse=True):
        kind = wanted.partition(";")[0].strip().lower()
        if kind in MEDIA_TYPES and _quality(wanted) > 0:
            return MEDIA_TYPES[kind]
    raise NotAcceptable(offered=f"{JSON} and {CSV}", asked=accept)


def _quality(wanted: str) -> float:
    """Return the weight (`q`) of a media range in an Accept header, by RFC 9110."""
    for parameter in wanted.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _all(jobs: Jobs, job: Job, first: Sequence[MeasuredImage]) -> Iterator[MeasuredImage]:
    yield from first
    for start in range(STREAM_PAGE, job.images_audited, STREAM_PAGE):
        yield from jobs.image_values(job, start, STREAM_PAGE)


def _body(job: Job, measured: MeasuredImage) -> ImageBody:
    image_set = job.image_set_of(measured.image.number)
    cohorts: dict[str, Any] = {}
    for values in measured.values:
        cohort = cohorts.setdefault(job.spec.cohorts[values.cohort].name, {"runs": [], "across": {}})
        numbers = array("d", values.data)
        if values.run == ACROSS_RUNS:
            cohort["across"] = dict(zip(image_set.across[values.cohort], numbers, strict=True))
        else:
            cohort["runs"].append(dict(zip(image_set.run, numbers, strict=True)))
    image = measured.image
    return ImageBody(
        number=image.number, set=image_set.field, image=image.name, label=image.label,
        groups=job.groups_of(image), sha256=image.sha256, skipped=image.skipped, cohorts=cohorts,
    )  # fmt: skip
