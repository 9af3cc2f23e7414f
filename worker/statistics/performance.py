"""Computes how well the runs of a cohort classify labelled images: accuracy, error rates and calibration.

Pure: arrays in, plain values out. Sources: ISO/IEC 30107-3 (APCER and BPCER); Brier 1950; Guo et al. 2017 (expected
calibration error), with bins of equal mass (Nguyen and O'Connor 2015). Every number of a cohort is the mean of its
runs' numbers. What cannot be computed is None, and `reasons` says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.error_rates import Thresholds

BINS = 15
BPCER_LEVELS = {"apcer_at_bpcer_1": 0.01, "apcer_at_bpcer_5": 0.05, "apcer_at_bpcer_10": 0.1}
OF_ANY_CLASSES = ("accuracy", "brier", "ece")
OF_SEVERAL_CLASSES = ("balanced_accuracy", "auroc")
OF_TWO_CLASSES = ("eer", *BPCER_LEVELS)
NAMES = ("accuracy", "balanced_accuracy", "auroc", "eer", "brier", "ece", *BPCER_LEVELS)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """What K runs say of n labelled images: true `classes` (n,), and for each run the columns (n, K).

    `correct` is 1 or 0, `confidence` the probability of the predicted class, `brier` the image's Brier score.
    `probabilities` (n, K, C) has those of every class, with C = 0 if they are not stored. `attack` is the attack class,
    None unless the model has two classes. Error rates use all images; other numbers only those that are `own` (n,).
    `types` (n, P) says by group column which images are attacks of each attack type.
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
        """Return some of the images, without attack types; `own` (n,) says which of all images count as own."""
        columns = ("classes", "correct", "confidence", "brier", "probabilities")
        return replace(self, own=own[rows], types={}, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def runs(self) -> int:
        """The number of runs."""
        return int(self.correct.shape[1])

    @cached_property
    def attacks(self) -> Mask:
        """Which images are attacks, (n,)."""
        return np.asarray(self.classes == self.attack)

    def thresholds(self, run: int) -> Thresholds:
        """Return the thresholds of a run's probabilities of the attack class."""
        assert self.attack is not None, "error rates are those of two classes"
        return Thresholds.of(self.attacks, self.probabilities[:, run, self.attack])

    @cached_property
    def present(self) -> list[int]:
        """The classes that occur among the own images."""
        return [int(each) for each in np.unique(self.classes[self.own])]

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """The reason why a number cannot be computed, by its name."""
        return dict(_reasons(self))

    @cached_property
    def available(self) -> list[str]:
        """The numbers that can be computed."""
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


def weighted_numbers(found: Predictions, run: int, weights: Array) -> dict[str, Array]:
    """Return each available number of a run under weightings of the images, (R, n) -> (R,).

    A number is NaN under a weighting that lacks the classes it needs. The largest APCER of a group column's attack
    types has the name COLUMN:NUMBER.
    """
    numbers = _of_predictions(found, run, weights)
    if "eer" in found.available:
        rates = found.thresholds(run).rates(weights)
        numbers |= {"auroc": rates.auroc, "eer": rates.eer}
        for name in set(BPCER_LEVELS).intersection(found.available):
            limit = BPCER_LEVELS[name]
            numbers[name] = rates.apcer_at(limit)
            for column, types in found.types.items():
                numbers[f"{column}:{name}"] = _largest_known(rates.apcer_by_type(limit, types))
    elif "auroc" in found.available:
        numbers["auroc"] = _mean_known([_against_the_rest(found, run, each, weights) for each in found.present])
    return {name: values for name, values in numbers.items() if name not in found.reasons}


def _largest_known(numbers: Array) -> Array:
    """Return the largest number of each row (R, P) without NaN, (R,)."""
    largest = np.where(np.isnan(numbers), -np.inf, numbers).max(1)
    return np.where(np.isfinite(largest), largest, np.nan)


def _of_predictions(found: Predictions, run: int, weights: Array) -> dict[str, Array]:
    """Return the numbers that follow from sums over the own images."""
    own = weights * found.own
    classes = np.stack([found.classes == each for each in found.present], axis=1).astype(float)
    correct, gaps = found.correct[:, run], _gaps_by_bin(found, run)
    with np.errstate(invalid="ignore"):
        total = own.sum(1)
        return {
            "accuracy": (own @ correct) / total,
            "brier": (own @ found.brier[:, run]) / total,
            "ece": np.abs(own @ gaps).sum(1) / total,
            "balanced_accuracy": _mean_known(list(((own @ (classes * correct[:, None])) / (own @ classes)).T)),
        }


def _against_the_rest(found: Predictions, run: int, each: int, weights: Array) -> Array:
    return Thresholds.of(found.classes == each, found.probabilities[:, run, each]).rates(weights).auroc


def _mean_known(numbers: Sequence[Array]) -> Array:
    """Return the mean of arrays (R,) without NaN."""
    table = np.stack(numbers)
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, table, 0.0).sum(0) / known.sum(0))


def _gaps_by_bin(found: Predictions, run: int) -> Array:
    """Return confidence minus correctness in the column of each own image's bin, (n, BINS)."""
    gaps = np.zeros((len(found.own), BINS))
    rows = np.flatnonzero(found.own)
    confidence = found.confidence[rows, run]
    gaps[rows, bins_of(confidence)] = confidence - found.correct[rows, run]
    return gaps


def bins_of(confidence: Array) -> NDArray[np.int64]:
    """Return the bin of each confidence (n,): BINS bins of equal mass, except that equal values share a bin.

    The bin is floor(BINS * r / n), where r counts the smaller confidences.
    """
    smaller = np.searchsorted(np.sort(confidence), confidence, side="left")
    return np.asarray(smaller * BINS // max(len(confidence), 1))


def reliability(confidence: Array, correct: Array) -> list[dict[str, Any]]:
    """Return the bins of a reliability diagram: mean confidence, accuracy and number of values (m,) in each."""
    own = bins_of(confidence)
    return [
        {
            "confidence": float(confidence[own == each].mean()),
            "accuracy": float(correct[own == each].mean()),
            "n": int((own == each).sum()),
        }
        for each in np.unique(own)
    ]
