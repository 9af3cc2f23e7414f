"""Computes how well the runs of a cohort classify labelled images: accuracy, error rates and calibration.

Pure: arrays in, plain values out. Sources: ISO/IEC 30107-3 (APCER and BPCER); Brier 1950; Guo et al. 2017 (expected
calibration error), with bins of equal mass (Nguyen and O'Connor 2015). Every number of a cohort is the mean of its
runs' numbers. A number that cannot be computed is None, and `reasons` says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.error_rates import ErrorRates, Thresholds

BINS = 15
BPCER_LEVELS = {"apcer_at_bpcer_1": 0.01, "apcer_at_bpcer_5": 0.05, "apcer_at_bpcer_10": 0.1}
OF_TWO_CLASSES = ("eer", *BPCER_LEVELS)
NAMES = ("accuracy", "balanced_accuracy", "auroc", "eer", "brier", "ece", *BPCER_LEVELS)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """The predictions of K runs for n labelled images, whose true classes are `classes` (n,).

    `correct` (n, K) is 1 or 0, `confidence` (n, K) the probability of the predicted class, and `brier` (n, K) the Brier
    score of an image. `probabilities` (n, K, C) are those of every class; C is 0 if they are not stored. `attack` is
    the attack class, or None unless the model has two classes. Error rates use all images; other numbers use the images
    in the mask `own` (n,). `types` has, by group column, a mask (n, P) of the attacks of each attack type.
    """

    classes: NDArray[np.int64]
    correct: Array
    confidence: Array
    brier: Array
    probabilities: Array
    attack: int | None
    own: Mask
    types: Mapping[str, Array] = field(default_factory=dict)

    def select(self, rows: Mask, own: Mask) -> "Predictions":
        """Return the predictions for the images in the mask `rows` (n,), with a new mask `own` (n,)."""
        columns = ("classes", "correct", "confidence", "brier", "probabilities")
        types = {column: each[rows] for column, each in self.types.items()}
        return replace(self, own=own[rows], types=types, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def runs(self) -> int:
        """The number of runs."""
        return int(self.correct.shape[1])

    @cached_property
    def attacks(self) -> Mask:
        """Which images are attacks, (n,)."""
        return np.asarray(self.classes == self.attack)

    @cached_property
    def present(self) -> list[int]:
        """The classes that occur among the images in the mask `own`."""
        return [int(each) for each in np.unique(self.classes[self.own])]

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """The names of the numbers that cannot be computed, each with the reason."""
        return dict(_reasons(self))

    @cached_property
    def available(self) -> list[str]:
        """The names of the numbers that can be computed."""
        return [name for name in NAMES if name not in self.reasons]


def _reasons(found: Predictions) -> Iterator[tuple[str, str]]:
    if not found.own.any():
        yield from dict.fromkeys(NAMES, "no image has a label").items()
        return
    if found.attack is None:
        yield from dict.fromkeys(OF_TWO_CLASSES, "needs a model of two classes").items()
    if len(found.present) < 2:
        yield "balanced_accuracy", "needs images of two classes or more"
    if len(np.unique(found.classes)) < 2:
        yield from dict.fromkeys(("auroc", *OF_TWO_CLASSES), "needs images of two classes or more").items()
        return
    if not found.probabilities.shape[2]:
        yield "auroc", "needs the probability of every class, which is not stored for so many classes"
    if found.attack is not None:
        count = int((~found.attacks).sum())
        for name, limit in BPCER_LEVELS.items():
            if count * limit < 1 - 1e-9:
                yield name, f"needs {round(1 / limit)} bona fide images or more; there are {count}"


def attack_types(attacks: Mask, bona_fide: Mask, groups: Mapping[str, Sequence[str | None]]) -> dict[str, Array]:
    """Return, for each group column that names attack types, which images are attacks of each type, (n, P).

    A column names attack types if some attacks have a value, and no bona fide image has one of these values.
    """
    found = {}
    for column, values in groups.items():
        types, others = (
            {value for value, counts in zip(values, some, strict=True) if counts and value is not None}
            for some in (attacks, bona_fide)
        )
        if types and not types & others:
            named = np.array([[value == each for each in sorted(types)] for value in values])
            found[column] = (named & attacks[:, None]).astype(float)
    return found


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of the run with this number. Its properties do not depend on the weights of the images."""

    all_runs: Predictions
    number: int

    def numbers(self, weights: Array) -> dict[str, Array]:
        """Return each available number under R weightings of the images, which are (R, n); each number is (R,).

        A number is NaN under a weighting that lacks the classes it needs. The largest APCER of a group column's attack
        types has the name COLUMN:NUMBER.
        """
        found = self.all_runs
        numbers = self._of_sums(weights)
        if "eer" in found.available:
            numbers |= self._error_rates(self.thresholds[0].rates(weights))
        elif "auroc" in found.available:
            numbers["auroc"] = _mean_known([each.rates(weights).auroc for each in self.thresholds])
        return {name: values for name, values in numbers.items() if name not in found.reasons}

    @cached_property
    def thresholds(self) -> list[Thresholds]:
        """The thresholds of the attack class's probability. Without one, those of each class's."""
        found, chosen = self.all_runs, self.all_runs.present if self.all_runs.attack is None else [self.all_runs.attack]
        return [Thresholds.of(found.classes == each, found.probabilities[:, self.number, each]) for each in chosen]

    def _error_rates(self, rates: ErrorRates) -> dict[str, Array]:
        numbers = {"auroc": rates.auroc, "eer": rates.eer}
        for name in set(BPCER_LEVELS).intersection(self.all_runs.available):
            limit = BPCER_LEVELS[name]
            numbers[name] = rates.apcer_at(limit)
            for column, types in self.all_runs.types.items():
                numbers[f"{column}:{name}"] = _largest_known(rates.apcer_by_type(limit, types))
        return numbers

    def _of_sums(self, weights: Array) -> dict[str, Array]:
        """Return the numbers that are ratios of weighted sums over the images in the mask `own`."""
        ends = np.cumsum([1, 1, 1, *[len(self.all_runs.present)] * 2])
        total, correct, brier, classes, hits, gaps = np.split(weights @ self._columns, ends, axis=1)
        with np.errstate(invalid="ignore"):
            return {
                "accuracy": (correct / total)[:, 0],
                "brier": (brier / total)[:, 0],
                "ece": np.abs(gaps).sum(1) / total[:, 0],
                "balanced_accuracy": _mean_known(list((hits / classes).T)),
            }

    @cached_property
    def _columns(self) -> Array:
        """The columns (n, C) whose weighted sums over the images in the mask `own` give the numbers of `_of_sums`.

        In order: 1, correctness, Brier score, one column per class that is 1 for its images, one per class that is 1
        for its correct images, and the gaps by bin.
        """
        found = self.all_runs
        correct, brier = found.correct[:, [self.number]], found.brier[:, [self.number]]
        classes = found.classes[:, None] == np.array(found.present)
        columns = [np.ones(correct.shape), correct, brier, classes, classes * correct, self._gaps()]
        return np.concatenate(columns, axis=1) * found.own[:, None]

    def _gaps(self) -> Array:
        """Return confidence minus correctness of each image in `own`, in the column of the image's bin, (n, BINS)."""
        found = self.all_runs
        gaps, rows = np.zeros((len(found.own), BINS)), np.flatnonzero(found.own)
        confidence = found.confidence[rows, self.number]
        gaps[rows, bins_of(confidence)] = confidence - found.correct[rows, self.number]
        return gaps


def _largest_known(numbers: Array) -> Array:
    """Return the largest value of each row of an array (R, P) as (R,). NaN is ignored."""
    largest = np.where(np.isnan(numbers), -np.inf, numbers).max(1)
    return np.where(np.isfinite(largest), largest, np.nan)


def _mean_known(numbers: Sequence[Array]) -> Array:
    """Return the elementwise mean of arrays (R,). NaN is ignored."""
    table = np.stack(numbers)
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, table, 0.0).sum(0) / known.sum(0))


def bins_of(confidence: Array) -> NDArray[np.int64]:
    """Return the bin of each confidence (n,): BINS bins of equal mass, except that equal values share a bin.

    The bin is floor(BINS * r / n), where r is the number of smaller confidences.
    """
    smaller = np.searchsorted(np.sort(confidence), confidence, side="left")
    return np.asarray(smaller * BINS // max(len(confidence), 1))


def reliability(confidence: Array, correct: Array) -> list[dict[str, Any]]:
    """Return the bins of a reliability diagram for values (m,): mean confidence, accuracy and number of values."""
    own = bins_of(confidence)
    return [
        {
            "confidence": float(confidence[own == each].mean()),
            "accuracy": float(correct[own == each].mean()),
            "n": int((own == each).sum()),
        }
        for each in np.unique(own)
    ]
