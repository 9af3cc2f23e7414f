"""Entropy of native maps. Pure: tensors in, tensors out."""

from torch import Tensor

from worker.measures.explanation import Explanation


def score(clean: Explanation) -> dict[str, Tensor]:
    """Return both entropies of the native maps, each (N,)."""
    return {"entropy": clean.entropy, "entropy.spatial": clean.entropy_spatial}
