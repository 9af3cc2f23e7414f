"""Adds intervals of standard deviations and quantiles to the results where a gate's rules need them."""

from collections.abc import Sequence

import numpy as np

from service.gate import Missing, Rule
from service.gate.lookup import cohort_of, resolve_path
from service.spec.model import Json
from worker.statistics.bootstrap import interval
from worker.statistics.cohort import CohortValues
from worker.statistics.describe import MIN_IMAGES
from worker.statistics.missing import MOST_MISSING, missing_share
from worker.statistics.pairing import column_of
from worker.statistics.pairing import locate_number as rows_of
from worker.statistics.spread import resample_spread

ENOUGH_RUNS = 5
APPROXIMATE = f"approximate: a bootstrap of fewer than {ENOUGH_RUNS} runs gives too narrow an interval"


def add_spread_intervals(document: Json, cohorts: Sequence[CohortValues], rules: Sequence[Rule]) -> None:
    """Set `NAME_ci95` beside each number NAME that a rule compares with a value.

    With two to four runs, `NAME_note` says that the interval is approximate.
    """
    named = {each.name: each for each in cohorts}
    for rule in rules:
        spread = rule.spread
        try:
            cohort = named.get(cohort_of(rule, list(named)))
        except Missing:
            continue
        if spread and cohort and rule.versus is None:
            _add(document["cohorts"][cohort.name], cohort, *spread)


def _add(tree: Json, cohort: CohortValues, measure: str, statistic: str) -> None:
    place, (name, rows) = resolve_path(tree, measure), rows_of(cohort, measure)
    column = column_of(cohort, name)
    if place is None or column is None or column not in cohort.run_columns:
        return
    values = cohort.column(column)[rows]
    if np.sum(~np.isnan(values).all(1)) < MIN_IMAGES or missing_share(values) > MOST_MISSING:
        return
    resampled = resample_spread(values, statistic, cohort.draws, cohort.check)
    if resampled is not None:
        found = place[0][place[1]]
        found[f"{statistic}_ci95"] = interval(resampled)
        if 1 < values.shape[1] < ENOUGH_RUNS:
            found[f"{statistic}_note"] = APPROXIMATE
