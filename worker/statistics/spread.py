"""Intervals of what tells how values spread, standard deviation and quantiles, by the same bootstrap as the means.

Pure: arrays in, arrays out. Computed where a rule asks for it alone: a quantile costs some hundred means.
"""

import numpy as np

from worker.statistics.bootstrap import Array, Check, Draws, no_check, resample_means

BINS = 400  # values among which a quantile is looked for
MAX_VALUES = 1_000_000  # of more no quantile is resampled


def resample_spread(values: Array, statistic: str, by: Draws, check: Check = no_check) -> Array | None:
    """Resampled `sd`, or quantile such as `q05`, of values (n, K), NaN missing -> (R,); None of too many values."""
    return _deviations(values, by, check) if statistic == "sd" else _quantiles(values, int(statistic[1:]), by, check)


def _deviations(values: Array, by: Draws, check: Check) -> Array:
    columns, count = np.stack([values, values**2], axis=2), np.sum(~np.isnan(values))
    means = resample_means(columns, np.ones(values.shape), by, check).whole
    return np.asarray(np.sqrt(np.maximum(means[:, 1] - means[:, 0] ** 2, 0) * count / (count - 1)))


def _quantiles(values: Array, percent: int, by: Draws, check: Check) -> Array | None:
    """In each resample, the least of some values that so many percent do not exceed."""
    if values.size > MAX_VALUES:
        return None
    missing = np.isnan(values)
    places = np.unique(np.quantile(values[~missing], np.linspace(0, 1, BINS), method="higher"))
    below = np.where(missing[:, :, None], np.nan, values[:, :, None] <= places)
    reached = resample_means(below, np.ones(values.shape), by, check).whole >= percent / 100 - 1e-9
    return np.asarray(places[reached.argmax(1)])
