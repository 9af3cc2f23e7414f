"""Stability of salience across the runs of a cohort: similarity over all pairs of runs.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience Stability Across Training Runs).
"""

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
    return _over_pairs("stability", native, empty) | _over_pairs("stability.resized", resized, empty)


def _over_pairs(name: str, maps: Tensor, degenerate: Tensor) -> dict[str, Tensor]:
    runs = [ComparableMaps(each) for each in maps]
    pairs = {
        (i, j): without_degenerate(similarities(runs[i], runs[j]), degenerate[i] | degenerate[j])
        for i, j in run_pairs(len(runs))
    }
    means = {kind: mean_over([found[kind] for found in pairs.values()]) for kind in SIMILARITIES}
    secondary = {f"{name}.{kind}": value for kind, value in means.items() if kind != "ssim"}
    singly = {f"{name}.pair.{i}.{j}": found["ssim"] for (i, j), found in pairs.items()}
    return {name: means["ssim"], **secondary, **singly}
