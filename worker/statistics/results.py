"""The results of a job: every cohort's numbers, and how the cohorts differ.

Pure: arrays in, plain values out.
"""

from collections.abc import Sequence

from worker.statistics.cohort import CohortValues, Tree, summarise_cohort
from worker.statistics.differences import all_differences


def summarise(
    cohorts: Sequence[CohortValues], baseline: CohortValues | None = None, extra_paths: Sequence[str] = ()
) -> Tree:
    """Cohorts by name, and the differences of each two, and of each from the baseline."""
    return {
        "cohorts": {cohort.name: summarise_cohort(cohort) for cohort in cohorts},
        "differences": all_differences(cohorts, baseline, extra_paths),
    }
