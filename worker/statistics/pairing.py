"""Finds the numbers that two cohorts have of the same images, and pairs them by image.

Pure: arrays in, arrays out. Numbers have the same names as in the results: `noise.parts.0.1`, `accuracy`,
`strata.class.synthetic.entropy`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import CohortValues
from worker.statistics.missing import known_mean, missing_share


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


def headline_of(cohort: CohortValues, measure: str, part: str) -> str:
    """Return the column that has the headline number of a part."""
    plain = f"{measure}.{part}"
    return plain if plain in cohort.run_columns else f"{plain}.ssim"


def locate_number(cohort: CohortValues, name: str) -> tuple[str, Any]:
    """Return a number's name without its class or group, and a mask of the images in it, (n,)."""
    name = name.removeprefix("measures.")
    for kind, values in {"class": cohort.labels, **cohort.groups}.items():
        inside = name.removeprefix(f"strata.{kind}.")
        own, _, last = inside.rpartition(".")
        if inside != name and own in values:
            return last, np.array([each == own for each in values])
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
