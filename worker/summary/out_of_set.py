"""Salience in set against salience out of set, as distributions: what changes on images a model was not made for.

Pure: arrays in, plain values out. Source: Crum et al. 2023 (salience fed out-of-set samples).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from worker.measures.similarity import Compared, similarities
from worker.summary.bootstrap import Array, interval
from worker.summary.cohort import CohortValues, Tree
from worker.summary.statistics import FEW, describe

COMPARED = ("entropy", "entropy.spatial", "top_probability")


@dataclass(frozen=True)
class TwoSets:
    """A cohort's numbers in set and out of set, and each run's mean maps there, (K, H, W) both."""

    inside: CohortValues
    outside: CohortValues
    mean_maps: tuple[Array, Array]

    @cached_property
    def wholes(self) -> tuple[Array, Array]:
        """Resampled cohort means of all columns, in set and out of set, under the same runs."""
        return self.inside.resampled.whole, self.outside.resampled.whole

    def runs(self, number: int) -> tuple[Array, Array]:
        """Resampled means of one run."""
        return self.inside.resampled.runs[:, number], self.outside.resampled.runs[:, number]


def compare_sets(sets: TwoSets) -> Tree:
    """The cohort's distributions over all its runs, its mean maps, and the same of each run."""
    number = list(range(len(sets.mean_maps[0])))
    runs = [
        {name: _compare(sets, name, [run], sets.runs(run)) for name in COMPARED} | {"mean_map": _mean_maps(sets, [run])}
        for run in number
    ]
    whole = {name: _compare(sets, name, number, sets.wholes) for name in COMPARED}
    return whole | {"mean_map": _mean_maps(sets, number), "runs": runs}


def _compare(sets: TwoSets, name: str, runs: Sequence[int], resampled: tuple[Array, Array]) -> Tree:
    """One column under some runs. The difference is out of set less in set."""
    inside, outside = (each.column(name)[:, runs] for each in (sets.inside, sets.outside))
    means = [
        means[:, each.run_columns.index(name)]
        for means, each in zip(resampled, (sets.inside, sets.outside), strict=True)
    ]
    enough = min(len(inside), len(outside)) >= FEW
    return {
        "images": describe(inside, means[0]),
        "out_of_set": describe(outside, means[1]),
        "difference": {
            "mean": float(outside.mean() - inside.mean()),
            "ci95": interval(means[1] - means[0]) if enough else None,
        },
        "wasserstein": wasserstein(inside.ravel(), outside.ravel()),
        "kolmogorov_smirnov": kolmogorov_smirnov(inside.ravel(), outside.ravel()),
    }


def _mean_maps(sets: TwoSets, runs: Sequence[int]) -> dict[str, float]:
    """Similarity of the mean maps of both sets, taken over some runs."""
    inside, outside = (Compared(torch.from_numpy(maps[runs].mean(0)[None])) for maps in sets.mean_maps)
    return {name: float(value) for name, value in similarities(inside, outside).items()}


def wasserstein(a: Array, b: Array) -> float:
    """Wasserstein-1 distance of two samples: the area between their distribution functions."""
    places = np.sort(np.concatenate([a, b]))
    gaps = np.abs(_share_below(a, places[:-1]) - _share_below(b, places[:-1]))
    return float((gaps * np.diff(places)).sum())


def kolmogorov_smirnov(a: Array, b: Array) -> float:
    """The largest distance of two samples' distribution functions, in [0, 1]."""
    places = np.concatenate([a, b])
    return float(np.abs(_share_below(a, places) - _share_below(b, places)).max())


def _share_below(sample: Array, places: Array) -> Array:
    """The sample's distribution function at some places."""
    return np.searchsorted(np.sort(sample), places, side="right") / len(sample)
