"""The results of a job: every cohort's numbers, and how the cohorts differ.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from worker.summary.bootstrap import Array
from worker.summary.cohort import CohortValues, Tree, summarise_cohort
from worker.summary.statistics import compare


def summarise(cohorts: Sequence[CohortValues]) -> Tree:
    """Cohorts by name, and the differences of each two."""
    return {
        "cohorts": {cohort.name: summarise_cohort(cohort) for cohort in cohorts},
        "differences": [each for a, b in combinations(cohorts, 2) for each in _differences(a, b)],
    }


def _differences(a: CohortValues, b: CohortValues) -> Iterator[dict[str, Any]]:
    for measure, column in _compared(a, b):
        found = compare(
            _by_image(a, column), _by_image(b, column), a.resampled_column(column), b.resampled_column(column)
        )
        yield {"a": a.name, "b": b.name, "measure": measure, **found}


def _compared(a: CohortValues, b: CohortValues) -> Iterator[tuple[str, str]]:
    """The measures compared, by their path in the results, and their columns."""
    for measure, parts in a.parts.items():
        yield measure, measure
        for part in parts:
            if f"{measure}.{part}" in a.run_columns:
                yield f"{measure}.parts.{part}", f"{measure}.{part}"
    if len(a.across_columns) and len(b.across_columns):
        yield "stability", "stability"


def _by_image(cohort: CohortValues, column: str) -> Array:
    if column in cohort.across_columns:
        return cohort.across_column(column)
    return np.asarray(cohort.column(column).mean(1))
