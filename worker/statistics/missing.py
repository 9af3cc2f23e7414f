"""Handles missing values (NaN): means without them, and the largest share allowed. Pure: arrays in, arrays out."""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array

MOST_MISSING = 0.2  # the share of missing values above which there is no interval


def known_mean(values: Array, axis: int | None = None) -> Any:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0.0).sum(axis) / known.sum(axis)


def number_or_none(value: Any) -> float | None:
    """Return a number for JSON: None instead of NaN."""
    return None if np.isnan(value) else float(value)


def missing_share(values: Array) -> float:
    """Return the share of values that are NaN; 0 if there are no values."""
    return float(np.isnan(values).mean()) if values.size else 0.0
