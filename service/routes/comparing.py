"""Two finished jobs side by side."""

import json
import time
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from service.errors import JobsNotChosen, JobsNotComparable
from service.pages.comparison import compared, is_one_set, settings
from service.pages.rendering import page
from service.routes.access import READ
from service.routes.jobs import JobsHere, Text
from service.schemas import JobBody

router = APIRouter(include_in_schema=False)


@router.get("/compare", dependencies=[READ])
def compare(jobs: JobsHere, a: Text = "", b: Text = "", job: Annotated[list[Text], Query()] = []) -> Response:  # noqa: B006  # FastAPI copies it
    """Jobs `a` and `b`; or the two that were chosen in the list."""
    if len(job) == 2:
        return RedirectResponse(f"/compare?{urlencode({'a': job[0], 'b': job[1]})}", HTTPStatus.SEE_OTHER)
    if not (a and b) or a == b:
        raise JobsNotChosen(named="one twice" if a and b else len([each for each in (*job, a, b) if each]) or "none")
    one, other = json.loads(jobs.results(a)), json.loads(jobs.results(b))
    if not is_one_set(one, other):
        raise JobsNotComparable(reason="they audited different images, so their numbers do not speak of the same")
    bodies = [JobBody.of(jobs.store.jobs.get(each), time.time()) for each in (a, b)]
    measures = compared(one, other)
    return page(
        "compare.html", a=bodies[0], b=bodies[1], compared=measures, differing=settings(one, other),
        pairs=any(each.pairs for each in measures), images=one["provenance"]["images"]["read"],
    )  # fmt: skip
