"""Computes the numbers that soundness checks judge from the columns of a cohort. Pure: arrays in, plain values out.

The intervals hold for the audited models: they do not include the variance between runs. A check whose column is
absent has no number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import CohortValues
from worker.statistics.confidence_sequence import Confidence, ratio_interval
from worker.statistics.degenerate import Z, degenerate_share, wilson
from worker.statistics.describe import MIN_IMAGES
from worker.statistics.missing import known_mean

Number = Mapping[str, Any]  # the number, interval and limit of a check, under these keys
# The column of each check that is about the mean of a column.
MEAN_COLUMNS = {"image": "chance", "class": "soundness.class", "difference": "soundness.difference"}


@dataclass(frozen=True)
class SoundnessNumbers:
    """The numbers of a cohort's checks. With `claim`, the accuracy has an interval for all interim looks."""

    cohort: CohortValues
    claim: Confidence | None = None

    def of(self, run: int | None = None) -> dict[str, Number]:
        """Return the number, interval and limit of each check, for one run or for all runs together."""
        columns = {name: self._values(column, run) for name, column in MEAN_COLUMNS.items()}
        found = {name: mean_with_interval(values) for name, values in columns.items() if values is not None}
        degenerate, predicted, correct = (self._values(name, run) for name in ("degenerate", "predicted", "correct"))
        if degenerate is not None:
            share = degenerate_share(degenerate)
            found["degenerate"] = {"number": share["mean"], "interval": share["ci95"]}
        if predicted is not None and len(self._label_counts) > 1:
            found["predictions"] = {"number": largest_share(predicted)}
        if correct is not None and self._label_counts:
            found["accuracy"] = self._accuracy(correct)
        return found

    def _values(self, column: str, run: int | None) -> Array | None:
        """Return a column (n, K), or (n, 1) for one run; None if the cohort does not have the column."""
        if column not in self.cohort.run_columns:
            return None
        values = self.cohort.column(column)
        return values if run is None else values[:, [run]]

    @property
    def _label_counts(self) -> Sequence[int]:
        return list(Counter(label for label in self.cohort.labels if label is not None).values())

    def _accuracy(self, correct: Array) -> Number:
        """Return the accuracy with its interval. The limit is chance: the share of the most frequent label."""
        known = ~np.isnan(correct).any(1)
        if not known.any():
            return {"number": None}
        by_image = correct[known].mean(1)
        if self.claim is None:
            # Runs may be right and wrong on the same images, so that further runs do not make the interval narrower.
            interval = wilson(float(by_image.sum()), len(by_image))
        else:
            interval = list(ratio_interval(by_image, np.ones(len(by_image)), self.claim))
        limit = max(self._label_counts) / sum(self._label_counts)
        return {"number": float(by_image.mean()), "interval": interval, "limit": limit}


def mean_with_interval(values: Array) -> Number:
    """Return the mean of similarities (n, K) in [-1, 1], and its normal interval over the images."""
    by_image = known_mean(values, 1)
    by_image = by_image[~np.isnan(by_image)]
    if not len(by_image):
        return {"number": None}
    mean = float(by_image.mean())
    if len(by_image) < MIN_IMAGES:
        return {"number": mean}
    reach = Z * float(by_image.std(ddof=1)) / len(by_image) ** 0.5
    return {"number": mean, "interval": [max(-1.0, mean - reach), min(1.0, mean + reach)]}


def largest_share(predicted: Array) -> float:
    """Return the share of images with the most frequent prediction of a run, as a mean over the runs.

    `predicted` (n, K) has the predicted classes.
    """
    return float(np.mean([np.unique(run, return_counts=True)[1].max() / len(run) for run in predicted.T]))
