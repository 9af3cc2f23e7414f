"""Splits the variance of a mean into a component of the runs, a component of the images, and the rest.

Pure: arrays in, plain numbers out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import CohortValues
from worker.statistics.missing import known_mean
from worker.statistics.variance import MeanSquare, Variance

MIN_RUNS_ACROSS = 3
TOO_FEW_RUNS = "needs three runs: a single pair of runs does not show how much pairs vary"


@dataclass(frozen=True)
class Components:
    """The components of the variance of a mean: of images, of runs, and the rest, which the other two contain.

    `runs` is None if there is one run, and `rest` is None if there are too few values to estimate it.
    """

    images: MeanSquare
    runs: MeanSquare | None = None
    rest: MeanSquare | None = None

    @property
    def variance(self) -> Variance:
        """The variance of the mean."""
        return joint_variance(self.images, [self])


def joint_variance(images: MeanSquare, cohorts: Sequence[Components]) -> Variance:
    """Return the variance of a difference from the component of the images and the components of both cohorts."""
    runs = [each.runs for each in cohorts if each.runs]
    return Variance([*runs, images], [each.rest for each in cohorts if each.rest])


def two_way(values: Array, known: Any) -> Components:
    """Return the components of the mean of values (n, K); `known` (n, K) says which values are known.

    If all values are known, the components are the mean squares MS_r, MS_i and MS_e of a two-way analysis of
    variance, each divided by n K. Otherwise least squares fit the effects of runs and images, and the variances of
    these unweighted means take the place of MS_r and MS_i (Searle, Casella and McCulloch 1992, Variance Components).
    """
    rows, columns = known.any(1), known.any(0)
    known = known[rows][:, columns].astype(float)
    filled = np.where(known > 0, values[rows][:, columns], 0.0)
    images, runs = known.shape
    effects = _run_effects(filled, known) if runs > 1 else np.zeros(1)
    if effects is None:  # images do not connect all runs, so that runs are compared by their means
        means = filled.sum(0) / known.sum(0)
        return Components(mean_square(filled.sum(1) / known.sum(1)), mean_square(means))
    by_image = (filled - known * effects).sum(1) / known.sum(1)
    count, freedom = int(known.sum()), int(known.sum()) - images - runs + 1
    rest = float(np.square(known * (filled - by_image[:, None] - effects)).sum())
    return Components(
        mean_square(by_image),
        mean_square(effects) if runs > 1 else None,
        MeanSquare(rest / freedom / count, freedom) if freedom > 0 else None,
    )


def _run_effects(filled: Array, known: Array) -> Array | None:
    """Return the effects of runs (K,) by least squares, with a sum of 0; None if images do not connect all runs."""
    if known.all():
        return np.asarray(filled.mean(0) - filled.mean())
    share = known / known.sum(1, keepdims=True)
    matrix = np.diag(known.sum(0)) - known.T @ share
    if np.linalg.matrix_rank(matrix) < len(matrix) - 1:
        return None
    return np.asarray(np.linalg.pinv(matrix) @ (filled.sum(0) - share.T @ filled.sum(1)))


def mean_square(means: Array) -> MeanSquare:
    """Return the variance of the mean of independent values (n,), estimated from their spread."""
    return MeanSquare(float(means.var(ddof=1)) / len(means), len(means) - 1)


def across_runs(pairs: Array, runs: Sequence[tuple[int, int]], images: Any) -> Components:
    """Return the components of the mean of values (n, P) of P pairs of runs, over some `images` (n,).

    The component of the runs is the jackknife's: each run is left out in turn, with all its pairs (Efron and Stein
    1981). Needs MIN_RUNS_ACROSS runs.
    """
    pairs = pairs[images]
    names = sorted({run for pair in runs for run in pair})
    left = np.array([known_mean(pairs[:, [run not in pair for pair in runs]]) for run in names])
    left = left[~np.isnan(left)]
    between = float((len(left) - 1) / len(left) * np.square(left - left.mean()).sum())
    by_image = known_mean(pairs, 1)
    return Components(mean_square(by_image[~np.isnan(by_image)]), MeanSquare(between, len(left) - 1))


def components_of(cohort: CohortValues, column: str, rows: Any) -> Components:
    """Return the components of the mean of a column, per run or across runs, over the images `rows` (n,)."""
    if column in cohort.paired_columns:
        return across_runs(cohort.pair_values(column), cohort.pairs, rows)
    values = cohort.column(column)
    return two_way(values, rows[:, None] & ~np.isnan(values))


def too_few_runs(cohorts: tuple[CohortValues, CohortValues], column: str) -> str | None:
    """Return the reason if a column across runs has no interval because a cohort has too few runs, or None."""
    across = [each for each in cohorts if column in each.paired_columns]
    return TOO_FEW_RUNS if any(each.runs.shape[1] < MIN_RUNS_ACROSS for each in across) else None


def too_few_known_runs(known: Any) -> str | None:
    """Return the reason if a column has no interval because only one of several runs has values, or None.

    `known` (n, K) says which values are known.
    """
    runs = int(known.any(0).sum())
    return "needs two runs with values: only one run has any" if known.shape[1] > 1 and runs == 1 else None
