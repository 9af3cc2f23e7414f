"""Degradation: similarity of an image's map to the map after a blur of the image that the clean map guides.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience-Based Image Degradation).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from worker.measures.columns import Columns, compare_maps, compare_predictions, flatten, with_headline
from worker.measures.explanation import Explanation
from worker.probes.degradation import blur_ranked, guided_blur, rank

ORDERS = ("most", "least")


def variants(image: Tensor, maps: Tensor, ties: Tensor, *, curve: Sequence[float]) -> list[dict[str, Tensor]]:
    """Return, for each of K maps (K, H, W), the variants of an image (3, H, W) that the map guides.

    The image is filtered once for all maps. `ties` (H * W,) breaks ties between pixels; it is unused without
    a `curve`.
    """
    guides = torch.stack([maps, 1 - maps], dim=1)
    nothing = torch.zeros_like(maps[:1]) if curve else maps[:0]
    blurred = guided_blur(image, torch.cat([guides.flatten(0, 1), nothing]))
    pairs = blurred[: 2 * len(maps)].view(len(maps), 2, *image.shape)
    found = []
    for own, (background, blurred_object) in zip(maps, pairs, strict=True):
        ranked = {order: rank(own, ties, most=order == "most") for order in ORDERS if curve}
        shares = {
            f"{order}:{share}": blur_ranked(image, blurred[-1], pixels, share)
            for order, pixels in ranked.items()
            for share in curve
        }
        found.append({"background": background, "object": blurred_object, **shares})
    return found


def score(clean: Explanation, blurred: Mapping[str, Explanation]) -> Columns:
    """Return the similarities of the maps before and after each blur. The headline is the SSIM of `background`."""
    before = clean.probability_of(clean.predicted)
    after = {name: seen.probability_of(clean.predicted) for name, seen in blurred.items()}
    parts = {name: compare_maps(clean, seen) | compare_predictions(clean, seen) for name, seen in blurred.items()}
    gap = parts["background"]["ssim"] - parts["object"]["ssim"]
    headline = with_headline("degradation", {"background": parts["background"]})
    curves = flatten("degradation", _areas(parts, after, before))
    return headline | flatten("degradation", parts) | {"degradation.gap": gap} | curves


def _areas(parts: Mapping[str, Columns], probabilities: Mapping[str, Tensor], before: Tensor) -> dict[str, Columns]:
    """Return the areas under the curves over the share of pixels blurred, divided by the range of that share.

    At a share of 0 the similarity is 1 and the probability is that of the clean image.
    """
    found = {}
    for order in ORDERS:
        shares = sorted(float(name.partition(":")[2]) for name in parts if name.startswith(f"{order}:"))
        if shares:
            places = torch.tensor([0.0, *shares], dtype=torch.float64, device=before.device)
            names = [f"{order}:{share}" for share in shares]
            similar = torch.stack([torch.ones_like(before), *(parts[name]["ssim"] for name in names)]).double()
            likely = torch.stack([before, *(probabilities[name] for name in names)]).double()
            found[order] = {
                "ssim": torch.trapezoid(similar, places, dim=0) / shares[-1],
                "probability": torch.trapezoid(likely, places, dim=0) / shares[-1],
            }
    return found
