"""Computes the soundness checks of cohorts from the values of their images and from facts in the job's plan."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.domain.job import Job
from service.gate.checks import judge_all
from service.gate.soundness import Evidence
from service.spec.model import Json
from worker.statistics.cohort import CohortValues
from worker.statistics.confidence_sequence import ALPHA, Confidence
from worker.statistics.soundness import SoundnessNumbers, mean_with_interval


def check_cohorts(job: Job, cohorts: Sequence[CohortValues]) -> Json:
    """Return the soundness checks of a job by cohort. With `stop`, accuracy has an interval for all interim looks."""
    claim = Confidence(ALPHA, job.images_total or 0) if job.spec.stop else None
    facts = job.cohort_facts
    return {cohort.name: check_soundness(cohort, facts[cohort.name], claim) for cohort in cohorts}


def check_soundness(cohort: CohortValues, facts: Json, claim: Confidence | None = None) -> Json:
    """Return the results of the checks of a cohort, as `checks`, and of each run, as `runs`.

    `facts` is the cohort's part of the plan. With `claim`, the interval of accuracy is valid at all interim looks.
    """
    numbers, runs = SoundnessNumbers(cohort, claim), facts["runs"]
    return {
        "checks": _judged({**numbers.of(), **_planned(runs)}),
        "runs": [_judged({**numbers.of(run), **_planned([own])}) for run, own in enumerate(runs)],
    }


def _judged(numbers: Mapping[str, Any]) -> list[Json]:
    found = judge_all({name: Evidence(**each) for name, each in numbers.items()})
    return [each.model_dump(mode="json") for each in found]


def _planned(runs: Sequence[Json]) -> dict[str, Any]:
    """Return the checks that planning made: the lowest self-similarity of any run, and maps under a random head."""
    known = [run["self_similarity"] for run in runs if run.get("self_similarity") is not None]
    found: dict[str, Any] = {"deterministic": {"number": min(known)}} if known else {}
    if all("weights" in run for run in runs):
        by_run = [np.array(run["weights"], np.float64) for run in runs]
        found["weights"] = mean_with_interval(np.stack(by_run, 1))
    return found
