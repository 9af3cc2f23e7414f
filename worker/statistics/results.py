"""Summarises a job: every cohort's numbers, and the differences between cohorts.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from worker.statistics.cohort import CohortValues
from worker.statistics.final_estimate import FinalEstimate
from worker.statistics.pairing import pairings
from worker.statistics.tree import Estimate, Tree, build, join, materialise


def summarise(
    cohorts: Sequence[CohortValues], baseline: CohortValues | None = None, extra_paths: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the final results: the cohorts by name, and the differences of every pair and from the baseline."""
    against = [(each, baseline) for each in cohorts] if baseline is not None else []
    pairs = [*combinations(cohorts, 2), *against]
    return dict(materialise(_results(cohorts, pairs, FinalEstimate(), extra_paths)))


def interim_results(cohorts: Sequence[CohortValues], estimate: Estimate, extra_paths: Sequence[str] = ()) -> Tree:
    """Return the cohorts by name, and the differences of every pair, each number computed when it is first read."""
    return _results(cohorts, list(combinations(cohorts, 2)), estimate, extra_paths)


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


def _results(
    cohorts: Sequence[CohortValues],
    pairs: Sequence[tuple[CohortValues, CohortValues]],
    estimate: Estimate,
    extra_paths: Sequence[str],
) -> Tree:
    differences = [each for pair in pairs for each in _differences(pair, estimate, extra_paths)]
    return {"cohorts": {cohort.name: build(cohort, estimate) for cohort in cohorts}, "differences": differences}


def _differences(
    pair: tuple[CohortValues, CohortValues], estimate: Estimate, extra_paths: Sequence[str]
) -> Iterator[Tree]:
    """Yield a - b for every measure and its parts, for accuracy if there are labels, and for `extra_paths`."""
    a, b = pair
    for each in pairings(a, b, extra_paths):
        yield join({"a": a.name, "b": b.name, "measure": each.name}, estimate.difference(pair, each))
