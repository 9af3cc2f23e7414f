"""Compares salience on a job's images with salience on out-of-set images, for which the model was not made.

Pure: arrays in, plain values out. Source: Crum et al. 2023 (salience fed out-of-set samples).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from worker.measures.similarity import ComparableMaps, similarities, without_degenerate
from worker.statistics.bootstrap import Array, interval
from worker.statistics.cohort import CohortValues
from worker.statistics.describe import describe
from worker.statistics.missing import known_mean, number_or_none
from worker.statistics.tree import Tree


@dataclass(frozen=True)
class InAndOutOfSet:
    """A cohort's numbers in set and out of set, and its runs' mean maps for both image sets, (K, H, W) each."""

    inside: CohortValues
    outside: CohortValues
    mean_maps: tuple[Array, Array]

    @cached_property
    def wholes(self) -> tuple[Array, Array]:
        """Resampled cohort means (R, C) in set and out of set; both resample the runs in the same way."""
        return self.inside.resampled.whole, self.outside.resampled.whole

    def runs(self, number: int) -> tuple[Array, Array]:
        """Return the resampled means (R, C) of one run, in set and out of set."""
        return self.inside.resampled.runs[:, number], self.outside.resampled.runs[:, number]


def compare_sets(sets: InAndOutOfSet, columns: Sequence[str]) -> Tree:
    """Return the comparison of some columns and of the mean maps, for all runs together and for each run."""
    number = list(range(len(sets.mean_maps[0])))
    runs = [
        {name: _compare(sets, name, [run], sets.runs(run)) for name in columns} | {"mean_map": _mean_maps(sets, [run])}
        for run in number
    ]
    whole = {name: _compare(sets, name, number, sets.wholes) for name in columns}
    return whole | {"mean_map": _mean_maps(sets, number), "runs": runs}


def _compare(sets: InAndOutOfSet, name: str, runs: Sequence[int], resampled: tuple[Array, Array]) -> Tree:
    """Return the comparison of one column under some runs. The difference is out of set minus in set."""
    inside, outside = (each.column(name)[:, runs] for each in (sets.inside, sets.outside))
    means = [
        means[:, each.run_columns.index(name)]
        for means, each in zip(resampled, (sets.inside, sets.outside), strict=True)
    ]
    described = [describe(values, own) for values, own in zip((inside, outside), means, strict=True)]
    known = [values[~np.isnan(values)] for values in (inside, outside)]
    enough = all(each["ci95"] for each in described)
    return {
        "images": described[0],
        "out_of_set": described[1],
        "difference": {
            "mean": number_or_none(known_mean(outside) - known_mean(inside)),
            "ci95": interval(means[1] - means[0]) if enough else None,
        },
        "wasserstein": wasserstein(*known) if all(map(len, known)) else None,
        "kolmogorov_smirnov": kolmogorov_smirnov(*known) if all(map(len, known)) else None,
    }


def _mean_maps(sets: InAndOutOfSet, runs: Sequence[int]) -> dict[str, float | None]:
    """Return the similarities of both sets' mean maps over some runs; a mean map that is 0 everywhere is degenerate."""
    means = [torch.from_numpy(maps[runs].mean(0)[None]) for maps in sets.mean_maps]
    inside, outside = (ComparableMaps(each) for each in means)
    found = without_degenerate(similarities(inside, outside), *(each.amax((1, 2)) == 0 for each in means))
    return {name: number_or_none(float(value)) for name, value in found.items()}


def wasserstein(a: Array, b: Array) -> float:
    """Return the Wasserstein-1 distance of two samples: the area between their distribution functions."""
    places = np.sort(np.concatenate([a, b]))
    gaps = np.abs(_share_below(a, places[:-1]) - _share_below(b, places[:-1]))
    return float((gaps * np.diff(places)).sum())


def kolmogorov_smirnov(a: Array, b: Array) -> float:
    """Return the largest distance between two samples' distribution functions, in [0, 1]."""
    places = np.concatenate([a, b])
    return float(np.abs(_share_below(a, places) - _share_below(b, places)).max())


def _share_below(sample: Array, places: Array) -> Array:
    """Return the sample's distribution function at the given places."""
    return np.searchsorted(np.sort(sample), places, side="right") / len(sample)
