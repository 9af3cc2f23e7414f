"""Mean, spread, quantiles and interval of one column, as the results show them.

Pure: arrays in, plain values out.
"""

from typing import Any

import numpy as np

from worker.summary.bootstrap import Array, interval

QUANTILES = (5, 25, 50, 75, 95)


def describe(values: Array, resampled: Array) -> dict[str, Any]:
    """Values of a column (any shape; NaN: none) and their resampled means (R,) -> its statistics.

    `n` counts values. Of fewer than two values there is no spread and no interval: both are None.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return {"mean": None, "sd": None, "ci95": None, **{f"q{q:02}": None for q in QUANTILES}, "n": 0}
    several = len(present) > 1
    return {
        "mean": float(present.mean()),
        "sd": float(present.std(ddof=1)) if several else None,
        "ci95": interval(resampled) if several else None,
        **{f"q{q:02}": float(np.quantile(present, q / 100)) for q in QUANTILES},
        "n": len(present),
    }


def compare(a: Array, b: Array, resampled_a: Array, resampled_b: Array) -> dict[str, Any]:
    """The difference a - b of two cohorts, paired by image. Values (n,), resampled means (R,).

    `cohens_d` is the mean difference over the standard deviation of the images' differences (d_z of paired
    samples, Cohen 1988).
    """
    paired = a - b
    several = len(paired) > 1
    spread = float(paired.std(ddof=1)) if several else 0.0
    mean = float(paired.mean())
    return {
        "mean": mean,
        "ci95": interval(resampled_a - resampled_b) if several else None,
        "cohens_d": mean / spread if spread > 0 else None,
    }
