"""Names and computes the columns of a measure: measure, part and statistic, such as `noise.0.05.pearson`. Pure.

The headline of a measure is the mean SSIM of its parts, under the measure's own name. A number that cannot be computed,
such as one of a degenerate map, is NaN.
"""

from collections.abc import Mapping

from torch import Tensor

from worker.measures.explanation import Explanation
from worker.measures.reduction import mean_over
from worker.measures.similarity import SIMILARITIES, similarities, without_degenerate

Columns = dict[str, Tensor]


def compare_maps(clean: Explanation, variant: Explanation) -> Columns:
    """Return the similarities between the clean maps and the maps of a variant, each (N,)."""
    found = similarities(clean.comparable, variant.comparable)
    return without_degenerate(found, clean.degenerate, variant.degenerate)


def compare_predictions(clean: Explanation, variant: Explanation) -> Columns:
    """Return how predictions for a variant differ from those for the clean images, each (N,).

    `probability_change` is the probability of the class predicted for the clean image, after less before, and `flipped`
    is 1 if another class is predicted for the variant, else 0.
    """
    change = variant.probability_of(clean.predicted) - clean.probability_of(clean.predicted)
    return {"probability_change": change, "flipped": (variant.predicted != clean.predicted).double()}


def with_headline(measure: str, parts: Mapping[str, Columns]) -> Columns:
    """Return the mean similarities over all parts, followed by the columns of each part."""
    means = {name: mean_over([part[name] for part in parts.values()]) for name in SIMILARITIES}
    secondary = {f"{measure}.{name}": value for name, value in means.items() if name != "ssim"}
    return {measure: means["ssim"], **secondary, **flatten(measure, parts)}


def flatten(measure: str, parts: Mapping[str, Columns]) -> Columns:
    """Return the columns of all parts under their full names, such as `noise.0.05.pearson`."""
    return {f"{measure}.{part}.{name}": each for part, found in parts.items() for name, each in found.items()}
