"""Noise: similarity of the maps of clean images and the maps of noisy images.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience-Assessed Reaction to Noise).
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from worker.measures.columns import Columns, compare_maps, compare_predictions, with_headline
from worker.measures.explanation import Explanation
from worker.probes.noise import gaussian, salt_pepper


def variants(images: Tensor, fields: Tensor, *, kind: str, levels: Sequence[float]) -> dict[str, Tensor]:
    """Return images (N, 3, H, W) at each level of noise, each (N, 3, H, W). `fields` are the probe's random numbers."""
    add = salt_pepper if kind == "salt_pepper" else gaussian
    return dict(zip(map(str, levels), add(images, fields, levels), strict=True))


def score(clean: Explanation, noisy: Mapping[str, Explanation]) -> Columns:
    """Return the similarities of the clean maps and the maps at each level of noise, each (N,)."""
    parts = {
        level: compare_maps(clean, seen)
        | {"entropy_change": seen.entropy - clean.entropy}
        | compare_predictions(clean, seen)
        for level, seen in noisy.items()
    }
    return with_headline("noise", parts)
