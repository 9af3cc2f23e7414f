"""Means of numbers of which some are missing (NaN), and how many may be. Pure: arrays in, arrays out."""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array

MOST_MISSING = 0.2  # of the values that count; of more no interval is given


def known_mean(values: Array, axis: int | None = None) -> Any:
    """The mean of what is there, NaN where nothing is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, values, 0.0).sum(axis) / there.sum(axis)


def number_or_none(value: Any) -> float | None:
    """A number as JSON has it: NaN is None."""
    return None if np.isnan(value) else float(value)


def missing_share(values: Array) -> float:
    """Which share of some values is missing; 0 of no values."""
    return float(np.isnan(values).mean()) if values.size else 0.0
