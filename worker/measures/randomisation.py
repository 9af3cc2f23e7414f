"""Randomisation: similarity of a model's maps before and after some layers get random weights, for the same class.

Pure: tensors in, tensors out. Source: Adebayo et al. 2018. `worker.models.randomised` makes the models.
"""

from collections.abc import Mapping

from worker.measures.columns import Columns, compare_maps, with_headline
from worker.measures.explanation import Explanation


def score(clean: Explanation, randomised: Mapping[str, Explanation]) -> Columns:
    """Return the similarities of the clean maps and the maps at each share of randomised layers, each (N,)."""
    return with_headline("randomisation", {share: compare_maps(clean, seen) for share, seen in randomised.items()})
