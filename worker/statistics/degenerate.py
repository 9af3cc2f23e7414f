"""Computes the share of degenerate maps, with Wilson's interval. Pure: arrays in, plain values out."""

from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array

Z = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


def degenerate_share(degenerate: Array, used: Array | None = None) -> dict[str, Any]:
    """Return the share of degenerate maps: `degenerate` (...) is 1 or 0; only maps with `used` (...) above 0 count."""
    counting = degenerate if used is None else degenerate[used > 0]
    count, maps = int(counting.sum()), int(counting.size)
    if not maps:
        return {"mean": None, "ci95": None, "count": 0, "n": 0}
    return {"mean": count / maps, "ci95": wilson(count, maps), "count": count, "n": maps}


def wilson(count: float, total: int) -> list[float]:
    """Return the 95 % interval of the share count / total (Wilson 1927)."""
    share, weight = count / total, Z**2 / total
    middle = (share + weight / 2) / (1 + weight)
    reach = Z * np.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # The interval of a share of 0 begins at exactly 0, and that of a share of 1 ends at exactly 1: rounded ends could
    # exclude the share itself.
    return [float(middle - reach) if count else 0.0, float(middle + reach) if count < total else 1.0]
