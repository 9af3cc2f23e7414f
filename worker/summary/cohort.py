"""One cohort's numbers: every measure with its parts, by run and by stratum.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from worker.summary.bootstrap import Array, Check, Draws, Resampled, nothing, resample_means, resample_pairs
from worker.summary.statistics import describe

Tree = dict[str, Any]
BESIDE = ("pearson", "mse", "iou20", "entropy_change", "probability_change", "probability")


@dataclass(frozen=True)
class CohortValues:
    """Columns of every run, (n, K, C), and across the runs, (n, D), of the same n images in one order.

    `parts` are the names of each measure's parts that have statistics of their own. `check` is called now and
    then, and may raise.
    """

    name: str
    run_columns: Sequence[str]
    runs: Array
    across_columns: Sequence[str]
    across: Array
    labels: Sequence[str | None]
    parts: Mapping[str, Sequence[str]]
    draws: Draws
    check: Check = nothing

    def column(self, name: str) -> Array:
        """One column of all runs, (n, K)."""
        return self.runs[:, :, self.run_columns.index(name)]

    def across_column(self, name: str) -> Array:
        """One column across the runs, (n,)."""
        return self.across[:, self.across_columns.index(name)]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of runs."""
        return list(combinations(range(self.runs.shape[1]), 2))

    @cached_property
    def resampled(self) -> Resampled:
        """Resampled means of all columns over all images."""
        return resample_means(self.runs, np.ones(self.runs.shape[:2]), self.draws, self.check)

    def resampled_column(self, name: str) -> Array:
        """Resampled cohort means of a column, of a run's or across runs, (R,)."""
        if name in self.across_columns:
            return self.resample_stability(name, np.arange(len(self.across)))
        return self.resampled.whole[:, self.run_columns.index(name)]

    def resample_stability(self, name: str, images: Any) -> Array:
        """Resampled mean over pairs of runs, `name` being stability or stability.resized, of some images."""
        values = np.stack([self.across_column(f"{name}.pair.{i}.{j}") for i, j in self.pairs], axis=1)[images]
        return resample_pairs(values, self.pairs, self.runs.shape[1], self.draws, self.check)


def summarise_cohort(cohort: CohortValues) -> Tree:
    """Measures of the cohort, of each run, and by class and correctness where there are labels."""
    everything = np.ones(cohort.runs.shape[:2])
    measures = _measures(cohort, cohort.runs, cohort.resampled.whole)
    if len(cohort.across_columns):
        measures["stability"] = _stability(cohort)
    runs = [_run(cohort, number) for number in range(cohort.runs.shape[1])]
    strata = _strata(cohort, everything)
    return {"accuracy": _accuracy(cohort.column("correct")), "measures": measures, "runs": runs, "strata": strata}


def _run(cohort: CohortValues, number: int) -> Tree:
    measures = _measures(cohort, cohort.runs[:, number], cohort.resampled.runs[:, number])
    if len(cohort.across_columns):
        measures["stability"] = _stability_of_run(cohort, number)
    correct = cohort.column("correct")[:, number]
    degenerate = int(cohort.column("degenerate")[:, number].sum())
    return {"accuracy": _accuracy(correct), "degenerate": degenerate, "measures": measures}


def _measures(cohort: CohortValues, values: Array, resampled: Array) -> Tree:
    """Statistics of the measures that a run has: values (..., C), resampled means (R, C)."""

    def about(column: str) -> Tree:
        index = cohort.run_columns.index(column)
        return describe(values[..., index], resampled[:, index])

    def mean(column: str) -> float:
        return float(np.nanmean(values[..., cohort.run_columns.index(column)]))

    tree = {}
    for measure, parts in cohort.parts.items():
        tree[measure] = about(measure) | _beside(cohort, measure, mean)
        tree[measure]["parts"] = {
            part: about(_headline(cohort, measure, part)) | _beside(cohort, f"{measure}.{part}", mean) for part in parts
        }
    return tree


def _headline(cohort: CohortValues, measure: str, part: str) -> str:
    plain = f"{measure}.{part}"
    return plain if plain in cohort.run_columns else f"{plain}.ssim"


def _beside(cohort: CohortValues, prefix: str, mean: Any) -> Tree:
    return {kind: mean(f"{prefix}.{kind}") for kind in BESIDE if f"{prefix}.{kind}" in cohort.run_columns}


def _stability(cohort: CohortValues) -> Tree:
    everything = np.arange(len(cohort.across))

    def about(name: str) -> Tree:
        found = describe(cohort.across_column(name), cohort.resample_stability(name, everything))
        return found | {kind: float(cohort.across_column(f"{name}.{kind}").mean()) for kind in BESIDE[:3]}

    matrix = np.eye(cohort.runs.shape[1])
    for i, j in cohort.pairs:
        matrix[i, j] = matrix[j, i] = cohort.across_column(f"stability.pair.{i}.{j}").mean()
    return about("stability") | {"parts": {"resized": about("stability.resized"), "matrix": matrix.tolist()}}


def _stability_of_run(cohort: CohortValues, number: int) -> Tree:
    """A run's mean similarity to the others."""
    own = [cohort.across_column(f"stability.pair.{i}.{j}") for i, j in cohort.pairs if number in (i, j)]
    values = np.stack(own, axis=1).mean(1)[:, None, None]
    means = resample_means(values, np.ones(values.shape[:2]), replace(cohort.draws, runs="one"), cohort.check)
    return describe(values, means.whole[:, 0])


def _strata(cohort: CohortValues, everything: Array) -> Tree:
    classes = sorted({label for label in cohort.labels if label is not None})
    if not classes:
        return {}
    is_class = {name: np.array([label == name for label in cohort.labels]) for name in classes}
    correct = cohort.column("correct")
    return {
        "class": {name: _stratum(cohort, everything * rows[:, None], rows) for name, rows in is_class.items()},
        "correct": {
            "true": _stratum(cohort, (correct == 1).astype(float), (correct == 1).all(1)),
            "false": _stratum(cohort, (correct == 0).astype(float), (correct == 0).any(1)),
        },
    }


def _stratum(cohort: CohortValues, used: Array, whole: Any) -> Tree:
    """Headlines over the values used, (n, K). Stability belongs to an image: it counts where `whole` (n,) says so."""
    names = list(_headlines(cohort))
    indices = [cohort.run_columns.index(name) for name in names]
    some = used.any(1)
    values = np.where(used[some][:, :, None] > 0, cohort.runs[:, :, indices][some], np.nan)
    empty = np.full((1, len(names)), np.nan)
    resampled = empty
    if some.any():
        resampled = resample_means(values, used[some], cohort.draws, cohort.check).whole
    tree = {name: describe(values[:, :, n], resampled[:, n]) for n, name in enumerate(names)}
    if len(cohort.across_columns):
        means = cohort.resample_stability("stability", whole) if whole.any() else empty[0]
        tree["stability"] = describe(cohort.across_column("stability")[whole], means)
    return tree


def _headlines(cohort: CohortValues) -> Iterable[str]:
    return cohort.parts.keys()


def _accuracy(correct: Array) -> float | None:
    known = correct[~np.isnan(correct)]
    return float(known.mean()) if len(known) else None
