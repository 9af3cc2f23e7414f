"""Builds the interim results of a job: the numbers of the images audited so far, with intervals valid at every look.

Pure: arrays in, plain values out. The tree has the same shape as the final results, for all numbers that have means, so
that a gate finds numbers by the same names. Each number is computed when it is first read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import SECONDARY_STATISTICS, CohortValues, headline_of, strata_of
from worker.statistics.degenerate import degenerate_share
from worker.statistics.differences import Pairing, pairings
from worker.statistics.interim_estimate import NO_VARIATION, InterimEstimate, Sample, run_deviations
from worker.statistics.missing import known_mean, missing_share
from worker.statistics.ranges import range_of, range_of_difference

Tree = Mapping[str, Any]
Branches = Mapping[str, Callable[[], Any]]


class LazyTree(Mapping[str, Any]):
    """A tree that computes each branch once, when it is first read."""

    def __init__(self, branches: Branches) -> None:
        self._branches, self._computed = branches, dict[str, Any]()

    def __getitem__(self, key: str) -> Any:
        if key not in self._computed:
            self._computed[key] = self._branches[key]()
        return self._computed[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._branches)

    def __len__(self) -> int:
        return len(self._branches)


def interim_results(cohorts: Sequence[CohortValues], look: InterimEstimate, extra_paths: Sequence[str] = ()) -> Tree:
    """Return the cohorts by name, and the differences of every pair, including those of `extra_paths`."""
    return {
        "cohorts": {cohort.name: _cohort(_CohortView(cohort, look)) for cohort in cohorts},
        "differences": [each for a, b in combinations(cohorts, 2) for each in _differences(a, b, look, extra_paths)],
    }


def with_intervals(document: Any, tree: Any) -> Any:
    """Return a results document with its intervals replaced by those of a tree of the same shape."""
    if isinstance(document, list) and isinstance(tree, list):
        return [with_intervals(*each) for each in zip(document, tree, strict=True)]
    if not isinstance(document, dict) or not isinstance(tree, Mapping):
        return document
    return {
        key: tree[key] if key.endswith("ci95") and key in tree else with_intervals(value, tree.get(key))
        for key, value in document.items()
    }


@dataclass(frozen=True)
class _CohortView:
    """A cohort under one `run`, or all if None; `counting` (n, K) is above 0 for values that count, None for all."""

    cohort: CohortValues
    look: InterimEstimate
    run: int | None = None
    counting: Array | None = None

    def column(self, name: str) -> Tree:
        """Return the number of a column."""
        self.cohort.check()
        values = self._of_runs(name)
        counting = self._counting(values)
        used = (counting & ~np.isnan(values)).astype(float)
        deviations = run_deviations(values, used, self.cohort.run_weights) if self.run is None else NO_VARIATION
        # Correctness does not count as missing for an image without a label.
        missing = 0.0 if name == "correct" else missing_share(values[counting])
        return self.look.number(Sample(values, used, range_of(name, self.cohort.bounds), deviations, missing))

    def degenerate(self) -> Tree:
        """Return the share of degenerate maps, with the same Wilson interval as in the final results."""
        values = self._of_runs("degenerate")
        return degenerate_share(values, self._counting(values))

    def _of_runs(self, name: str) -> Array:
        """Return a column for the selected runs, (n, K)."""
        values = self.cohort.column(name)
        return values if self.run is None else values[:, [self.run]]

    def _counting(self, values: Array) -> Any:
        """Return a mask (n, K) of the values that belong to the stratum."""
        if self.counting is None:
            return np.ones(values.shape, bool)
        return np.broadcast_to(self.counting > 0, values.shape)

    def across(self, name: str) -> Tree:
        """Return the number across all pairs of runs, or across the pairs of one run with the others."""
        self.cohort.check()
        pairs = self.cohort.pair_values(name, self.run)
        counting = self._counting(pairs)
        known = (counting & ~np.isnan(pairs)).astype(float)
        deviations = run_deviations(pairs, known, self.cohort.pair_weights) if self.run is None else NO_VARIATION
        values, used = known_mean(pairs, 1)[:, None], known.any(1, keepdims=True).astype(float)
        return self.look.number(
            Sample(values, used, range_of(name, self.cohort.bounds), deviations, missing_share(pairs[counting]))
        )


def _cohort(view: _CohortView) -> Tree:
    cohort, look = view.cohort, view.look
    return LazyTree({
        **_of_runs(view),
        "runs": lambda: [LazyTree(_of_runs(_CohortView(cohort, look, run))) for run in range(cohort.runs.shape[1])],
        "strata": lambda: _strata(cohort, look),
    })  # fmt: skip


def _of_runs(view: _CohortView) -> Branches:
    return {
        **_named("accuracy", lambda: view.column("correct")),
        "degenerate": view.degenerate,
        "measures": lambda: _measures(view),
    }


def _measures(view: _CohortView) -> Tree:
    """Return every measure with its parts."""
    cohort = view.cohort
    branches: dict[str, Callable[[], Any]] = {}
    for measure, parts in cohort.parts.items():
        own = {part: partial(_part, view, headline_of(cohort, measure, part), f"{measure}.{part}") for part in parts}
        branches[measure] = partial(_part, view, measure, measure, LazyTree(own))
    for name, parts in cohort.across_parts.items():
        branches[name] = partial(_across, view, name, parts)
    return LazyTree(branches)


def _across(view: _CohortView, measure: str, parts: Sequence[str]) -> Tree:
    """Return a measure across runs with its parts; the matrix of pairs is left out because it has no intervals."""
    own = {part: partial(LazyTree, _leaf(partial(view.across, f"{measure}.{part}"))) for part in parts}
    return LazyTree({**_leaf(partial(view.across, measure)), "parts": lambda: LazyTree(own)})


def _part(view: _CohortView, column: str, prefix: str, parts: Tree | None = None) -> Tree:
    """Return a column's number, its secondary statistics, and its parts."""
    branches = dict(_leaf(partial(view.column, column)))
    for kind in SECONDARY_STATISTICS:
        if f"{prefix}.{kind}" in view.cohort.run_columns:
            branches |= _named(kind, partial(view.column, f"{prefix}.{kind}"))
    return LazyTree(branches if parts is None else {**branches, "parts": lambda: parts})


def _leaf(number: Callable[[], Tree]) -> Branches:
    """Return the branches `mean`, `ci95` and `n` of one number."""
    once = cache(number)
    return {key: partial(_get, once, key) for key in ("mean", "ci95", "n")}


def _named(name: str, number: Callable[[], Tree]) -> Branches:
    """Return the branches `NAME` and `NAME_ci95` of one number."""
    once = cache(number)
    return {name: partial(_get, once, "mean"), f"{name}_ci95": partial(_get, once, "ci95")}


def _get(number: Callable[[], Tree], key: str) -> Any:
    return number()[key]


def _strata(cohort: CohortValues, look: InterimEstimate) -> Tree:
    strata: dict[str, dict[str, Callable[[], Any]]] = {}
    for kind, name, used, whole in strata_of(cohort):
        counting = partial(_stratum, cohort, look, used, whole)
        strata.setdefault(kind, {})[name] = counting
    return LazyTree({kind: partial(LazyTree, members) for kind, members in strata.items()})


def _stratum(cohort: CohortValues, look: InterimEstimate, used: Array, whole: Array) -> Tree:
    """Return headlines over the values `used` (n, K); for measures across runs, over the images `whole` (n,)."""
    some = _CohortView(cohort, look, counting=used)
    branches: dict[str, Callable[[], Any]] = {
        measure: partial(LazyTree, _leaf(partial(some.column, measure))) for measure in cohort.parts
    }
    branches["degenerate"] = some.degenerate
    images = _CohortView(cohort, look, counting=whole[:, None].astype(float))
    for name in cohort.across_parts:
        branches[name] = partial(LazyTree, _leaf(partial(images.across, name)))
    return LazyTree(branches)


def _differences(a: CohortValues, b: CohortValues, look: InterimEstimate, extra_paths: Sequence[str]) -> Iterator[Tree]:
    for each in pairings(a, b, extra_paths):
        names = {key: partial(str, name) for key, name in (("a", a.name), ("b", b.name), ("measure", each.name))}
        yield LazyTree({**names, **_leaf(partial(_difference, (a, b), each, look))})


def _difference(cohorts: tuple[CohortValues, CohortValues], pairing: Pairing, look: InterimEstimate) -> Tree:
    """Return the mean of a - b, paired by image, with its interval."""
    ours, theirs = (_deviations(cohort, pairing) for cohort in cohorts)
    paired = (pairing.ours - pairing.theirs)[:, None]
    within = range_of_difference(pairing.column, cohorts[0].bounds)
    return look.number(Sample(paired, pairing.rows[:, None].astype(float), within, ours - theirs, pairing.missing))


def _deviations(cohort: CohortValues, pairing: Pairing) -> Array:
    if pairing.column in cohort.paired_columns:
        values, weights = cohort.pair_values(pairing.column), cohort.pair_weights
    else:
        values, weights = cohort.column(pairing.column), cohort.run_weights
    return run_deviations(values, (pairing.rows[:, None] & ~np.isnan(values)).astype(float), weights)
