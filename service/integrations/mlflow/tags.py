"""What the registry is told of an audited version: its tags, in the order in which they are set.

The verdict comes last: a version that has it has all the others.
"""

import json

from service.domain.job import JobState
from service.domain.policy import CANDIDATE
from service.gate import Outcome
from service.integrations.mlflow.words import JOB, REASON, REPORT, VERDICT, measure_tag
from service.jobs.service import Jobs

MAX_TAG_CHARACTERS = 1000


def tags_for_job(jobs: Jobs, job: str, public_url: str) -> dict[str, str]:
    """The tags of an ended job. Raises JobNotFound."""
    ended, verdict = jobs.store.jobs.get(job), jobs.verdict(job)
    measures = _measures(jobs.results(job)) if ended.state is JobState.SUCCEEDED else {}
    report = f"{public_url}/v1/jobs/{job}/report"
    return {
        **measures, JOB: job, REPORT: report, REASON: verdict.reason[:MAX_TAG_CHARACTERS], VERDICT: verdict.outcome
    }  # fmt: skip


def refusal_tags(refusal: str) -> dict[str, str]:
    """The tags of a version that could not be audited."""
    return {REASON: refusal[:MAX_TAG_CHARACTERS], VERDICT: Outcome.ERROR}


def _measures(document: str) -> dict[str, str]:
    """The candidate's mean of each measure."""
    found = json.loads(document)["cohorts"][CANDIDATE]["measures"]
    return {measure_tag(name): f"{each['mean']:.6g}" for name, each in found.items() if each["mean"] is not None}
