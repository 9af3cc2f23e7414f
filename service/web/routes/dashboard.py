"""The list of jobs, and the page of a job."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from service import storage
from service.api.dependencies import READ, SUBMIT, is_cross_site
from service.api.pagination import decode, encode
from service.api.routes.jobs import CurrentJobs, Text, parse_label
from service.api.schemas import JobBody
from service.domain.job import Job, JobState
from service.domain.policy import StoredPolicy
from service.domain.results_format import complete, format_notice
from service.errors import CrossSiteForm, CursorInvalid, FilterInvalid, JobEnded
from service.jobs.service import Jobs
from service.storage.policies import last_job_by_policy
from service.web.comparison import job_panels
from service.web.job_filter import Filter
from service.web.rendering import render_page
from service.web.soundness import summarise_soundness

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
MAX_OTHERS = 50  # number of the newest finished jobs that are searched for jobs of the same images


def require_same_site(request: Request) -> None:
    """Reject a form that another site sends. Raises CrossSiteForm."""
    if is_cross_site(request):
        raise CrossSiteForm


@dataclass(frozen=True)
class JobListRequest:
    """The filter in a URL, the problems of its invalid parts, and the last invalid label, which the form repeats."""

    chosen: Filter
    problems: Sequence[str]
    label: str


def parse_filter(
    state: str = "",
    name: Text = "",
    label: Annotated[list[Text], Query()] = [],  # noqa: B006  # FastAPI copies it
    cursor: str = "",
) -> JobListRequest:
    """Read the filter from the query. Empty and invalid fields filter nothing."""
    chosen, wrong, fix = Filter(name=name or None), list[str](), ""
    with _collect_errors(wrong):
        chosen = replace(chosen, state=_state_of(state))
    for each in filter(None, dict.fromkeys(label)):
        fix = each
        with _collect_errors(wrong):
            parse_label(each)
            chosen, fix = replace(chosen, labels=(*chosen.labels, each)), ""
    with _collect_errors(wrong):
        decode(cursor or None)
        chosen = replace(chosen, cursor=cursor or None)
    return JobListRequest(chosen, wrong, fix)


@router.get("/", dependencies=[READ])
def dashboard(jobs: CurrentJobs, requested: Annotated[JobListRequest, Depends(parse_filter)]) -> Response:
    """List the jobs, newest first. Invalid parts of the filter are shown as problems and ignored."""
    found = jobs.store.jobs.find(_query(requested.chosen))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if requested.problems else HTTPStatus.OK
    shown = {"jobs": _bodies(found.jobs), "next": encode(found.next), "states": list(JobState)}
    return render_page(
        "dashboard.html", status, requested=requested, filter=requested.chosen, policies=_policies(jobs), **shown
    )


@router.get("/jobs/{job_id}", dependencies=[READ])
def job_page(job_id: Text, jobs: CurrentJobs) -> Response:
    """Show a job: its state, its results and its configuration."""
    job = jobs.store.jobs.get(job_id)
    body = JobBody.from_job(job, time.time())
    shown: dict[str, Any] = {"panels": [], "skipped": 0, "others": [], "soundness": None, "notice": None}
    if job.state is JobState.SUCCEEDED:
        results = complete(json.loads(jobs.results(job_id)))
        shown = {
            "panels": job_panels(results), "skipped": len(results["skipped"]), "others": _others(jobs, job),
            "soundness": summarise_soundness(results), "notice": format_notice(results),
        }  # fmt: skip
    spec = json.dumps(body.spec.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return render_page("job.html", job=body, spec=spec, all=Filter(), **shown)


@router.get("/docs")
def api_page() -> Response:
    """Show the API documentation. It is public: it needs no key."""
    return render_page("api.html")


@router.post("/jobs/{job_id}/cancel", dependencies=[Depends(require_same_site), SUBMIT])
def cancel(job_id: Text, jobs: CurrentJobs) -> Response:
    """Cancel a job and show it; a job that has already ended stays as it is."""
    with suppress(JobEnded):
        jobs.cancel(job_id)
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


@contextmanager
def _collect_errors(wrong: list[str]) -> Iterator[None]:
    """Add the message of an invalid part of the filter to `wrong`."""
    try:
        yield
    except (FilterInvalid, CursorInvalid) as error:
        wrong.append(str(error))


def _state_of(text: str) -> JobState | None:
    """Return the state of this name; None if the name is empty. Raises FilterInvalid."""
    if text and text not in list(JobState):
        raise FilterInvalid(detail=f"state={text}: unknown state. Use one of {', '.join(JobState)}")
    return JobState(text) if text else None


def _query(chosen: Filter) -> storage.JobQuery:
    labels = [parse_label(each) for each in chosen.labels]
    return storage.JobQuery(chosen.state, chosen.name, labels, decode(chosen.cursor), PAGE_SIZE)


def _policies(jobs: Jobs) -> list[tuple[StoredPolicy, JobBody | None]]:
    """Return each policy with the last job that it judged."""
    policies = jobs.store.policies.newest()
    last = last_job_by_policy(jobs.store.database, [each.name for each in policies]) if policies else {}
    bodies = {name: JobBody.from_job(job, time.time()) for name, job in last.items()}
    return [(each, bodies.get(each.name)) for each in policies]


def _others(jobs: Jobs, job: Job) -> list[JobBody]:
    """Return finished jobs of the same images, newest first."""
    found = jobs.store.jobs.find(storage.JobQuery(JobState.SUCCEEDED, limit=MAX_OTHERS)).jobs
    return _bodies([each for each in found if each.id != job.id and each.spec.images == job.spec.images])


def _bodies(jobs: Sequence[Job]) -> list[JobBody]:
    now = time.time()
    return [JobBody.from_job(each, now) for each in jobs]
