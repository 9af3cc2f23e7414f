"""The pages a person starts from: the list of jobs, and a job."""

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
from service.errors import CrossSiteForm, CursorInvalid, FilterInvalid, JobEnded
from service.jobs.service import Jobs
from service.storage.policies import last_job_by_policy
from service.web.job_filter import Filter
from service.web.panels import panels, tones
from service.web.rendering import render_page

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
MAX_OTHERS = 50  # of the newest finished jobs, those that are looked through for the same images


def require_same_site(request: Request) -> None:
    """Refuse a form that another site sends in its reader's name. Raises CrossSiteForm."""
    if is_cross_site(request):
        raise CrossSiteForm


@dataclass(frozen=True)
class JobListRequest:
    """Which jobs an address asks for, what is `wrong` with it and so left out, and a label to be mended."""

    chosen: Filter
    wrong: Sequence[str]
    label: str


def parse_filter(
    state: str = "",
    name: Text = "",
    label: Annotated[list[Text], Query()] = [],  # noqa: B006  # FastAPI copies it
    cursor: str = "",
) -> JobListRequest:
    """What a list's address says; fields that a form leaves empty say nothing."""
    chosen, wrong, fix = Filter(name=name or None), list[str](), ""
    with _noting(wrong):
        chosen = replace(chosen, state=_state_of(state))
    for each in filter(None, dict.fromkeys(label)):
        fix = each
        with _noting(wrong):
            parse_label(each)
            chosen, fix = replace(chosen, labels=(*chosen.labels, each)), ""
    with _noting(wrong):
        decode(cursor or None)
        chosen = replace(chosen, cursor=cursor or None)
    return JobListRequest(chosen, wrong, fix)


@router.get("/", dependencies=[READ])
def dashboard(jobs: CurrentJobs, asked: Annotated[JobListRequest, Depends(parse_filter)]) -> Response:
    """The jobs, newest first; where the filter is wrong, what is wrong with it and the jobs without that."""
    found = jobs.store.jobs.find(_query(asked.chosen))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if asked.wrong else HTTPStatus.OK
    shown = {"jobs": _bodies(found.jobs), "next": encode(found.next), "states": list(JobState)}
    return render_page("dashboard.html", status, asked=asked, filter=asked.chosen, policies=_policies(jobs), **shown)


@router.get("/jobs/{job_id}", dependencies=[READ])
def job_page(job_id: Text, jobs: CurrentJobs) -> Response:
    """A job: how it stands, what it found, what was asked."""
    job = jobs.store.jobs.get(job_id)
    body = JobBody.of(job, time.time())
    shown: dict[str, Any] = {"panels": [], "skipped": 0, "others": []}
    if job.state is JobState.SUCCEEDED:
        results = json.loads(jobs.results(job_id))
        shown = {
            "panels": panels(tones(results)), "skipped": len(results["skipped"]), "others": _others(jobs, job),
        }  # fmt: skip
    spec = json.dumps(body.spec.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return render_page("job.html", job=body, spec=spec, all=Filter(), **shown)


@router.get("/docs")
def api_page() -> Response:
    """The API's document, to be read and tried. It is no secret, and nobody needs a key to see it."""
    return render_page("api.html")


@router.post("/jobs/{job_id}/cancel", dependencies=[Depends(require_same_site), SUBMIT])
def cancel(job_id: Text, jobs: CurrentJobs) -> Response:
    """Stop a job and show it; one that has ended meanwhile is shown as it is."""
    with suppress(JobEnded):
        jobs.cancel(job_id)
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


@contextmanager
def _noting(wrong: list[str]) -> Iterator[None]:
    """Add what is wrong with a part of an address to what is known to be."""
    try:
        yield
    except (FilterInvalid, CursorInvalid) as error:
        wrong.append(str(error))


def _state_of(text: str) -> JobState | None:
    """The state of this name; None for none. Raises FilterInvalid."""
    if text and text not in list(JobState):
        raise FilterInvalid(detail=f"state={text}: there is no such state; write one of {', '.join(JobState)}")
    return JobState(text) if text else None


def _query(chosen: Filter) -> storage.JobQuery:
    labels = [parse_label(each) for each in chosen.labels]
    return storage.JobQuery(chosen.state, chosen.name, labels, decode(chosen.cursor), PAGE_SIZE)


def _policies(jobs: Jobs) -> list[tuple[StoredPolicy, JobBody | None]]:
    """Each policy and the job that it judged last."""
    policies = jobs.store.policies.newest()
    last = last_job_by_policy(jobs.store.database, [each.name for each in policies]) if policies else {}
    bodies = {name: JobBody.of(job, time.time()) for name, job in last.items()}
    return [(each, bodies.get(each.name)) for each in policies]


def _others(jobs: Jobs, job: Job) -> list[JobBody]:
    """Finished jobs, newest first, that were asked about the same images."""
    found = jobs.store.jobs.find(storage.JobQuery(JobState.SUCCEEDED, limit=MAX_OTHERS)).jobs
    return _bodies([each for each in found if each.id != job.id and each.spec.images == job.spec.images])


def _bodies(jobs: Sequence[Job]) -> list[JobBody]:
    now = time.time()
    return [JobBody.of(each, now) for each in jobs]
