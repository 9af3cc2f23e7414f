"""Summarises one cohort: every measure and its parts, by run and by stratum. Pure: arrays in, plain values out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from worker.statistics.bootstrap import (
    RESAMPLES,
    Array,
    Check,
    Draws,
    Resampled,
    draw_counts,
    generator,
    interval,
    no_check,
    resample_means,
    resample_pairs,
)
from worker.statistics.degenerate import degenerate_share
from worker.statistics.describe import MIN_IMAGES, describe, histogram
from worker.statistics.missing import MOST_MISSING, known_mean, missing_share, number_or_none
from worker.statistics.ranges import UNIT, Range

Tree = dict[str, Any]
SECONDARY_STATISTICS = ("pearson", "mse", "iou20", "entropy_change", "probability_change", "probability")


@dataclass(frozen=True)
class CohortValues:
    """A cohort's values for n images: columns of each run, (n, K, C), and columns across the runs, (n, D).

    `parts` has the parts of each measure of single runs, `across_parts` the parts of each measure across runs.
    `bounds` has the bounds of columns that are not similarities. `check` is called between steps, and may raise.
    """

    name: str
    run_columns: Sequence[str]
    runs: Array
    across_columns: Sequence[str]
    across: Array
    labels: Sequence[str | None]
    parts: Mapping[str, Sequence[str]]
    draws: Draws
    check: Check = no_check
    across_parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bounds: Mapping[str, Range] = field(default_factory=dict)

    @cached_property
    def paired_columns(self) -> list[str]:
        """The columns across runs that also have a value for each pair of runs."""
        return [column for name, parts in self.across_parts.items() for column in (name, *_part_columns(name, parts))]

    def column(self, name: str) -> Array:
        """Return one column for all runs, (n, K)."""
        return self.runs[:, :, self.run_columns.index(name)]

    def across_column(self, name: str) -> Array:
        """Return one column across the runs, (n,)."""
        return self.across[:, self.across_columns.index(name)]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of runs."""
        return list(combinations(range(self.runs.shape[1]), 2))

    def pair_values(self, name: str, run: int | None = None) -> Array:
        """Return one of `paired_columns` for each pair of runs, or for each pair that contains `run`, (n, P)."""
        pairs = [pair for pair in self.pairs if run is None or run in pair]
        return np.stack([self.across_column(f"{name}.pair.{i}.{j}") for i, j in pairs], axis=1)

    @cached_property
    def run_weights(self) -> Array:
        """How often each resample draws each run, (R, K)."""
        return draw_counts(generator(self.draws.runs, self.draws.seed), RESAMPLES, self.runs.shape[1])

    @cached_property
    def pair_weights(self) -> Array:
        """The product of how often each resample draws the two runs of a pair, (R, P)."""
        return np.stack([self.run_weights[:, i] * self.run_weights[:, j] for i, j in self.pairs], axis=1)

    @cached_property
    def resampled(self) -> Resampled:
        """The resampled means of all columns of single runs over all images."""
        return resample_means(self.runs, np.ones(self.runs.shape[:2]), self.draws, self.check)

    def resampled_column(self, name: str) -> Array:
        """Return resampled cohort means, (R,), of a column of single runs or across runs."""
        if name in self.across_columns:
            return self.resample_across(name, np.arange(len(self.across)))
        return self.resampled.whole[:, self.run_columns.index(name)]

    def resample_across(self, name: str, images: Any) -> Array:
        """Return resampled means, (R,), of one of `paired_columns` over pairs of runs and the selected images."""
        values = self.pair_values(name)[images]
        return resample_pairs(values, self.pairs, self.runs.shape[1], self.draws, self.check)


def summarise_cohort(cohort: CohortValues) -> Tree:
    """Return the measures of the cohort and of each run, and by class and correctness if there are labels."""
    measures = _measures(cohort, cohort.runs, cohort.resampled.whole)
    for name in measures:
        if cohort.bounds.get(name) == UNIT:
            measures[name]["histogram"] = histogram(cohort.column(name))
    measures |= {name: _across(cohort, name, parts) for name, parts in cohort.across_parts.items()}
    runs = [_run(cohort, number) for number in range(cohort.runs.shape[1])]
    correct = cohort.column("correct")
    accuracy = {"accuracy": _accuracy(correct), "accuracy_ci95": _accuracy_interval(cohort, correct)}
    degenerate = degenerate_share(cohort.column("degenerate"))
    return {**accuracy, "degenerate": degenerate, "measures": measures, "runs": runs, "strata": _strata(cohort)}


def _run(cohort: CohortValues, number: int) -> Tree:
    measures = _measures(cohort, cohort.runs[:, number], cohort.resampled.runs[:, number])
    measures |= {name: _across_of_run(cohort, name, number) for name in cohort.across_parts}
    correct = cohort.column("correct")[:, number]
    degenerate = degenerate_share(cohort.column("degenerate")[:, number])
    return {"accuracy": _accuracy(correct), "degenerate": degenerate, "measures": measures}


def _measures(cohort: CohortValues, values: Array, resampled: Array) -> Tree:
    """Return statistics of the measures of single runs.

    `values` is (n, K, C) for a cohort or (n, C) for one run, `resampled` has the means (R, C). For a cohort,
    the secondary statistics have intervals too.
    """

    def data(column: str) -> Tree:
        index = cohort.run_columns.index(column)
        return describe(values[..., index], resampled[:, index])

    def secondary(prefix: str) -> Tree:
        found = {kind: f"{prefix}.{kind}" for kind in SECONDARY_STATISTICS if f"{prefix}.{kind}" in cohort.run_columns}
        indices = {kind: cohort.run_columns.index(name) for kind, name in found.items()}
        means = {kind: number_or_none(known_mean(values[..., index])) for kind, index in indices.items()}
        if values.ndim < 3 or len(values) < MIN_IMAGES:
            return means
        enough = {kind: missing_share(values[..., index]) <= MOST_MISSING for kind, index in indices.items()}
        return means | {
            f"{kind}_ci95": interval(resampled[:, index]) if enough[kind] else None for kind, index in indices.items()
        }

    tree = {}
    for measure, parts in cohort.parts.items():
        tree[measure] = data(measure) | secondary(measure)
        tree[measure]["parts"] = {
            part: data(headline_of(cohort, measure, part)) | secondary(f"{measure}.{part}") for part in parts
        }
    return tree


def headline_of(cohort: CohortValues, measure: str, part: str) -> str:
    """Return the column that has the headline number of a part."""
    plain = f"{measure}.{part}"
    return plain if plain in cohort.run_columns else f"{plain}.ssim"


def _part_columns(measure: str, parts: Sequence[str]) -> list[str]:
    return [f"{measure}.{part}" for part in parts]


def _across(cohort: CohortValues, measure: str, parts: Sequence[str]) -> Tree:
    """Return a measure across runs with its parts and the matrix of all pairs of runs."""
    everything = np.arange(len(cohort.across))

    def data(name: str) -> Tree:
        missing = missing_share(cohort.pair_values(name))
        found = describe(cohort.across_column(name), cohort.resample_across(name, everything), missing=missing)
        columns = {kind: f"{name}.{kind}" for kind in SECONDARY_STATISTICS}
        secondary = {
            kind: known_mean(cohort.across_column(column))
            for kind, column in columns.items()
            if column in cohort.across_columns
        }
        return found | {kind: number_or_none(mean) for kind, mean in secondary.items()}

    found = {part: data(f"{measure}.{part}") for part in parts}
    return data(measure) | {"parts": {**found, "matrix": _matrix(cohort, measure)}}


def _matrix(cohort: CohortValues, measure: str) -> list[list[float | None]]:
    """Return the mean similarity of each two runs; None, even of a run and itself, if all its maps are degenerate."""
    matrix = np.diag(np.where(cohort.column("degenerate").all(0), np.nan, 1.0))
    for i, j in cohort.pairs:
        matrix[i, j] = matrix[j, i] = known_mean(cohort.across_column(f"{measure}.pair.{i}.{j}"))
    return [[number_or_none(value) for value in row] for row in matrix]


def _across_of_run(cohort: CohortValues, measure: str, number: int) -> Tree:
    """Return statistics of a run's mean similarity to the other runs."""
    pairs = cohort.pair_values(measure, number)
    values = known_mean(pairs, 1)[:, None, None]
    means = resample_means(values, np.ones(values.shape[:2]), replace(cohort.draws, runs="one"), cohort.check)
    return describe(values, means.whole[:, 0], missing=missing_share(pairs))


def _strata(cohort: CohortValues) -> Tree:
    tree: Tree = {}
    for kind, name, used, whole in strata_of(cohort):
        tree.setdefault(kind, {})[name] = _stratum(cohort, used, whole)
    return tree


def strata_of(cohort: CohortValues) -> Iterator[tuple[str, str, Array, Any]]:
    """Yield each stratum's kind and name, its values as a mask (n, K), and its images for numbers across runs, (n,)."""
    everything, correct = np.ones(cohort.runs.shape[:2]), cohort.column("correct")
    for name in sorted({label for label in cohort.labels if label is not None}):
        rows = np.array([label == name for label in cohort.labels])
        yield "class", name, everything * rows[:, None], rows
    if any(label is not None for label in cohort.labels):
        yield "correct", "true", (correct == 1).astype(float), (correct == 1).all(1)
        yield "correct", "false", (correct == 0).astype(float), (correct == 0).any(1)


def _stratum(cohort: CohortValues, used: Array, whole: Any) -> Tree:
    """Return headlines over the values `used` (n, K); for measures across runs, over the images `whole` (n,)."""
    names = list(cohort.parts)
    indices = [cohort.run_columns.index(name) for name in names]
    some = used.any(1)
    values, counting = cohort.runs[:, :, indices][some], used[some]
    empty = np.full((1, len(names)), np.nan)
    resampled = empty
    if some.any():
        resampled = resample_means(values, counting, cohort.draws, cohort.check).whole
    tree = {name: describe(values[:, :, n], resampled[:, n], counting) for n, name in enumerate(names)}
    for name in cohort.across_parts:
        means = cohort.resample_across(name, whole) if whole.any() else empty[0]
        missing = missing_share(cohort.pair_values(name)[whole])
        tree[name] = describe(cohort.across_column(name)[whole], means, missing=missing)
    return tree | {"degenerate": degenerate_share(cohort.column("degenerate"), used)}


def _accuracy_interval(cohort: CohortValues, correct: Array) -> list[float] | None:
    labelled = ~np.isnan(correct).any(1)
    if labelled.sum() < MIN_IMAGES:
        return None
    if labelled.all():
        return interval(cohort.resampled_column("correct"))
    some = correct[labelled][:, :, None]
    return interval(resample_means(some, np.ones(some.shape[:2]), cohort.draws, cohort.check).whole[:, 0])


def _accuracy(correct: Array) -> float | None:
    known = correct[~np.isnan(correct)]
    return float(known.mean()) if len(known) else None
