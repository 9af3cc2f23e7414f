"""Computes the mean, spread and quantiles of one column, as the results show them.

Pure: arrays in, plain values out.
"""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array
from worker.statistics.missing import MOST_MISSING

QUANTILES = (5, 25, 50, 75, 95)
MIN_IMAGES = 5
BINS = 40


def describe(values: Array, used: Any = None) -> dict[str, Any]:
    """Return the statistics of a column from its values (n, ...), NaN if missing, without an interval.

    `used` (n, ...) masks the values that count. In the result, `n` is the number of known values, and `missing` the
    number of missing ones. With fewer than MIN_IMAGES images, the spread is None.
    """
    counting = np.ones(values.shape, bool) if used is None else used
    known = counting & ~np.isnan(values)
    present = values[known]
    counts = {"n": len(present), "missing": int(counting.sum()) - len(present)}
    if not len(present):
        return {"mean": None, "sd": None, **{f"q{q:02}": None for q in QUANTILES}, **counts}
    return {
        "mean": float(present.mean()),
        "sd": float(present.std(ddof=1)) if images_of(known) >= MIN_IMAGES else None,
        **{f"q{q:02}": float(np.quantile(present, q / 100)) for q in QUANTILES},
        **counts,
    }


def images_of(known: Any) -> int:
    """Return the number of images that have a known value, from the mask (n, ...) of known values."""
    return int(known.any(tuple(range(1, known.ndim))).sum())


def histogram(values: Array) -> list[int]:
    """Return how many values lie in each of BINS equal bins of [0, 1]; values outside go to the nearest bin."""
    known = values[~np.isnan(values)].clip(0, 1)
    return [int(count) for count in np.histogram(known, BINS, (0, 1))[0]]


def compare(a: Array, b: Array) -> dict[str, Any]:
    """Return the mean difference a - b of two cohorts, paired by image, from values (n,), without an interval.

    `d_z` is the mean difference over the standard deviation of the images' differences (d_z of paired samples,
    Cohen 1988); None with fewer than MIN_IMAGES images or without spread.
    """
    paired = a - b
    spread = float(paired.std(ddof=1)) if len(paired) >= MIN_IMAGES else 0.0
    mean = float(paired.mean())
    return {"mean": mean, "d_z": mean / spread if spread > 0 else None}


def why_no_interval(images: int, missing: float) -> str | None:
    """Return why an interval is not computed: too few images, or too many missing values. None if there are enough."""
    if missing > MOST_MISSING:
        return f"{missing:.0%} of the values are missing: too many for an interval"
    return None if images >= MIN_IMAGES else f"{images} image(s): too few for a spread or an interval"
