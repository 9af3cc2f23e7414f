"""Computes the differences between two cohorts, paired by image.

Pure: arrays in, plain values out. Numbers have the same names as in the results: `noise.parts.0.1`, `accuracy`,
`strata.class.synthetic.entropy`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array, resample_means
from worker.statistics.cohort import CohortValues, Tree, headline_of
from worker.statistics.describe import compare
from worker.statistics.missing import known_mean, missing_share


def all_differences(
    cohorts: Sequence[CohortValues], baseline: CohortValues | None = None, extra_paths: Sequence[str] = ()
) -> list[Tree]:
    """Return the differences of every pair of cohorts, and of each cohort and the baseline."""
    pairs = [*combinations(cohorts, 2), *((each, baseline) for each in cohorts if baseline is not None)]
    return [each for a, b in pairs for each in differences(a, b, extra_paths)]


def differences(a: CohortValues, b: CohortValues, extra_paths: Sequence[str] = ()) -> Iterator[Tree]:
    """Yield a - b for every measure and its parts, for accuracy if there are labels, and for `extra_paths`."""
    for each in pairings(a, b, extra_paths):
        rows = each.rows
        first, second = (_resampled(cohort, each.column, rows) for cohort in (a, b))
        found = compare(each.ours[rows], each.theirs[rows], first, second, each.missing)
        yield {"a": a.name, "b": b.name, "measure": each.name, **found}


@dataclass(frozen=True)
class Pairing:
    """One number of two cohorts by image, (n,) each; `rows` (n,) selects the images that have it in both cohorts.

    `missing` is the larger of the two cohorts' shares of missing values.
    """

    name: str
    column: str
    ours: Array
    theirs: Array
    rows: Any
    missing: float


def pairings(a: CohortValues, b: CohortValues, extra_paths: Sequence[str] = ()) -> Iterator[Pairing]:
    """Yield the numbers of two cohorts that can be compared image by image."""
    for name in dict.fromkeys([*_standard(a, b), *extra_paths]):
        path, in_class = locate_number(a, name)
        column = column_of(a, path)
        if column is None or column != column_of(b, path):
            continue
        ours, theirs = _by_image(a, column), _by_image(b, column)
        rows = in_class & ~np.isnan(ours) & ~np.isnan(theirs)
        if rows.any():
            missing = max(_missing(cohort, column, in_class) for cohort in (a, b))
            yield Pairing(name, column, ours, theirs, rows, missing)


def _standard(a: CohortValues, b: CohortValues) -> Iterator[str]:
    for measure, parts in a.parts.items():
        yield measure
        yield from (f"{measure}.parts.{part}" for part in parts)
    yield from (name for name in a.across_parts if name in b.across_parts)
    yield "accuracy"


def locate_number(cohort: CohortValues, name: str) -> tuple[str, Any]:
    """Return a number's name without its class prefix, and a mask of that class's images, (n,)."""
    name = name.removeprefix("measures.")
    inside = name.removeprefix("strata.class.")
    if inside != name:
        label, _, name = inside.rpartition(".")
        return name, np.array([each == label for each in cohort.labels])
    return name, np.ones(len(cohort.labels), bool)


def column_of(cohort: CohortValues, name: str) -> str | None:
    """Return the column of a number; None if the cohort has no such column."""
    if name == "accuracy":
        return "correct"
    measure, _, part = name.partition(".parts.")
    found = headline_of(cohort, measure, part) if part else measure
    known = (*cohort.run_columns, *cohort.paired_columns)
    return found if found in known else None


def _by_image(cohort: CohortValues, column: str) -> Array:
    """Return a column by image, (n,), as the mean over the runs."""
    if column in cohort.paired_columns:
        return cohort.across_column(column)
    return np.asarray(known_mean(cohort.column(column), 1))


def _missing(cohort: CohortValues, column: str, rows: Any) -> float:
    """Return the share of missing values, which is 0 for correctness: an image without a label has none."""
    if column == "correct":
        return 0.0
    return missing_share(
        (cohort.pair_values(column) if column in cohort.paired_columns else cohort.column(column))[rows]
    )


def _resampled(cohort: CohortValues, column: str, rows: Any) -> Array:
    """Return resampled means of a column over some images, (R,)."""
    if column in cohort.paired_columns:
        return cohort.resample_across(column, rows)
    if rows.all():
        return cohort.resampled_column(column)
    values = cohort.column(column)[rows]
    return resample_means(values[:, :, None], np.ones(values.shape), cohort.draws, cohort.check).whole[:, 0]
