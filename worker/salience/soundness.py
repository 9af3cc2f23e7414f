"""Compares each image's Grad-CAM map with other maps of the image, to show whether maps depend on the class.

Pure: tensors in, tensors out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from worker.measures.similarity import ComparableMaps, ssim, without_degenerate
from worker.salience.cam import NEEDS_LAYER, diffgradcam, gradcam
from worker.salience.maps import FLOAT32, normalise_maps, resize_maps

CLASS, DIFFERENCE = "soundness.class", "soundness.difference"


@dataclass(frozen=True)
class Evidence:
    """Feature maps, and the gradients of two logits: the target's and the strongest other class's; all (N, K, h, w)."""

    features: Tensor
    gradients: Tensor
    other_gradients: Tensor


# By column: the function that computes the raw maps (N, h, w) which are compared with Grad-CAM's maps of the target.
COMPARED: Mapping[str, Callable[[Evidence], Tensor]] = {
    CLASS: lambda found: gradcam(found.features, found.other_gradients),
    DIFFERENCE: lambda found: diffgradcam(found.features, found.gradients, found.other_gradients),
}


def soundness_columns(method: str) -> Sequence[str]:
    """Return the names of the columns of similarities that an audit with this salience method computes.

    Only methods with a layer have feature maps. `soundness.difference` checks Grad-CAM itself.
    """
    if method == "gradcam":
        return (CLASS, DIFFERENCE)
    return (CLASS,) if method in NEEDS_LAYER else ()


def compare_gradcam(
    columns: Sequence[str], evidence: Evidence, size: tuple[int, int], min_range: float = FLOAT32
) -> dict[str, Tensor]:
    """Return the similarity (SSIM) of the target's Grad-CAM map to another map of each image, (N,), for each column.

    `soundness.class` compares the maps with Grad-CAM of the strongest other class; near 1, the maps do not depend on
    the class. `soundness.difference` compares them with DiffGradCAM; near 0, the maps show what raises all logits
    equally. Maps have `size` (H, W); `min_range` is that of `normalise_maps`. A similarity is NaN (missing) if the
    target's map is degenerate, and 0 if only the other map is.
    """
    maps, degenerate = _maps(gradcam(evidence.features, evidence.gradients), size, min_range)
    found: dict[str, Tensor] = {}
    for name in columns:
        other, is_other_degenerate = _maps(COMPARED[name](evidence), size, min_range)
        found[name] = without_degenerate({"ssim": ssim(maps, other)}, degenerate, is_other_degenerate)["ssim"]
    return found


def _maps(raw: Tensor, size: tuple[int, int], min_range: float) -> tuple[ComparableMaps, Tensor]:
    native, degenerate = normalise_maps(raw, min_range)
    return ComparableMaps(resize_maps(native, size)), degenerate
