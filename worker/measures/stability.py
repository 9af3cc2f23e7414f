"""Stability of salience across the runs of a cohort: similarity over all pairs of runs.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience Stability Across Training Runs).
"""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from worker.measures.reduction import mean_over
from worker.measures.similarity import SIMILARITIES, ComparableMaps, similarities, without_degenerate


def run_pairs(runs: int) -> list[tuple[int, int]]:
    """Return all pairs i < j of run numbers below `runs`."""
    return list(combinations(range(runs), 2))


def score(native: Tensor, resized: Tensor, degenerate: Tensor | None = None) -> dict[str, Tensor]:
    """Return the stability of native maps (K, N, h, w) and resized maps (K, N, H, W) of K >= 2 runs -> name: (N,).

    `stability` is the mean SSIM of the native maps over all pairs of runs, `stability.pair.I.J` the SSIM of one pair,
    and `stability.KIND` the mean of another similarity. `stability.resized` has the same numbers for the resized maps.
    A pair with a `degenerate` map (K, N) is missing (NaN); a mean without any pair is NaN too.
    """
    empty = torch.zeros(native.shape[:2], dtype=torch.bool, device=native.device) if degenerate is None else degenerate
    return _over_pairs("stability", _Maps(native, empty)) | _over_pairs("stability.resized", _Maps(resized, empty))


def chance(native: Tensor, degenerate: Tensor, partners: Tensor, partners_degenerate: Tensor) -> dict[str, Tensor]:
    """Return what `stability` would be between unrelated images -> name: (N,).

    `native` and `partners` (K, N, h, w) are the native maps of images and of their partners. A pair i < j compares run
    i's map of the image with run j's map of its partner, and not the other way round. `stability.chance` is the mean
    SSIM over all pairs, and the other names follow those of `score`.
    """
    return _over_pairs("stability.chance", _Maps(native, degenerate), _Maps(partners, partners_degenerate))


@dataclass(frozen=True)
class _Maps:
    """Maps (K, N, H, W) of K runs, and which of them are degenerate (K, N)."""

    maps: Tensor
    degenerate: Tensor


def _over_pairs(name: str, images: _Maps, others: _Maps | None = None) -> dict[str, Tensor]:
    """Compare run i's maps of `images` with run j's maps of `others`, for all pairs i < j; return columns by name.

    Without `others`, the maps of the same images are compared.
    """
    ours = [ComparableMaps(each) for each in images.maps]
    theirs = ours if others is None else [ComparableMaps(each) for each in others.maps]
    empty = (images.degenerate, (others or images).degenerate)
    pairs = {
        (i, j): without_degenerate(similarities(ours[i], theirs[j]), empty[0][i] | empty[1][j])
        for i, j in run_pairs(len(ours))
    }
    means = {kind: mean_over([found[kind] for found in pairs.values()]) for kind in SIMILARITIES}
    secondary = {f"{name}.{kind}": value for kind, value in means.items() if kind != "ssim"}
    singly = {f"{name}.pair.{i}.{j}": found["ssim"] for (i, j), found in pairs.items()}
    return {name: means["ssim"], **secondary, **singly}
