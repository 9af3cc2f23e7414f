"""Builds the branch `performance` in the results of a cohort and of each run: each number with its interval.

Pure: arrays in, plain values out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt
from typing import Any

import numpy as np

from worker.statistics.bootstrap import RESAMPLES, Array, Check, Draws, draw_counts, generator
from worker.statistics.describe import MIN_IMAGES
from worker.statistics.missing import number_or_none
from worker.statistics.performance import BPCER_LEVELS, NAMES, Mask, Predictions, RunPredictions, reliability
from worker.statistics.run_intervals import RunEstimates

Tree = dict[str, Any]

MAX_CELLS = 200_000_000  # the largest product of resamples and images; jobs with more images have fewer resamples
MIN_RESAMPLES = 1000
CHUNK_CELLS = 200_000  # the product of resamples and images in one step, whose arrays fit into a processor's cache
# The calibration error sums absolute gaps, so that noise makes it positive even for a calibrated model.
BIASED = ("ece",)
# BPCER levels of the points of a DET plot, equally spaced on its axes: normal quantiles from -3.1 to 3.1.
DET_LEVELS = [0.5 * (1 + erf(quantile / sqrt(2))) for quantile in np.linspace(-3.1, 3.1, 63)]


@dataclass(frozen=True)
class Performance:
    """The branch `performance` in the results of a cohort, and in those of each of its runs."""

    cohort: Tree
    runs: Sequence[Tree]


def whole_performance(found: Predictions, draws: Draws, check: Check) -> Performance:
    """Return the performance over all labelled images, also for the worst attack types. Classes below 0: no label."""
    labelled = found.classes >= 0
    return performance(found.select(labelled, labelled), draws, check)


def stratum_performance(found: Predictions, rows: Mask, draws: Draws, check: Check) -> Tree:
    """Return a cohort's performance over the images in the mask `rows` (n,).

    If all of these images are attacks, their error rates are computed together with all bona fide images.
    """
    labelled = found.classes >= 0
    own = rows & labelled
    used = own if not found.attacks[own].all() else own | (labelled & ~found.attacks)
    return performance(replace(found.select(used, own), types={}), draws, check).cohort


def performance(found: Predictions, draws: Draws, check: Check) -> Performance:
    """Return the performance of a cohort and of its runs. `check` is called between steps, and may raise."""
    numbers = _resample(found, draws, check)
    runs = range(found.runs)
    return Performance(
        _tree(found, numbers, list(runs)),
        [_tree(found, {name: each.run(run) for name, each in numbers.items()}, [run]) for run in runs],
    )


def _resample(found: Predictions, draws: Draws, check: Check) -> dict[str, RunEstimates]:
    """Return each available number by name: its value for each run, and its values under resamples of the images."""
    everything = np.ones((1, len(found.classes)))
    if not found.available:
        return {}
    runs = [RunPredictions(found, number) for number in range(found.runs)]
    estimates = [run.numbers(everything) for run in runs]
    parts: dict[str, list[Array]] = {name: [] for name in estimates[0]}
    for weights in _weights(draws, len(found.classes)):
        check()
        each = [run.numbers(weights) for run in runs]
        for name, resampled in parts.items():
            resampled.append(np.stack([own[name] for own in each], axis=1))
    return {
        name: RunEstimates(np.array([own[name][0] for own in estimates]), np.concatenate(own), _images(found, name))
        for name, own in parts.items()
    }


def _weights(draws: Draws, images: int) -> Iterator[Array]:
    """Yield how often each resample draws each of `images` images, in arrays (R, images) of R resamples.

    There are RESAMPLES resamples, as for the intervals of means, and fewer if there are many images.
    """
    random, left = generator(draws.images, draws.seed), min(RESAMPLES, max(MIN_RESAMPLES, MAX_CELLS // images))
    step = max(1, CHUNK_CELLS // images)
    while left > 0:
        yield draw_counts(random, min(step, left), images)
        left -= step


def _images(found: Predictions, name: str) -> int:
    """Return how many images limit the precision of a number: those of the smallest class or attack type in it."""
    if name in ("accuracy", "brier", "ece"):
        return int(found.own.sum())
    if name in BPCER_LEVELS:
        return int(found.attacks.sum())
    if ":" in name:  # the number is the largest APCER of an attack type
        return int(found.types[name.rpartition(":")[0]].sum(0).min())
    return min(int((found.classes == each).sum()) for each in np.unique(found.classes))


def _tree(found: Predictions, numbers: Mapping[str, RunEstimates], runs: Sequence[int]) -> Tree:
    """Return the branch `performance` of the results for some runs; `numbers` has the estimates for these runs."""
    tree: Tree = {"n": int(found.own.sum())}
    if tree["n"] < MIN_IMAGES:
        tree["note"] = f"{tree['n']} labelled image(s): too few for an interval"
    for name in NAMES:
        tree |= _number(name, numbers.get(name))
    tree["worst_type"] = {
        column: {
            key: value for name in BPCER_LEVELS for key, value in _number(name, numbers.get(f"{column}:{name}")).items()
        }
        for column in found.types
    }
    tree["reasons"] = dict(found.reasons)
    return tree | {"det": _det(found, runs), "reliability": _reliability(found, runs)}


def _number(name: str, each: RunEstimates | None) -> Tree:
    """Return a number and its interval. Both are None if the number is None; too few images give no interval."""
    if each is None:
        return {name: None, f"{name}_ci95": None}
    ends = each.interval(unbiased=name not in BIASED) if each.images >= MIN_IMAGES else None
    return {name: number_or_none(each.mean), f"{name}_ci95": ends}


def _reliability(found: Predictions, runs: Sequence[int]) -> list[Tree]:
    """Return the bins of the reliability diagram of the given runs together, over the images in the mask `own`."""
    confidence, correct = (each[found.own][:, runs].ravel() for each in (found.confidence, found.correct))
    return reliability(confidence, correct)


def _det(found: Predictions, runs: Sequence[int]) -> Tree | None:
    """Return the mean APCER of some runs at the BPCER levels that amount to one bona fide image or more."""
    if "eer" in found.reasons:
        return None
    levels = [level for level in DET_LEVELS if level * (~found.attacks).sum() >= 1]
    everything = np.ones((1, len(found.classes)))
    rates = [RunPredictions(found, run).thresholds[0].rates(everything) for run in runs]
    apcer = [float(np.mean([each.apcer_at(level)[0] for each in rates])) for level in levels]
    return {"bpcer": levels, "apcer": apcer}
