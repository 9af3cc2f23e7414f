"""Intervals of standard deviations and quantiles, put into the results where a gate's rules ask for them."""

from collections.abc import Sequence

import numpy as np

from service.domain import Json
from service.gate import Missing, Rule
from service.gate.numbers import cohort_of, place_of
from worker.summary.bootstrap import interval
from worker.summary.cohort import CohortValues
from worker.summary.compared import column_of
from worker.summary.compared import place_of as rows_of
from worker.summary.missing import MOST_MISSING, missing_share
from worker.summary.spread import resample_spread
from worker.summary.statistics import FEW


def add_spread(document: Json, cohorts: Sequence[CohortValues], rules: Sequence[Rule]) -> None:
    """Set `NAME_ci95` beside each number NAME that a rule holds against a value."""
    named = {each.name: each for each in cohorts}
    for rule in rules:
        asked = rule.spread
        try:
            cohort = named.get(cohort_of(rule, list(named)))
        except Missing:
            continue
        if asked and cohort and rule.versus is None:
            _add(document["cohorts"][cohort.name], cohort, *asked)


def _add(tree: Json, cohort: CohortValues, measure: str, statistic: str) -> None:
    place, (name, rows) = place_of(tree, measure), rows_of(cohort, measure)
    column = column_of(cohort, name)
    if place is None or column is None or column not in cohort.run_columns:
        return
    values = cohort.column(column)[rows]
    if np.sum(~np.isnan(values).all(1)) < FEW or missing_share(values) > MOST_MISSING:
        return
    resampled = resample_spread(values, statistic, cohort.draws, cohort.check)
    if resampled is not None:
        place[0][place[1]][f"{statistic}_ci95"] = interval(resampled)
