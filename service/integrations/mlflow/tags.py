"""The tags of audited model versions, in the order in which they are written.

The verdict is written last, so a version with a verdict has all other tags too.
"""

import json

from service.domain.job import JobState
from service.domain.policy import CANDIDATE
from service.gate import Outcome, Status, cohort_checks, concerns
from service.jobs.service import Jobs
from service.spec.model import Json

COHORT = "salience.cohort"  # set by users; versions of one training recipe have the same value
VERDICT = "salience.verdict"
JOB = "salience.job"
REPORT = "salience.report"
REASON = "salience.reason"
SOUNDNESS = "salience.soundness"
MAX_TAG_CHARACTERS = 1000


def measure_tag(measure: str) -> str:
    """Return the name of the tag for the mean of a measure."""
    return f"salience.{measure}"


def tags_for_job(jobs: Jobs, job: str, public_url: str) -> dict[str, str]:
    """Return the tags for a version whose job has ended. Raises JobNotFound."""
    ended, verdict = jobs.store.jobs.get(job), jobs.verdict(job)
    measures = _of_results(json.loads(jobs.results(job))) if ended.state is JobState.SUCCEEDED else {}
    report = f"{public_url}/v1/jobs/{job}/report"
    return {
        **measures, JOB: job, REPORT: report, REASON: verdict.reason[:MAX_TAG_CHARACTERS], VERDICT: verdict.outcome
    }  # fmt: skip


def refusal_tags(refusal: str) -> dict[str, str]:
    """Return the tags for a version that could not be audited."""
    return {REASON: refusal[:MAX_TAG_CHARACTERS], VERDICT: Outcome.ERROR}


def _of_results(results: Json) -> dict[str, str]:
    """Return a tag for each measure with the mean of the candidate, and one for its soundness checks."""
    measures = results["cohorts"][CANDIDATE]["measures"]
    found = {measure_tag(name): f"{each['mean']:.6g}" for name, each in measures.items() if each["mean"] is not None}
    return {**found, SOUNDNESS: _soundness(results)}


def _soundness(results: Json) -> str:
    """Return `ok`, or the checks of the candidate that fail or warn, such as `failed: image; warning: class`.

    Results of an earlier format, which have no checks, give `not checked`.
    """
    names: dict[str, list[str]] = {}
    checks = cohort_checks(results, CANDIDATE)
    if not checks:
        return Status.NOT_CHECKED
    for each in concerns(checks):
        names.setdefault(each.status, []).append(each.name)
    return "; ".join(f"{status}: {', '.join(dict.fromkeys(each))}" for status, each in names.items()) or Status.OK
