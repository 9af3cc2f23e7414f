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

from worker.summary.bootstrap import Array
from worker.summary.cohort import BESIDE, CohortValues, headline_of, strata_of
from worker.summary.compared import STABILITIES, Pairing, pairings
from worker.summary.degenerate import degenerate_share
from worker.summary.look import STILL, Look, Sample, strays
from worker.summary.missing import known_mean, missing_share
from worker.summary.ranges import range_of, range_of_difference

Tree = Mapping[str, Any]
Growing = Mapping[str, Callable[[], Any]]


class Later(Mapping[str, Any]):
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


def so_far(cohorts: Sequence[CohortValues], look: Look, asked: Sequence[str] = ()) -> Tree:
    """Cohorts by name, and the differences of each two, also those asked for beside what results have."""
    return {
        "cohorts": {cohort.name: _cohort(_Told(cohort, look)) for cohort in cohorts},
        "differences": [each for a, b in combinations(cohorts, 2) for each in _differences(a, b, look, asked)],
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
class _Told:
    """A cohort under some of its runs, all if None, as far as values (n, K) count."""

    cohort: CohortValues
    look: Look
    run: int | None = None
    counting: Array | None = None

    def column(self, name: str) -> Tree:
        """The number that a column gives."""
        self.cohort.check()
        values = self._of_runs(name)
        counting = self._counting(values)
        used = (counting & ~np.isnan(values)).astype(float)
        stray = strays(values, used, self.cohort.run_weights) if self.run is None else STILL
        # An image without a label lacks no correctness.
        missing = 0.0 if name == "correct" else missing_share(values[counting])
        return self.look.number(Sample(values, used, range_of(name), stray, missing))

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

    def stability(self, name: str) -> Tree:
        """The number across the runs, or of one run with all others, where all runs count."""
        self.cohort.check()
        pairs = self.cohort.pair_values(name, self.run)
        counting = self._counting(pairs)
        there = (counting & ~np.isnan(pairs)).astype(float)
        stray = strays(pairs, there, self.cohort.pair_weights) if self.run is None else STILL
        values, used = known_mean(pairs, 1)[:, None], there.any(1, keepdims=True).astype(float)
        return self.look.number(Sample(values, used, range_of(name), stray, missing_share(pairs[counting])))


def _cohort(told: _Told) -> Tree:
    cohort, look = told.cohort, told.look
    return Later({
        **_of_runs(told),
        "runs": lambda: [Later(_of_runs(_Told(cohort, look, run))) for run in range(cohort.runs.shape[1])],
        "strata": lambda: _strata(cohort, look),
    })  # fmt: skip


def _of_runs(told: _Told) -> Growing:
    return {
        **_named("accuracy", lambda: told.column("correct")),
        "degenerate": told.degenerate,
        "measures": lambda: _measures(told),
    }


def _measures(told: _Told) -> Tree:
    """Every measure with its parts; the matrix of stability has no intervals, and is left out."""
    cohort = told.cohort
    growing: dict[str, Callable[[], Any]] = {}
    for measure, parts in cohort.parts.items():
        own = {part: partial(_part, told, headline_of(cohort, measure, part), f"{measure}.{part}") for part in parts}
        growing[measure] = partial(_part, told, measure, measure, Later(own))
    if len(cohort.across_columns):
        resized = Later({"resized": lambda: Later(_leaf(lambda: told.stability("stability.resized")))})
        leaf = _leaf(lambda: told.stability("stability"))
        growing["stability"] = lambda: Later({**leaf, "parts": lambda: resized})
    return Later(growing)


def _part(told: _Told, column: str, prefix: str, parts: Tree | None = None) -> Tree:
    """A column's number, those that the results tell beside it, and its parts."""
    growing = dict(_leaf(partial(told.column, column)))
    for kind in BESIDE:
        if f"{prefix}.{kind}" in told.cohort.run_columns:
            growing |= _named(kind, partial(told.column, f"{prefix}.{kind}"))
    return Later(growing if parts is None else {**growing, "parts": lambda: parts})


def _leaf(number: Callable[[], Tree]) -> Growing:
    """`mean`, `ci95` and `n` of one number."""
    once = cache(number)
    return {key: partial(_take, once, key) for key in ("mean", "ci95", "n")}


def _named(name: str, number: Callable[[], Tree]) -> Growing:
    """A number under its own name, and its interval beside it."""
    once = cache(number)
    return {name: partial(_take, once, "mean"), f"{name}_ci95": partial(_take, once, "ci95")}


def _take(number: Callable[[], Tree], key: str) -> Any:
    return number()[key]


def _strata(cohort: CohortValues, look: Look) -> Tree:
    strata: dict[str, dict[str, Callable[[], Any]]] = {}
    for kind, name, used, whole in strata_of(cohort):
        counting = partial(_stratum, cohort, look, used, whole)
        strata.setdefault(kind, {})[name] = counting
    return Later({kind: partial(Later, members) for kind, members in strata.items()})


def _stratum(cohort: CohortValues, look: Look, used: Array, whole: Array) -> Tree:
    """Headlines over the values used, (n, K); stability over the images (n,) that count as a whole."""
    some = _Told(cohort, look, counting=used)
    growing: dict[str, Callable[[], Any]] = {
        measure: partial(Later, _leaf(partial(some.column, measure))) for measure in cohort.parts
    }
    growing["degenerate"] = some.degenerate
    if len(cohort.across_columns):
        images = _Told(cohort, look, counting=whole[:, None].astype(float))
        growing["stability"] = partial(Later, _leaf(lambda: images.stability("stability")))
    return Later(growing)


def _differences(a: CohortValues, b: CohortValues, look: Look, asked: Sequence[str]) -> Iterator[Tree]:
    for each in pairings(a, b, asked):
        names = {key: partial(str, name) for key, name in (("a", a.name), ("b", b.name), ("measure", each.name))}
        yield Later({**names, **_leaf(partial(_difference, (a, b), each, look))})


def _difference(cohorts: tuple[CohortValues, CohortValues], pairing: Pairing, look: Look) -> Tree:
    """The mean of a less that of b, paired by image."""
    ours, theirs = (_strays_of(cohort, pairing) for cohort in cohorts)
    paired = (pairing.ours - pairing.theirs)[:, None]
    within = range_of_difference(pairing.column)
    return look.number(Sample(paired, pairing.rows[:, None].astype(float), within, ours - theirs, pairing.missing))


def _strays_of(cohort: CohortValues, pairing: Pairing) -> Array:
    if pairing.column in STABILITIES:
        values, weights = cohort.pair_values(pairing.column), cohort.pair_weights
    else:
        values, weights = cohort.column(pairing.column), cohort.run_weights
    return strays(values, (pairing.rows[:, None] & ~np.isnan(values)).astype(float), weights)
