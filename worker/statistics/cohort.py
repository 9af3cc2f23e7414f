"""Holds one cohort's values, and selects those of a run or of a stratum. Pure: arrays in, arrays out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import (
    Array,
    Check,
    Draws,
    Resampled,
    no_check,
    resample_means,
)
from worker.statistics.missing import known_mean
from worker.statistics.performance import Predictions
from worker.statistics.performance_tree import Performance, whole_performance
from worker.statistics.ranges import Range


@dataclass(frozen=True)
class CohortValues:
    """A cohort's values for n images: per-run columns, (n, K, C), and columns across the runs, (n, D).

    `parts` has the parts of each measure of single runs, `across_parts` the parts of each measure across runs.
    `bounds` has the bounds of columns that are not similarities. `check` is called between steps, and may raise.
    `groups` has each image's value, or None, in every group column. `predictions` are those of all images.
    `similarities` names the columns whose numbers stand beside what unrelated images have by chance, and `partners`
    (n,) has the row of the unrelated image of each image, -1 if there is none.
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
    groups: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    predictions: Predictions | None = None
    similarities: Collection[str] = ()
    partners: NDArray[np.int64] | None = None

    @cached_property
    def paired_columns(self) -> list[str]:
        """The columns across runs that also have a value for each pair of runs."""
        return [
            column
            for name, parts in self.across_parts.items()
            for column in (name, *(f"{name}.{part}" for part in parts))
        ]

    def column(self, name: str) -> Array:
        """Return one per-run column, (n, K)."""
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
    def resampled(self) -> Resampled:
        """The bootstrap's resampled means over all images, of every per-run column."""
        return resample_means(self.runs, np.ones(self.runs.shape[:2]), self.draws, self.check)

    @cached_property
    def performance(self) -> Performance:
        """The detection performance over all labelled images, of the cohort and of each run."""
        assert self.predictions is not None, "performance is computed only from predictions"
        return whole_performance(self.predictions, self.draws, self.check)


@dataclass(frozen=True)
class Stratum:
    """A part of a cohort's values: of one label, of one value of a group column, or of correct or wrong predictions.

    `used` (n, K) is 1 for values that belong to the stratum and 0 for others; `whole` (n,) is true for images whose
    numbers across runs belong to it.
    """

    cohort: CohortValues
    kind: str
    name: str
    used: Array
    whole: Any

    @cached_property
    def resampled(self) -> Mapping[str, Array]:
        """The resampled means, (R,), of the headline of each per-run measure."""
        names, rows = list(self.cohort.parts), self.used.any(1)
        if not rows.any():
            return dict.fromkeys(names, np.full(1, np.nan))
        indices = [self.cohort.run_columns.index(name) for name in names]
        values = self.cohort.runs[:, :, indices][rows]
        means = resample_means(values, self.used[rows], self.cohort.draws, self.cohort.check).whole
        return {name: means[:, index] for index, name in enumerate(names)}


def strata_of(cohort: CohortValues) -> Iterator[Stratum]:
    """Yield a stratum for each label and each value of a group column, and for correct and wrong predictions.

    Without labels, predictions are neither correct nor wrong.
    """
    everything, correct = np.ones(cohort.runs.shape[:2]), cohort.column("correct")
    for kind, values in {"class": cohort.labels, **cohort.groups}.items():
        for name in sorted({value for value in values if value is not None}):
            rows = np.array([value == name for value in values])
            yield Stratum(cohort, kind, name, everything * rows[:, None], rows)
    if any(label is not None for label in cohort.labels):
        yield Stratum(cohort, "correct", "true", (correct == 1).astype(float), (correct == 1).all(1))
        yield Stratum(cohort, "correct", "false", (correct == 0).astype(float), (correct == 0).any(1))


@dataclass(frozen=True)
class Selection:
    """Some of a cohort's values: under all runs or one `run`, of all images or of a `stratum`."""

    cohort: CohortValues
    run: int | None = None
    stratum: Stratum | None = None

    def column(self, name: str) -> tuple[Array, Any]:
        """Return a per-run column, (n, K), and a mask of the values that belong to the selection.

        In the column `correct`, images without a label have no value and do not belong to the selection.
        """
        values = self.cohort.column(name)
        values = values if self.run is None else values[:, [self.run]]
        if name == "correct":
            return values, ~np.isnan(values)
        return values, np.ones(values.shape, bool) if self.stratum is None else self.stratum.used > 0

    def pairs(self, name: str) -> tuple[Array, Any]:
        """Return one of `paired_columns` for each pair of runs, (n, P), and a mask of the selected images, (n,).

        If the selection has one run, the pairs are those of this run with each other run.
        """
        values = self.cohort.pair_values(name, self.run)
        return values, np.ones(len(values), bool) if self.stratum is None else self.stratum.whole

    def across(self, name: str) -> Array:
        """Return one of `paired_columns` as the mean over the selection's pairs of runs for each image, (n,)."""
        if self.run is None:
            return self.cohort.across_column(name)
        return np.asarray(known_mean(self.cohort.pair_values(name, self.run), 1))
