"""Routes for jobs: submit, get, list, cancel, delete, and read the results."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import StringConstraints

from service import errors, storage
from service.api.dependencies import READ, SUBMIT, CurrentCaller
from service.api.errors import documented
from service.api.pagination import decode, encode
from service.api.schemas import JobBody, JobPage
from service.domain.job import OPEN_STATES, Job, JobState
from service.gate import Verdict
from service.jobs.service import Jobs
from service.jobs.watch import JobWatch
from service.spec.model import JobSpec

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

RETRY_SECONDS = "2"
NOT_FOUND, CONFLICT, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS

# Databases store no zero bytes in text, so no stored text can contain one.
NO_ZERO = r"^[^\x00]*$"
PRINTABLE = r"^[\x20-\x7e\x80-\xff]*$"
Text = Annotated[str, StringConstraints(pattern=NO_ZERO)]


async def get_jobs(request: Request, caller: CurrentCaller) -> Jobs:
    """Return the use cases for the caller's tenant. They find no objects of other tenants."""
    all_jobs: Jobs = request.app.state.all_jobs
    return all_jobs.for_tenant(caller.tenant)


CurrentJobs = Annotated[Jobs, Depends(get_jobs)]


@router.post("", status_code=202, dependencies=[SUBMIT], responses=documented(INVALID, TOO_MANY))
def submit(
    spec: JobSpec,
    response: Response,
    jobs: CurrentJobs,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, pattern=PRINTABLE)] = None,
) -> JobBody:
    """Submit an audit. The same Idempotency-Key with the same spec returns the same job."""
    job = jobs.submit(spec, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = RETRY_SECONDS
    return JobBody.from_job(job, time.time())


def job_query(
    state: JobState | None = None,
    name: Text | None = None,
    label: Annotated[
        list[Text], Query(description="Label as key:value. With several labels, a job must have all of them.")
    ] = [],  # noqa: B006  # FastAPI copies the list
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> storage.JobQuery:
    """Return the query for a list of jobs. Raises FilterInvalid, CursorInvalid."""
    return storage.JobQuery(state, name, [parse_label(each) for each in label], decode(cursor), limit)


@router.get("", dependencies=[READ], responses=documented(INVALID))
def find(jobs: CurrentJobs, query: Annotated[storage.JobQuery, Depends(job_query)]) -> JobPage:
    """List jobs, newest first."""
    found = jobs.store.jobs.find(query)
    now = time.time()
    return JobPage(items=[JobBody.from_job(job, now) for job in found.jobs], next=encode(found.next))


@router.get("/{job_id}", dependencies=[READ], response_model=JobBody, responses={
    304: {"description": "Unchanged"}, **documented(NOT_FOUND, INVALID)
})  # fmt: skip
async def get(
    request: Request,
    jobs: CurrentJobs,
    job_id: Text,
    wait: Annotated[float, Query(ge=0, le=60, description="Maximum seconds to wait for the next change.")] = 0,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Get a job. With `wait`, wait for its next change. If-None-Match names the version that the client has."""
    watch: JobWatch = request.app.state.watch
    job = await run_in_threadpool(jobs.store.jobs.get, job_id)
    if wait and job.state in OPEN_STATES and (if_none_match is None or _matches(if_none_match, job)):
        job = await _wait(jobs, watch, job, wait)
    headers = {"ETag": _etag(job)}
    if job.state in OPEN_STATES:
        headers["Retry-After"] = RETRY_SECONDS
    if if_none_match is not None and _matches(if_none_match, job):
        return Response(status_code=304, headers=headers)
    body = JobBody.from_job(job, time.time()).model_dump_json()
    return Response(body, headers=headers, media_type="application/json")


@router.post("/{job_id}/cancel", dependencies=[SUBMIT], responses=documented(NOT_FOUND, CONFLICT))
def cancel(job_id: Text, jobs: CurrentJobs) -> JobBody:
    """Cancel a job. Cancelling a cancelled job changes nothing."""
    return JobBody.from_job(jobs.cancel(job_id), time.time())


@router.delete(
    "/{job_id}",
    dependencies=[SUBMIT],
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="forget_v1_jobs__job_id__delete",  # generated clients use this name
    responses=documented(NOT_FOUND, INVALID),
)
def delete(job_id: Text, jobs: CurrentJobs) -> None:
    """Delete a job with all its results, and stop it if it runs. Its Idempotency-Key can be used again."""
    jobs.store.jobs.delete(job_id)


@router.get("/{job_id}/results", dependencies=[READ], response_class=Response, responses={
    200: {"description": "Every measure by cohort, run and stratum with intervals; differences; provenance",
          "content": {"application/json": {"schema": {"type": "object"}}}},
    **documented(NOT_FOUND, CONFLICT),
})  # fmt: skip
def results(job_id: Text, jobs: CurrentJobs) -> Response:
    """Get the results of a job that succeeded."""
    return Response(jobs.results(job_id), media_type="application/json")


@router.get("/{job_id}/verdict", dependencies=[READ], responses=documented(NOT_FOUND, CONFLICT))
def verdict(job_id: Text, jobs: CurrentJobs) -> Verdict:
    """Get the verdict of a job that has ended, rule by rule."""
    return jobs.verdict(job_id)


async def _wait(jobs: Jobs, watch: JobWatch, job: Job, seconds: float) -> Job:
    if not await watch.change(job.id, job.version, seconds):
        return job
    return await run_in_threadpool(jobs.store.jobs.get, job.id)


def _etag(job: Job) -> str:
    return f'"{job.version}"'


def _matches(if_none_match: str, job: Job) -> bool:
    """Return whether an If-None-Match header contains the job's ETag, by the weak comparison of RFC 9110."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or _etag(job) in tags


def parse_label(text: str) -> tuple[str, str]:
    """Split a label filter into key and value. Raises FilterInvalid."""
    key, colon, value = text.partition(":")
    if not colon:
        raise errors.FilterInvalid(field="query.label", detail=f"label={text}: write key:value")
    return key, value
