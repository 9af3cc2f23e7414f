"""Gives the smallest and largest value that a column can have."""

from collections.abc import Mapping

Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)
SIGNED: Range = (-1.0, 1.0)
# The range of a column by the last part of its name. Other columns, such as those of SSIM, have the range SIGNED.
RANGES: Mapping[str, Range] = {
    "mse": UNIT,
    "iou20": UNIT,
    "probability": UNIT,
    "top_probability": UNIT,
    "correct": UNIT,
    "flipped": UNIT,
    "degenerate": UNIT,
}


def range_of(column: str, bounds: Mapping[str, Range]) -> Range:
    """Return the least and the largest value of a column; `bounds` has columns that are not similarities."""
    return bounds[column] if column in bounds else RANGES.get(column.rpartition(".")[2], SIGNED)


def range_of_difference(column: str, bounds: Mapping[str, Range]) -> Range:
    """Return the least and the largest difference between one cohort's value and another's."""
    low, high = range_of(column, bounds)
    return low - high, high - low
