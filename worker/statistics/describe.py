"""Computes the mean, spread, quantiles and interval of one column, as the results show them.

Pure: arrays in, plain values out.
"""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array, interval
from worker.statistics.missing import MOST_MISSING, missing_share

QUANTILES = (5, 25, 50, 75, 95)
MIN_IMAGES = 5
BINS = 40


def describe(
    values: Array, resampled: Array, used: Array | None = None, missing: float | None = None
) -> dict[str, Any]:
    """Return the statistics of a column from its values (n, ...), NaN if missing, and their resampled means (R,).

    `used` (n, ...) is above 0 for values that count. In the result, `n` is the number of known values and `missing`
    of unknown ones. With fewer than MIN_IMAGES images, spread and interval are None. If more than MOST_MISSING of the
    values are missing, the interval is None; the argument `missing` overrides this share. `note` gives the reason.
    """
    counting = np.ones(values.shape, bool) if used is None else used > 0
    known = counting & ~np.isnan(values)
    images, present = int(known.any(tuple(range(1, values.ndim))).sum()), values[known]
    absent = missing_share(values[counting]) if missing is None else missing
    counts = {"n": len(present), "missing": int(counting.sum()) - len(present), **_note(images, absent)}
    if not len(present):
        return {"mean": None, "sd": None, "ci95": None, **{f"q{q:02}": None for q in QUANTILES}, **counts}
    enough = images >= MIN_IMAGES
    return {
        "mean": float(present.mean()),
        "sd": float(present.std(ddof=1)) if enough else None,
        "ci95": interval(resampled) if enough and absent <= MOST_MISSING else None,
        **{f"q{q:02}": float(np.quantile(present, q / 100)) for q in QUANTILES},
        **counts,
    }


def histogram(values: Array) -> list[int]:
    """Return how many values lie in each of BINS equal bins of [0, 1]; values outside go to the nearest bin."""
    known = values[~np.isnan(values)].clip(0, 1)
    return [int(count) for count in np.histogram(known, BINS, (0, 1))[0]]


def compare(a: Array, b: Array, resampled_a: Array, resampled_b: Array, missing: float = 0.0) -> dict[str, Any]:
    """Return the difference a - b of two cohorts, paired by image, from values (n,) and resampled means (R,).

    `missing` is the larger share of missing values of the two; above MOST_MISSING there is no interval.
    `cohens_d` is the mean difference over the standard deviation of the images' differences (d_z of paired
    samples, Cohen 1988).
    """
    paired = a - b
    enough = len(paired) >= MIN_IMAGES
    spread = float(paired.std(ddof=1)) if enough else 0.0
    mean = float(paired.mean())
    return {
        "mean": mean,
        "ci95": interval(resampled_a - resampled_b) if enough and missing <= MOST_MISSING else None,
        "cohens_d": mean / spread if spread > 0 else None,
        **_note(len(paired), missing),
    }


def _note(images: int, missing: float) -> dict[str, str]:
    """Return a note if there are too few images, or too many missing values, for an interval; else nothing."""
    if missing > MOST_MISSING:
        return {"note": f"{missing:.0%} of the values are missing: too many for an interval"}
    return {} if images >= MIN_IMAGES else {"note": f"{images} image(s): too few for a spread or an interval"}
