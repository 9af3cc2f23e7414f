"""Making a job's report: reading what it is made of, and no more of a large job than of a small one."""

import json
from array import array

from service.domain import Job
from service.jobs import Jobs
from service.pages.report.document import report_html
from service.pages.report.material import Material
from service.verdicts import verdict_of


def report(jobs: Jobs, job_id: str) -> str:
    """The report as HTML. Raises JobNotFound, JobNotFinished, JobHasNoResults."""
    results = json.loads(jobs.results(job_id))
    job = jobs.store.jobs.get(job_id)
    numbers = jobs.store.images.numbered(job_id, [each["image"] for each in results.get("sample", ())])
    return report_html(
        Material(
            job=job,
            results=results,
            verdict=verdict_of(job),
            pictures=jobs.store.maps.sheets(job_id, numbers),
            names=jobs.store.images.names(job_id, numbers),
            values=_values(jobs, job, numbers),
            sums=jobs.store.map_sums.by_class(job_id),
            waiting=jobs.store.map_requests.waiting(job_id),
        )
    )


def _values(jobs: Jobs, job: Job, numbers: list[int]) -> dict[tuple[int, int, int], dict[str, float]]:
    """The chosen pictures' numbers by picture, cohort and run."""
    found = {}
    for each in jobs.store.images.chosen(job.id, numbers):
        among = job.set_of(each.image)
        columns = among.run if each.run >= 0 else among.across[each.cohort]
        found[each.image, each.cohort, each.run] = dict(zip(columns, array("d", each.data), strict=True))
    return found
