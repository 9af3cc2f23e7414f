"""Computes the numbers of final results, with intervals by bootstrap. Pure: arrays in, plain values out."""

from dataclasses import replace

import numpy as np

from worker.statistics.bootstrap import Array, interval, resample_means
from worker.statistics.cohort import CohortValues, Selection
from worker.statistics.describe import MIN_IMAGES, compare, describe
from worker.statistics.missing import MOST_MISSING, known_mean, missing_share, number_or_none
from worker.statistics.pairing import Pairing
from worker.statistics.tree import Tree


class FinalEstimate:
    """Computes numbers, their spread and their bootstrap intervals."""

    def column(self, some: Selection, name: str) -> Tree:
        """Return the number of a column of single runs, with its spread and quantiles."""
        values, counting = some.column(name)
        return describe(values, _resampled(some, name), counting)

    def secondary(self, some: Selection, name: str, key: str) -> Tree:
        """Return the mean of a column of single runs as `KEY`, and for a cohort its interval as `KEY_ci95`."""
        values, counting = some.column(name)
        mean = {key: number_or_none(known_mean(values))}
        if some.run is not None:
            return mean
        enough = counting.any(1).sum() >= MIN_IMAGES and missing_share(values[counting]) <= MOST_MISSING
        return mean | {f"{key}_ci95": interval(_resampled(some, name)) if enough else None}

    def across(self, some: Selection, name: str) -> Tree:
        """Return the number of a column across runs, with its spread and quantiles."""
        pairs, images = some.pairs(name)
        missing = missing_share(pairs[images])
        return describe(some.across(name)[images], _resampled_across(some, name), missing=missing)

    def difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        """Return the mean of the first minus the second cohort, paired by image."""
        rows = pairing.rows
        first, second = (_resampled_rows(cohort, pairing.column, rows) for cohort in cohorts)
        return compare(pairing.ours[rows], pairing.theirs[rows], first, second, pairing.missing)


def _resampled(some: Selection, name: str) -> Array:
    """Return resampled means, (R,), of a column of single runs."""
    if some.stratum is not None:
        return some.stratum.resampled[name]
    if some.run is not None:
        return some.cohort.resampled.runs[:, some.run, some.cohort.run_columns.index(name)]
    return _resampled_rows(some.cohort, name, some.column(name)[1].all(1))


def _resampled_across(some: Selection, name: str) -> Array:
    """Return resampled means, (R,), of a column across runs."""
    cohort, (_, images) = some.cohort, some.pairs(name)
    if not images.any():
        return np.full(1, np.nan)
    if some.run is None:
        return cohort.resample_across(name, images)
    values = some.across(name)[:, None, None]
    return resample_means(values, np.ones(values.shape[:2]), replace(cohort.draws, runs="one"), cohort.check).whole[
        :, 0
    ]


def _resampled_rows(cohort: CohortValues, column: str, rows: Array) -> Array:
    """Return resampled means, (R,), of a column over some images."""
    if column in cohort.paired_columns:
        return cohort.resample_across(column, rows)
    if rows.all() or not rows.any():
        return cohort.resampled_column(column)
    values = cohort.column(column)[rows]
    return resample_means(values[:, :, None], np.ones(values.shape), cohort.draws, cohort.check).whole[:, 0]
