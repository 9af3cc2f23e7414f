"""The numbers of some of a job's images, with intervals that may be looked at while more come in.

Pure: arrays in, plain values out. The tree has the shape of the results, as far as numbers have means, so that a gate
finds its numbers by the same names; each is computed when it is asked for.
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
Growing = Mapping[str, Callable[[], Any]]


class LazyTree(Mapping[str, Any]):
    """A tree whose branches are grown when somebody asks for them, once."""

    def __init__(self, growing: Growing) -> None:
        self._growing, self._grown = growing, dict[str, Any]()

    def __getitem__(self, key: str) -> Any:
        if key not in self._grown:
            self._grown[key] = self._growing[key]()
        return self._grown[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._growing)

    def __len__(self) -> int:
        return len(self._growing)


def interim_results(cohorts: Sequence[CohortValues], look: InterimEstimate, extra_paths: Sequence[str] = ()) -> Tree:
    """Cohorts by name, and the differences of each two, also those asked for beside what results have."""
    return {
        "cohorts": {cohort.name: _cohort(_CohortView(cohort, look)) for cohort in cohorts},
        "differences": [each for a, b in combinations(cohorts, 2) for each in _differences(a, b, look, extra_paths)],
    }


def with_intervals(document: Any, tree: Any) -> Any:
    """A document of results with the intervals that a tree of the same shape has in their places."""
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
    """A cohort under some of its runs, all if None, as far as values (n, K) count."""

    cohort: CohortValues
    look: InterimEstimate
    run: int | None = None
    counting: Array | None = None

    def column(self, name: str) -> Tree:
        """The number that a column gives."""
        self.cohort.check()
        values = self._of_runs(name)
        counting = self._counting(values)
        used = (counting & ~np.isnan(values)).astype(float)
        stray = run_deviations(values, used, self.cohort.run_weights) if self.run is None else NO_VARIATION
        # An image without a label lacks no correctness.
        missing = 0.0 if name == "correct" else missing_share(values[counting])
        return self.look.number(Sample(values, used, range_of(name, self.cohort.bounds), stray, missing))

    def degenerate(self) -> Tree:
        """The share of degenerate maps, with the results' own interval, which is of so many maps and not of looks."""
        values = self._of_runs("degenerate")
        return degenerate_share(values, self._counting(values))

    def _of_runs(self, name: str) -> Array:
        """A column under the runs, (n, K)."""
        values = self.cohort.column(name)
        return values if self.run is None else values[:, [self.run]]

    def _counting(self, values: Array) -> Any:
        """Which of some values (n, K) count, as far as strata go."""
        if self.counting is None:
            return np.ones(values.shape, bool)
        return np.broadcast_to(self.counting > 0, values.shape)

    def across(self, name: str) -> Tree:
        """The number across the runs, or of one run with all others, where all runs count."""
        self.cohort.check()
        pairs = self.cohort.pair_values(name, self.run)
        counting = self._counting(pairs)
        there = (counting & ~np.isnan(pairs)).astype(float)
        stray = run_deviations(pairs, there, self.cohort.pair_weights) if self.run is None else NO_VARIATION
        values, used = known_mean(pairs, 1)[:, None], there.any(1, keepdims=True).astype(float)
        return self.look.number(
            Sample(values, used, range_of(name, self.cohort.bounds), stray, missing_share(pairs[counting]))
        )


def _cohort(view: _CohortView) -> Tree:
    cohort, look = view.cohort, view.look
    return LazyTree({
        **_of_runs(view),
        "runs": lambda: [LazyTree(_of_runs(_CohortView(cohort, look, run))) for run in range(cohort.runs.shape[1])],
        "strata": lambda: _strata(cohort, look),
    })  # fmt: skip


def _of_runs(view: _CohortView) -> Growing:
    return {
        **_named("accuracy", lambda: view.column("correct")),
        "degenerate": view.degenerate,
        "measures": lambda: _measures(view),
    }


def _measures(view: _CohortView) -> Tree:
    """Return every measure with its parts."""
    cohort = view.cohort
    growing: dict[str, Callable[[], Any]] = {}
    for measure, parts in cohort.parts.items():
        own = {part: partial(_part, view, headline_of(cohort, measure, part), f"{measure}.{part}") for part in parts}
        growing[measure] = partial(_part, view, measure, measure, LazyTree(own))
    for name, parts in cohort.across_parts.items():
        growing[name] = partial(_across, view, name, parts)
    return LazyTree(growing)


def _across(view: _CohortView, measure: str, parts: Sequence[str]) -> Tree:
    """Return a measure across runs with its parts, without the matrix of pairs of runs, which has no intervals."""
    own = {part: partial(LazyTree, _leaf(partial(view.across, f"{measure}.{part}"))) for part in parts}
    return LazyTree({**_leaf(partial(view.across, measure)), "parts": lambda: LazyTree(own)})


def _part(view: _CohortView, column: str, prefix: str, parts: Tree | None = None) -> Tree:
    """A column's number, those that the results tell beside it, and its parts."""
    growing = dict(_leaf(partial(view.column, column)))
    for kind in SECONDARY_STATISTICS:
        if f"{prefix}.{kind}" in view.cohort.run_columns:
            growing |= _named(kind, partial(view.column, f"{prefix}.{kind}"))
    return LazyTree(growing if parts is None else {**growing, "parts": lambda: parts})


def _leaf(number: Callable[[], Tree]) -> Growing:
    """`mean`, `ci95` and `n` of one number."""
    once = cache(number)
    return {key: partial(_get, once, key) for key in ("mean", "ci95", "n")}


def _named(name: str, number: Callable[[], Tree]) -> Growing:
    """A number under its own name, and its interval beside it."""
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
    """Headlines over the values used, (n, K); measures across runs over the images (n,) that count as a whole."""
    some = _CohortView(cohort, look, counting=used)
    growing: dict[str, Callable[[], Any]] = {
        measure: partial(LazyTree, _leaf(partial(some.column, measure))) for measure in cohort.parts
    }
    growing["degenerate"] = some.degenerate
    images = _CohortView(cohort, look, counting=whole[:, None].astype(float))
    for name in cohort.across_parts:
        growing[name] = partial(LazyTree, _leaf(partial(images.across, name)))
    return LazyTree(growing)


def _differences(a: CohortValues, b: CohortValues, look: InterimEstimate, extra_paths: Sequence[str]) -> Iterator[Tree]:
    for each in pairings(a, b, extra_paths):
        names = {key: partial(str, name) for key, name in (("a", a.name), ("b", b.name), ("measure", each.name))}
        yield LazyTree({**names, **_leaf(partial(_difference, (a, b), each, look))})


def _difference(cohorts: tuple[CohortValues, CohortValues], pairing: Pairing, look: InterimEstimate) -> Tree:
    """The mean of a less that of b, paired by image."""
    ours, theirs = (_strays_of(cohort, pairing) for cohort in cohorts)
    paired = (pairing.ours - pairing.theirs)[:, None]
    within = range_of_difference(pairing.column, cohorts[0].bounds)
    return look.number(Sample(paired, pairing.rows[:, None].astype(float), within, ours - theirs, pairing.missing))


def _strays_of(cohort: CohortValues, pairing: Pairing) -> Array:
    if pairing.column in cohort.paired_columns:
        values, weights = cohort.pair_values(pairing.column), cohort.pair_weights
    else:
        values, weights = cohort.column(pairing.column), cohort.run_weights
    return run_deviations(values, (pairing.rows[:, None] & ~np.isnan(values)).astype(float), weights)
