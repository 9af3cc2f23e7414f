"""Reads the data of a report and renders it. The amount of data does not grow with the number of images."""

import json
from array import array

from service.domain.job import Job
from service.domain.results_format import complete
from service.jobs.service import Jobs
from service.jobs.verdicts import verdict_for
from service.web.report.data import ReportData
from service.web.report.document import render_report


def report(jobs: Jobs, job_id: str) -> str:
    """Return the report as HTML. Raises JobNotFound, JobNotFinished, JobHasNoResults."""
    results = complete(json.loads(jobs.results(job_id)))
    job = jobs.store.jobs.get(job_id)
    numbers = jobs.store.images.find_numbers(job_id, [each["image"] for each in results["sample"]])
    return render_report(
        ReportData(
            job=job,
            results=results,
            verdict=verdict_for(job),
            images=jobs.store.maps.sheets(job_id, numbers),
            names=jobs.store.images.names(job_id, numbers),
            values=_values(jobs, job, numbers),
            sums=jobs.store.map_sums.by_class(job_id),
            pending=jobs.store.map_requests.pending_count(job_id),
        )
    )


def _values(jobs: Jobs, job: Job, numbers: list[int]) -> dict[tuple[int, int, int], dict[str, float]]:
    """Return the values of the sample's images by (image, cohort, run) and column."""
    found = {}
    for each in jobs.store.images.chosen(job.id, numbers):
        image_set = job.image_set_of(each.image)
        columns = image_set.run if each.run >= 0 else image_set.across[each.cohort]
        found[each.image, each.cohort, each.run] = dict(zip(columns, array("d", each.data), strict=True))
    return found
