"""Resamples standard deviations and quantiles with the same bootstrap as the means.

Pure: arrays in, arrays out. Only gate rules need these numbers: a quantile costs as much as hundreds of means.
"""

import numpy as np

from worker.statistics.bootstrap import Array, Check, Draws, no_check, resample_means

BINS = 400  # each resampled quantile is one of at most this many candidate values
MAX_VALUES = 1_000_000  # quantiles of more values are not resampled


def resample_spread(values: Array, statistic: str, by: Draws, check: Check = no_check) -> Array | None:
    """Resample `sd` or a quantile such as `q05` of values (n, K), NaN if missing -> (R,).

    Returns None for quantiles of more than MAX_VALUES values.
    """
    return _deviations(values, by, check) if statistic == "sd" else _quantiles(values, int(statistic[1:]), by, check)


def _deviations(values: Array, by: Draws, check: Check) -> Array:
    columns, count = np.stack([values, values**2], axis=2), np.sum(~np.isnan(values))
    means = resample_means(columns, np.ones(values.shape), by, check).whole
    return np.asarray(np.sqrt(np.maximum(means[:, 1] - means[:, 0] ** 2, 0) * count / (count - 1)))


def _quantiles(values: Array, percent: int, by: Draws, check: Check) -> Array | None:
    """Return each resample's quantile, (R,): the smallest candidate that `percent` % of its values do not exceed."""
    if values.size > MAX_VALUES:
        return None
    missing = np.isnan(values)
    candidates = np.unique(np.quantile(values[~missing], np.linspace(0, 1, BINS), method="higher"))
    below = np.where(missing[:, :, None], np.nan, values[:, :, None] <= candidates)
    reached = resample_means(below, np.ones(values.shape), by, check).whole >= percent / 100 - 1e-9
    return np.asarray(candidates[reached.argmax(1)])
