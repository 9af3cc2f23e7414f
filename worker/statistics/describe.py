"""Mean, spread, quantiles and interval of one column, as the results show them.

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
    """Values of a column, (n, ...) by image (NaN: missing), and their resampled means (R,) -> its statistics.

    `used` (n, ...) is above 0 for values that count, `n` and `missing` in the result count those that are there and
    that are not. Fewer than FEW images tell nothing of others: spread and interval are None, and `note` says so; so it
    does where more than MOST_MISSING of the values are missing, or the share of others that is given as `missing`.
    """
    counting = np.ones(values.shape, bool) if used is None else used > 0
    there = counting & ~np.isnan(values)
    images, present = int(there.any(tuple(range(1, values.ndim))).sum()), values[there]
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
    """How many of the values lie in each of BINS equal parts of [0, 1]; those at an end are of the part beside it."""
    there = values[~np.isnan(values)].clip(0, 1)
    return [int(count) for count in np.histogram(there, BINS, (0, 1))[0]]


def compare(a: Array, b: Array, resampled_a: Array, resampled_b: Array, missing: float = 0.0) -> dict[str, Any]:
    """The difference a - b of two cohorts, paired by image. Values (n,), resampled means (R,).

    `missing` is the share of values that one of them lacks; above MOST_MISSING there is no interval.
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
    """What there is to say of so many images, and of such a share of missing values."""
    if missing > MOST_MISSING:
        return {"note": f"{missing:.0%} of the values are missing: too many for an interval"}
    return {} if images >= MIN_IMAGES else {"note": f"{images} image(s): too few for a spread or an interval"}
