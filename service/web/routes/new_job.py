"""The form that starts an audit."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from service.api.dependencies import READ, SUBMIT
from service.api.routes.jobs import CurrentJobs, Text
from service.errors import FieldProblem, SalienceError
from service.measures import MEASURES
from service.measures.methods import METHODS
from service.spec.model import JobSpec, spec_digest
from service.web.example_spec import copy_spec, example_spec
from service.web.rendering import render_page
from service.web.routes.dashboard import require_same_site

router = APIRouter(include_in_schema=False)

MIN_ROWS, MAX_ROWS = 14, 36


@router.get("/new", dependencies=[READ])
def new(
    jobs: CurrentJobs,
    origin: Annotated[Text, Query(alias="from")] = "",
    other: Annotated[Text, Query(alias="with")] = "",
) -> Response:
    """Show the form with an example, or with the spec of the job `from` and also the cohorts of the job `with`."""
    if not origin:
        return _form(example_spec(jobs.inputs.roots), [])
    beside = jobs.store.jobs.get(other).spec if other else None
    return _form(copy_spec(jobs.store.jobs.get(origin).spec, beside), [])


@router.post("/new", dependencies=[Depends(require_same_site), SUBMIT])
async def start(request: Request, jobs: CurrentJobs) -> Response:
    """Start the audit and redirect to its job, or show the form again with the problems of the spec."""
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    text, token = sent.get("spec", [""])[0], sent.get("token", [""])[0]
    spec, problems = parsed(text)
    if spec is not None:
        try:
            # A form that is sent twice starts one job; a form with a changed spec starts another job.
            job = await run_in_threadpool(jobs.submit, spec, f"form-{token[:36]}-{spec_digest(spec)}")
            return RedirectResponse(f"/jobs/{job.id}", HTTPStatus.SEE_OTHER)
        except SalienceError as error:
            problems = error.problems() or [FieldProblem("", str(error))]
    return _form(text, problems, HTTPStatus.UNPROCESSABLE_ENTITY)


def parsed(text: str) -> tuple[JobSpec | None, Sequence[FieldProblem]]:
    """Parse a spec, or return its problems by field."""
    try:
        return JobSpec.model_validate(json.loads(text)), []
    except json.JSONDecodeError as error:
        return None, [FieldProblem("", f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.")]
    except ValidationError as error:
        return None, [FieldProblem.at(each["loc"], each["msg"]) for each in error.errors()]


def _form(spec: str, problems: Sequence[FieldProblem], status: int = HTTPStatus.OK) -> Response:
    rows = min(MAX_ROWS, max(MIN_ROWS, spec.count("\n") + 2))
    shown = {"spec": spec, "problems": problems, "rows": rows, "measures": MEASURES, "methods": METHODS}
    return render_page("new.html", status, token=str(uuid4()), **shown)
