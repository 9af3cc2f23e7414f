"""Mean, spread, quantiles and interval of one column, as the results show them.

Pure: arrays in, plain values out.
"""

from typing import Any

import numpy as np

from worker.summary.bootstrap import Array, interval

QUANTILES = (5, 25, 50, 75, 95)
FEW = 5
BINS = 40


def describe(values: Array, resampled: Array) -> dict[str, Any]:
    """Values of a column, (n, ...) by image (NaN: none), and their resampled means (R,) -> its statistics.

    `n` counts values. Fewer than FEW images tell nothing of others: spread and interval are None, and `note` says so.
    """
    there = ~np.isnan(values)
    images, present = int(there.any(tuple(range(1, values.ndim))).sum()), values[there]
    if not len(present):
        return {
            "mean": None,
            "sd": None,
            "ci95": None,
            **{f"q{q:02}": None for q in QUANTILES},
            "n": 0,
            **_note(images),
        }
    enough = images >= FEW
    return {
        "mean": float(present.mean()),
        "sd": float(present.std(ddof=1)) if enough else None,
        "ci95": interval(resampled) if enough else None,
        **{f"q{q:02}": float(np.quantile(present, q / 100)) for q in QUANTILES},
        "n": len(present),
        **_note(images),
    }


def histogram(values: Array) -> list[int]:
    """How many of the values lie in each of BINS equal parts of [0, 1]; those at an end are of the part beside it."""
    there = values[~np.isnan(values)].clip(0, 1)
    return [int(count) for count in np.histogram(there, BINS, (0, 1))[0]]


def compare(a: Array, b: Array, resampled_a: Array, resampled_b: Array) -> dict[str, Any]:
    """The difference a - b of two cohorts, paired by image. Values (n,), resampled means (R,).

    `cohens_d` is the mean difference over the standard deviation of the images' differences (d_z of paired
    samples, Cohen 1988).
    """
    paired = a - b
    enough = len(paired) >= FEW
    spread = float(paired.std(ddof=1)) if enough else 0.0
    mean = float(paired.mean())
    return {
        "mean": mean,
        "ci95": interval(resampled_a - resampled_b) if enough else None,
        "cohens_d": mean / spread if spread > 0 else None,
        **_note(len(paired)),
    }


def _note(images: int) -> dict[str, str]:
    """What there is to say of so many images."""
    return {} if images >= FEW else {"note": f"{images} image(s): too few for a spread or an interval"}
