"""Finds the columns that two cohorts have for the same images, and pairs their values by image.

Pure: arrays in, arrays out. Names are those of the results: `noise.parts.0.1`, `accuracy`,
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
    """The values of two cohorts for the number with this name, by image, (n,) each.

    `rows` (n,) selects the images that have a value in both cohorts. `missing` is the larger of the two cohorts' shares
    of missing values.
    """

    name: str
    column: str
    ours: Array
    theirs: Array
    rows: Any
    missing: float


def pairings(a: CohortValues, b: CohortValues, extra_paths: Sequence[str] = ()) -> Iterator[Pairing]:
    """Yield the values of both cohorts for each number, such as `noise`, that both have for at least one image.

    `extra_paths` names numbers that are compared in addition to the standard ones.
    """
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
    """Return the name of the column that holds the headline number of a measure's part, such as `noise.0.1.ssim`."""
    plain = f"{measure}.{part}"
    return plain if plain in cohort.run_columns else f"{plain}.ssim"


def locate_number(cohort: CohortValues, name: str) -> tuple[str, Any]:
    """Split a name such as `strata.class.real.entropy` into `entropy` and a mask (n,) of the images of its stratum.

    For a name without a stratum, the mask selects all images.
    """
    name = name.removeprefix("measures.")
    for kind, values in {"class": cohort.labels, **cohort.groups}.items():
        inside = name.removeprefix(f"strata.{kind}.")
        own, _, last = inside.rpartition(".")
        if inside != name and own in values:
            return last, np.array([each == own for each in values])
    return name, np.ones(len(cohort.labels), bool)


def column_of(cohort: CohortValues, name: str) -> str | None:
    """Return the column that holds the value named `name`, such as `noise.parts.0.1`; None if the cohort lacks it."""
    if name == "accuracy":
        return "correct"
    measure, _, part = name.partition(".parts.")
    found = headline_of(cohort, measure, part) if part else measure
    known = (*cohort.run_columns, *cohort.paired_columns)
    return found if found in known else None


def _by_image(cohort: CohortValues, column: str) -> Array:
    """Return the mean of a column over the runs, for each image, (n,)."""
    if column in cohort.paired_columns:
        return cohort.across_column(column)
    return np.asarray(known_mean(cohort.column(column), 1))


def _missing(cohort: CohortValues, column: str, rows: Any) -> float:
    """Return the share of missing values in a column.

    The share is 0 for the column `correct`, where images without a label have no value, but do not count as missing.
    """
    if column == "correct":
        return 0.0
    return missing_share(
        (cohort.pair_values(column) if column in cohort.paired_columns else cohort.column(column))[rows]
    )
