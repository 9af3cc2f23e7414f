"""Randomisation: maps of a model against maps of the same class after some layers got new random weights.

Pure: tensors in, tensors out. Source: Adebayo et al. 2018. `worker.models.randomised` makes the models.
"""

from collections.abc import Mapping

from worker.measures.columns import Columns, compare_maps, with_headline
from worker.measures.explanation import Explanation


def score(clean: Explanation, randomised: Mapping[str, Explanation]) -> Columns:
    """Return the columns of clean maps against the maps at each share of randomised layers."""
    return with_headline("randomisation", {share: compare_maps(clean, seen) for share, seen in randomised.items()})
