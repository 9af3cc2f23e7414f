"""Builds cohorts of given or random values for the tests of statistics."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from worker.statistics.bootstrap import Draws
from worker.statistics.cohort import CohortValues

RUN_COLUMNS = ["correct", "degenerate", "entropy", "entropy.spatial"]


def cohort(runs: np.ndarray, labels: Sequence[str | None], name: str = "c") -> CohortValues:
    """Return a cohort with these values (images, runs, columns) of RUN_COLUMNS. Its stability is constant."""
    count, pairs = runs.shape[1], list(combinations(range(runs.shape[1]), 2))
    plain = {"stability": 0.5, **{f"stability.{kind}": 0.1 for kind in ("pearson", "mse", "iou20")}}
    plain |= {key.replace("stability", "stability.resized"): value for key, value in plain.items()}
    plain |= {f"stability.pair.{i}.{j}": (i + j) / 10 for i, j in pairs}
    plain["stability"] = (count - 1) / 10  # the mean over the pairs of runs
    plain |= {f"stability.resized.pair.{i}.{j}": 0.5 for i, j in pairs}
    across = plain if count > 1 else {}
    return CohortValues(
        name, RUN_COLUMNS, runs, list(across), np.tile(list(across.values()), (len(runs), 1)), labels,
        {"entropy": ["spatial"]}, Draws(0, "0"), across_parts={"stability": ["resized"]} if across else {},
        bounds={"entropy": (0.0, 1.0), "entropy.spatial": (0.0, 1.0)},
    )  # fmt: skip


def labelled_cohort(columns: Mapping[str, np.ndarray], labels: Sequence[str | None]) -> CohortValues:
    """Return a cohort with these columns, (images, runs) each, which belong to no measure."""
    runs = np.stack(list(columns.values()), axis=2)
    return CohortValues("c", list(columns), runs, [], np.empty((len(runs), 0)), labels, {}, Draws(0, "0"))


def numbers(images: int, runs: int, seed: int = 0) -> np.ndarray:
    """Return random values of RUN_COLUMNS, (images, runs, 4)."""
    values = np.random.default_rng(seed).random((images, runs, 4))
    values[:, :, 0] = values[:, :, 0] > 0.3
    values[:, :, 1] = 0
    return values
