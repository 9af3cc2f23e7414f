"""Summarises a job: every cohort's numbers, and the differences between cohorts.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from worker.statistics.cohort import CohortValues
from worker.statistics.confidence_sequence import ALPHA, Confidence
from worker.statistics.final_estimate import FinalEstimate
from worker.statistics.holm import adjusted_p_values
from worker.statistics.interim_estimate import InterimEstimate
from worker.statistics.pairing import pairings
from worker.statistics.tree import Estimate, Tree, build, join, materialise


def summarise(
    cohorts: Sequence[CohortValues], baseline: CohortValues | None = None, extra_paths: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the final results: the cohorts by name, and the differences of every pair and from the baseline.

    Each difference has an uncorrected p value. Those of headline measures also have Holm's adjusted p value, and say
    whether the cohorts differ; `p_holm` and `differs` of the others are None.
    """
    against = [(each, baseline) for each in cohorts] if baseline is not None else []
    pairs = [*combinations(cohorts, 2), *against]
    tree = dict(materialise(_results(cohorts, pairs, FinalEstimate(), extra_paths)))
    for each in tree["differences"]:
        each |= {"p_holm": None, "differs": None}
    family = [each for each in headline_differences(tree, cohorts) if each["p"] is not None]
    for each, p_value in zip(family, adjusted_p_values([each["p"] for each in family]), strict=True):
        each |= {"p_holm": p_value, "differs": p_value <= ALPHA}
    return tree


def headline_differences(tree: Tree, cohorts: Sequence[CohortValues]) -> list[Any]:
    """Return the differences of whole measures, which are neither parts nor accuracy nor strata."""
    headlines = {name for cohort in cohorts for name in (*cohort.parts, *cohort.across_parts)}
    return [each for each in tree["differences"] if each["measure"] in headlines]


def interim_results(cohorts: Sequence[CohortValues], estimate: Estimate, extra_paths: Sequence[str] = ()) -> Tree:
    """Return the cohorts by name, and the differences of every pair, each number computed when it is first read."""
    return _results(cohorts, list(combinations(cohorts, 2)), estimate, extra_paths)


def with_sequences(
    document: dict[str, Any], cohorts: Sequence[CohortValues], images: int, extra_paths: Sequence[str]
) -> dict[str, Any]:
    """Return the results of a job that may stop early, with intervals that hold at all interim looks.

    `images` is the number of images that the job would audit at most. A p value of a fixed number of images does not
    hold for such a job. Its cohorts differ where the interval of the difference leaves zero out, at a confidence that
    is corrected for the number of headline differences (Bonferroni).
    """
    tree = interim_results(cohorts, InterimEstimate(Confidence(ALPHA, images)), extra_paths)
    found: dict[str, Any] = _with_intervals(document, tree)
    number = max(1, len(headline_differences(tree, cohorts)))
    strict = interim_results(cohorts, InterimEstimate(Confidence(ALPHA / number, images)), extra_paths)
    for each in found["differences"]:
        each |= {"p": None, "p_holm": None}
    pairs = zip(*(headline_differences(each, cohorts) for each in (found, strict)), strict=True)
    for each, claim in pairs:
        each["differs"] = claim["ci95"] and not claim["ci95"][0] <= 0 <= claim["ci95"][1]
    return found


def _with_intervals(document: Any, tree: Any) -> Any:
    """Return a results document with its intervals replaced by those of a tree of the same shape."""
    if isinstance(document, list) and isinstance(tree, list):
        return [_with_intervals(*each) for each in zip(document, tree, strict=True)]
    if not isinstance(document, dict) or not isinstance(tree, Mapping):
        return document
    return {
        key: tree[key] if key.endswith("ci95") and key in tree else _with_intervals(value, tree.get(key))
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
        # With one run, a difference is one of this model, and not of the recipe that it was trained by.
        compares = "models" if min(cohort.runs.shape[1] for cohort in pair) == 1 else "recipes"
        names = {"a": a.name, "b": b.name, "measure": each.name, "compares": compares}
        yield join(names, estimate.difference(pair, each))
