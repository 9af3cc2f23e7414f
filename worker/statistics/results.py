"""Summarises a job: every cohort's numbers, and the differences between cohorts.

Pure: arrays in, plain values out.
"""

from collections.abc import Sequence

from worker.statistics.cohort import CohortValues, Tree, summarise_cohort
from worker.statistics.differences import all_differences


def summarise(
    cohorts: Sequence[CohortValues], baseline: CohortValues | None = None, extra_paths: Sequence[str] = ()
) -> Tree:
    """Return the cohorts by name, and the differences of every pair and of each cohort from the baseline."""
    return {
        "cohorts": {cohort.name: summarise_cohort(cohort) for cohort in cohorts},
        "differences": all_differences(cohorts, baseline, extra_paths),
    }
