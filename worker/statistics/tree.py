"""Builds the tree of a cohort's results: the name and the place of every number, by measure, run and stratum.

It does not know how a number or its interval is computed: an `Estimate` does. The same tree therefore has the final
results and the interim results, and a gate finds numbers by the same names. Each branch is computed when it is first
read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from worker.statistics.cohort import CohortValues, Selection, Stratum, strata_of
from worker.statistics.degenerate import degenerate_share
from worker.statistics.describe import histogram
from worker.statistics.missing import known_mean, number_or_none
from worker.statistics.pairing import Pairing, headline_of
from worker.statistics.performance_tree import stratum_performance
from worker.statistics.ranges import UNIT

Tree = Mapping[str, Any]
SECONDARY_STATISTICS = (
    "pearson", "mse", "iou20", "entropy_change", "probability_change", "flipped", "probability"
)  # fmt: skip
CHANCE_STATISTICS = ("chance", "corrected")


class Estimate(Protocol):
    """Computes numbers and their intervals."""

    def column(self, some: Selection, name: str) -> Tree:
        """Return the statistics of a per-run column."""

    def secondary(self, some: Selection, name: str, key: str) -> Tree:
        """Return the mean of a per-run column as `KEY`, and its interval as `KEY_ci95`."""

    def across(self, some: Selection, name: str) -> Tree:
        """Return the statistics of a column across runs."""

    def chance(self, some: Selection, name: str) -> Tree:
        """Return what unrelated images have by chance in a column of similarities, and the number corrected for it."""

    def difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        """Return the mean difference of two cohorts, the first minus the second."""


class LazyTree(Mapping[str, Any]):
    """A tree that computes each branch once, when it is first read."""

    def __init__(self, branches: Mapping[str, Callable[[], Any]]) -> None:
        self._branches, self._computed = branches, dict[str, Any]()

    def __getitem__(self, key: str) -> Any:
        if key not in self._computed:
            self._computed[key] = self._branches[key]()
        return self._computed[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._branches)

    def __len__(self) -> int:
        return len(self._branches)


def join(*trees: Tree) -> Tree:
    """Return one tree with the branches of several trees. No branch is computed yet."""
    return LazyTree({key: partial(tree.__getitem__, key) for tree in trees for key in tree})


def materialise(tree: Any) -> Any:
    """Return a tree as plain dicts and lists, with every branch computed."""
    if isinstance(tree, Mapping):
        return {key: materialise(branch) for key, branch in tree.items()}
    return [materialise(each) for each in tree] if isinstance(tree, list) else tree


def build(cohort: CohortValues, estimate: Estimate) -> Tree:
    """Return the numbers of the cohort, of each run and of each stratum."""
    return _Builder(estimate).cohort(cohort)


class _Builder:
    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate

    def cohort(self, cohort: CohortValues) -> Tree:
        everything = Selection(cohort)
        own = {
            "measures": self._measures(everything),
            "runs": [self._run(cohort, run) for run in range(cohort.runs.shape[1])],
            "strata": self._strata(cohort),
        }
        return join(self._shares(everything), own, _performance(cohort, lambda: cohort.performance.cohort))

    def _run(self, cohort: CohortValues, number: int) -> Tree:
        some = Selection(cohort, number)
        single = {name: partial(self._measure, some, name) for name in some.cohort.parts}
        across = {name: partial(self._headline_across, some, name) for name in some.cohort.across_parts}
        found = _performance(some.cohort, lambda: some.cohort.performance.runs[number])
        return join(self._shares(some), {"measures": LazyTree({**single, **across})}, found)

    def _shares(self, some: Selection) -> Tree:
        accuracy = self._estimate.secondary(some, "correct", "accuracy")
        return join(accuracy, {"degenerate": degenerate_share(*some.column("degenerate"))})

    def _measures(self, some: Selection) -> Tree:
        cohort = some.cohort
        single = {name: partial(self._with_histogram, some, name) for name in cohort.parts}
        across = {name: partial(self._across, some, name, parts) for name, parts in cohort.across_parts.items()}
        return LazyTree({**single, **across})

    def _with_histogram(self, some: Selection, name: str) -> Tree:
        measure = self._measure(some, name)
        if some.cohort.bounds.get(name) != UNIT:
            return measure
        return join(measure, LazyTree({"histogram": lambda: histogram(some.cohort.column(name))}))

    def _measure(self, some: Selection, name: str) -> Tree:
        """Return a per-run measure, its secondary statistics and its parts."""
        parts = {
            part: partial(self._number, some, headline_of(some.cohort, name, part), f"{name}.{part}")
            for part in some.cohort.parts[name]
        }
        return join(self._number(some, name, name), {"parts": LazyTree(parts)})

    def _number(self, some: Selection, column: str, prefix: str) -> Tree:
        """Return a column's number with its secondary statistics, whose columns begin with `prefix`."""
        secondary = [
            self._estimate.secondary(some, f"{prefix}.{kind}", kind)
            for kind in SECONDARY_STATISTICS
            if f"{prefix}.{kind}" in some.cohort.run_columns
        ]
        return join(self._headline(some, column), *secondary)

    def _headline(self, some: Selection, column: str) -> Tree:
        """Return a column's number, beside what unrelated images have by chance if it is a similarity."""
        return join(self._estimate.column(some, column), self._chance(some, column))

    def _headline_across(self, some: Selection, column: str) -> Tree:
        """Return the number of a column across runs, beside what unrelated images have by chance."""
        return join(self._estimate.across(some, column), self._chance(some, column))

    def _chance(self, some: Selection, column: str) -> Tree:
        return self._estimate.chance(some, column) if column in some.cohort.similarities else {}

    def _across(self, some: Selection, name: str, parts: Sequence[str]) -> Tree:
        """Return a measure across runs with its parts and the matrix of all pairs of runs."""
        found = {part: partial(self._number_across, some, f"{name}.{part}") for part in parts}
        tree = LazyTree({**found, "matrix": partial(_matrix, some.cohort, name)})
        return join(self._number_across(some, name), {"parts": tree})

    def _number_across(self, some: Selection, name: str) -> Tree:
        """Return a number across runs with its secondary statistics, which have no intervals."""
        columns = {kind: f"{name}.{kind}" for kind in SECONDARY_STATISTICS}
        secondary = {
            kind: number_or_none(known_mean(some.cohort.across_column(column)))
            for kind, column in columns.items()
            if column in some.cohort.across_columns
        }
        return join(self._headline_across(some, name), secondary)

    def _strata(self, cohort: CohortValues) -> Tree:
        strata: dict[str, dict[str, Callable[[], Tree]]] = {}
        for each in strata_of(cohort):
            strata.setdefault(each.kind, {})[each.name] = partial(self._stratum, each)
        return {kind: LazyTree(members) for kind, members in strata.items()}

    def _stratum(self, stratum: Stratum) -> Tree:
        """Return the headline of every measure, without parts."""
        cohort, some = stratum.cohort, Selection(stratum.cohort, stratum=stratum)
        single = {name: partial(self._headline, some, name) for name in cohort.parts}
        across = {name: partial(self._headline_across, some, name) for name in cohort.across_parts}
        degenerate = degenerate_share(*some.column("degenerate"))
        own = _performance(cohort if stratum.kind != "correct" else None, lambda: _stratum_performance(stratum))
        return join(LazyTree({**single, **across}), {"degenerate": degenerate}, own)


def _performance(cohort: CohortValues | None, compute: Callable[[], Tree]) -> Tree:
    """Return the branch of detection performance, empty for strata without it and for cohorts without predictions."""
    return LazyTree({"performance": compute} if cohort and cohort.predictions else {})


def _stratum_performance(stratum: Stratum) -> Tree:
    cohort = stratum.cohort
    assert cohort.predictions is not None, "performance is computed only from predictions"
    return stratum_performance(cohort.predictions, stratum.whole, cohort.draws, cohort.check)


def _matrix(cohort: CohortValues, measure: str) -> list[list[float | None]]:
    """Return the mean similarity of each pair of runs and of each run with itself; None if all maps are degenerate."""
    matrix = np.diag(np.where(cohort.column("degenerate").all(0), np.nan, 1.0))
    for i, j in cohort.pairs:
        matrix[i, j] = matrix[j, i] = known_mean(cohort.across_column(f"{measure}.pair.{i}.{j}"))
    return [[number_or_none(value) for value in row] for row in matrix]
