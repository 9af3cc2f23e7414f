"""Geometry: similarity of transformed maps and maps of transformed images, over pixels that stay inside the frame.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience Resilience to Geometrical Transformations).
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from worker.measures.columns import Columns, with_headline
from worker.measures.explanation import Explanation
from worker.measures.similarity import ComparableMaps, similarities, without_degenerate
from worker.probes.geometry import crop_valid, is_shift, stays_inside, transform, valid_mask


def variants(images: Tensor, *, transforms: Sequence[str]) -> dict[str, Tensor]:
    """Return images (N, 3, H, W) under each transformation."""
    return {name: transform(images, name) for name in transforms}


def score(clean: Explanation, moved: Mapping[str, Explanation]) -> Columns:
    """Return the similarities of the transformed maps and the maps of the transformed images, each (N,)."""
    return with_headline("geometry", {name: _compare(name, clean, seen) for name, seen in moved.items()})


def _compare(name: str, before: Explanation, after: Explanation) -> Columns:
    if is_shift(name):
        expected = before.comparable.cut(lambda values: stays_inside(values, name))
        found = similarities(expected, ComparableMaps(crop_valid(after.maps, name)))
    else:
        moved = ComparableMaps(transform(before.maps, name))
        found = similarities(moved, after.comparable, valid_mask(before.maps, name))
    return without_degenerate(found, before.degenerate, after.degenerate)
