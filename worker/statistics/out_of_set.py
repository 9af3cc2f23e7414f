"""Compares salience on a job's images with salience on out-of-set images, for which the model was not made.

Pure: arrays in, plain values out. Source: Crum et al. 2023 (salience fed out-of-set samples).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from worker.measures.similarity import ComparableMaps, similarities, without_degenerate
from worker.statistics.bootstrap import Array, interval
from worker.statistics.cohort import CohortValues, Selection
from worker.statistics.final_estimate import FinalEstimate
from worker.statistics.mean_squares import mean_square, two_way
from worker.statistics.missing import known_mean, number_or_none
from worker.statistics.ranges import range_of_difference
from worker.statistics.tree import Tree
from worker.statistics.variance import Variance


@dataclass(frozen=True)
class InAndOutOfSet:
    """A cohort's numbers in set and out of set, and its runs' mean maps for both image sets, (K, H, W) each."""

    inside: CohortValues
    outside: CohortValues
    mean_maps: tuple[Array, Array]


def compare_sets(sets: InAndOutOfSet, columns: Sequence[str]) -> Tree:
    """Return the comparison of some columns and of the mean maps, for all runs together and for each run."""
    number = range(len(sets.mean_maps[0]))
    runs = [
        {name: _compare(sets, name, run) for name in columns} | {"mean_map": _mean_maps(sets, [run])} for run in number
    ]
    whole = {name: _compare(sets, name, None) for name in columns}
    return whole | {"mean_map": _mean_maps(sets, list(number)), "runs": runs}


def _compare(sets: InAndOutOfSet, name: str, run: int | None) -> Tree:
    """Return the comparison of one column under one run or all. The difference is out of set minus in set."""
    both = [Selection(each, run) for each in (sets.inside, sets.outside)]
    described = [FinalEstimate().column(some, name) for some in both]
    inside, outside = (some.column(name)[0] for some in both)
    known = [values[~np.isnan(values)] for values in (inside, outside)]
    difference = number_or_none(known_mean(outside) - known_mean(inside))
    ends = None
    if difference is not None and all(each["ci95"] for each in described):
        ends = _interval(both, name, difference)
    return {
        "images": described[0],
        "out_of_set": described[1],
        "difference": {"mean": difference, "ci95": ends},
        "wasserstein": wasserstein(*known) if all(map(len, known)) else None,
        "kolmogorov_smirnov": kolmogorov_smirnov(*known) if all(map(len, known)) else None,
    }


def _interval(both: Sequence[Selection], name: str, difference: float) -> list[float] | None:
    """Return the interval of a difference: the images of both sets are independent, and the runs are the same."""
    inside, outside = (some.column(name)[0] for some in both)
    if inside.shape[1] == 1:
        resampled = [some.cohort.resampled.runs[:, some.run or 0, some.cohort.run_columns.index(name)] for some in both]
        return interval(resampled[1] - resampled[0])
    parts = [two_way(values, ~np.isnan(values)) for values in (inside, outside)]
    shifts = known_mean(outside, 0) - known_mean(inside, 0)
    runs = mean_square(shifts[~np.isnan(shifts)])
    variance = Variance([runs, *(each.images for each in parts)], [each.rest for each in parts if each.rest])
    return variance.interval(difference, range_of_difference(name, both[0].cohort.bounds))


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
    """Return the share of a sample that is at most each of the given values, its distribution function."""
    return np.searchsorted(np.sort(sample), places, side="right") / len(sample)
