"""Similarity to human salience maps.

Pure: tensors in, tensors out. Source: Boyd et al. 2023 (CYBORG).
"""

from torch import Tensor

from worker.measures.columns import Columns
from worker.measures.explanation import Explanation
from worker.measures.similarity import POINTWISE, ComparableMaps, similarities, without_degenerate


def score(clean: Explanation, human: Tensor) -> Columns:
    """Return the similarities of the clean maps to human maps (N, H, W) in [0, 1], each (N,)."""
    found = without_degenerate(similarities(clean.comparable, ComparableMaps(human)), clean.degenerate)
    return {"human": found["ssim"]} | {f"human.{name}": found[name] for name in POINTWISE}
