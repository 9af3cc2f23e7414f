"""Stability of salience across the runs of a cohort: similarity over all pairs of runs.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience Stability Across Training Runs).
"""

from itertools import combinations

from torch import Tensor

from worker.measures.means import mean_over
from worker.measures.similarity import SIMILARITIES, Compared, similarities


def run_pairs(runs: int) -> list[tuple[int, int]]:
    """All pairs i < j of so many runs."""
    return list(combinations(range(runs), 2))


def stability(native: Tensor, resized: Tensor) -> dict[str, Tensor]:
    """Native maps (K, N, h, w) and resized ones (K, N, H, W) of K >= 2 runs -> name: (N,).

    `stability` is the mean over pairs of SSIM on the native maps and `stability.pair.I.J` each pair's, with
    the other similarities' means beside it; `stability.resized` the same on the resized maps.
    """
    return _over_pairs("stability", native) | _over_pairs("stability.resized", resized)


def _over_pairs(name: str, maps: Tensor) -> dict[str, Tensor]:
    runs = [Compared(each) for each in maps]
    pairs = {(i, j): similarities(runs[i], runs[j]) for i, j in run_pairs(len(runs))}
    means = {kind: mean_over([found[kind] for found in pairs.values()]) for kind in SIMILARITIES}
    beside = {f"{name}.{kind}": value for kind, value in means.items() if kind != "ssim"}
    singly = {f"{name}.pair.{i}.{j}": found["ssim"] for (i, j), found in pairs.items()}
    return {name: means["ssim"], **beside, **singly}
