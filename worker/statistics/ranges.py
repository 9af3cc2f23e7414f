"""Between which numbers a column's values lie, whatever model and image. Pure."""

from collections.abc import Mapping

Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)
SIGNED: Range = (-1.0, 1.0)
# By the last part of a column's name; similarities, SSIM among them, lie in SIGNED.
RANGES: Mapping[str, Range] = {
    "entropy": UNIT,
    "spatial": UNIT,
    "mse": UNIT,
    "iou20": UNIT,
    "probability": UNIT,
    "top_probability": UNIT,
    "correct": UNIT,
    "degenerate": UNIT,
    "gap": (-2.0, 2.0),
}


def range_of(column: str) -> Range:
    """The least and the largest value of a column."""
    return RANGES.get(column.rpartition(".")[2], SIGNED)


def range_of_difference(column: str) -> Range:
    """The same of one cohort's values less another's."""
    low, high = range_of(column)
    return low - high, high - low
