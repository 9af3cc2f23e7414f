"""The page that compares two finished jobs."""

import json
import time
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from service.api.dependencies import READ
from service.api.routes.jobs import CurrentJobs, Text
from service.api.schemas import JobBody
from service.errors import ComparisonIncomplete, JobsNotComparable
from service.web.comparison import compare_measures, reason_not_comparable, setting_differences
from service.web.rendering import render_page

router = APIRouter(include_in_schema=False)


@router.get("/compare", dependencies=[READ])
def compare(jobs: CurrentJobs, a: Text = "", b: Text = "", job: Annotated[list[Text], Query()] = []) -> Response:  # noqa: B006  # FastAPI copies it
    """Compare jobs `a` and `b`; two jobs selected in the list are redirected to that URL."""
    if len(job) == 2:
        return RedirectResponse(f"/compare?{urlencode({'a': job[0], 'b': job[1]})}", HTTPStatus.SEE_OTHER)
    if not (a and b) or a == b:
        raise ComparisonIncomplete(
            named="one twice" if a and b else len([each for each in (*job, a, b) if each]) or "none"
        )
    one, other = json.loads(jobs.results(a)), json.loads(jobs.results(b))
    if reason := reason_not_comparable(one, other):
        raise JobsNotComparable(reason=reason)
    bodies = [JobBody.from_job(jobs.store.jobs.get(each), time.time()) for each in (a, b)]
    measures = compare_measures(one, other)
    return render_page(
        "compare.html", a=bodies[0], b=bodies[1], compared=measures, differing=setting_differences(one, other),
        pairs=any(each.pairs for each in measures), images=one["provenance"]["images"]["read"],
    )  # fmt: skip
